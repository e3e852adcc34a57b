"""Where alerts go: e-mail, a webhook, a Django signal, a ping. Settings alone name addresses; nobody enters them in a page."""

from __future__ import annotations

import http.client
import json
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.mail import EmailMessage, get_connection

from schedulerui import __version__
from schedulerui.conf import settings
from schedulerui.error_text import error_text
from schedulerui.models import Notification
from schedulerui.monitor.chat import for_chat
from schedulerui.signals import alert_changed

logger = logging.getLogger(__name__)

TIMEOUT = 5
"""Seconds that somebody else's server has to answer."""
TYPES: Mapping[str, frozenset[str]] = {
    "email": frozenset({"to"}),
    "webhook": frozenset({"url"}),
    "signal": frozenset(),
}
"""Type of a channel to what it needs."""
LISTED = 50
"""Most alerts that one message lists."""
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of all the text behind them."""


class ChannelError(Exception):
    """The message was not taken; the text says why and holds no secret of the address."""


class ChannelGone(ChannelError):
    """The settings no longer name the channel: there is nothing to try again."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead anywhere: it counts as a refusal."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def names(channels: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the configured channels by name: their own, or type and place."""
    return {
        str(channel.get("name") or f"{channel.get('type')}-{n}")[:60]: channel
        for n, channel in enumerate(channels, 1)
    }


def problems(channels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with the configured channels, a sentence each."""
    found = []
    for name, channel in names(channels).items():
        kind = str(channel.get("type"))
        if kind not in TYPES:
            found.append(f"The channel {name} has the type {kind!r}; known are {', '.join(sorted(TYPES))}.")
            continue
        found.extend(
            f"The channel {name} lacks {need!r}." for need in sorted(TYPES[kind]) if not channel.get(need)
        )
        if kind == "webhook" and urlsplit(str(channel.get("url", ""))).scheme not in {"http", "https"}:
            found.append(f"The address of the channel {name} is neither http nor https.")
    return found


def deliver(notification: Notification) -> None:
    """Send one message; raises ChannelError when it was not taken."""
    if notification.channel == "ping":
        _ping(notification)
        return
    channel = names(settings().ALERTS).get(notification.channel)
    if channel is None:
        raise ChannelGone
    send = {"email": _email, "webhook": _webhook, "signal": _signal}.get(str(channel.get("type")))
    if send is None:
        message = f"There is no channel of type {channel.get('type')!r}."
        raise ChannelError(message)
    send(notification, channel)


def subject_of(notification: Notification) -> str:
    """Return one line that says what happened, without line breaks."""
    alerts = notification.payload.get("alerts", [])
    if len(alerts) == 1:
        word = {"reminder": "still " + str(alerts[0]["event"])}.get(notification.event, notification.event)
        text = f"{alerts[0]['subject']}: {word}"
    else:
        text = f"{len(alerts)} alerts"
    return _one_line(f"[schedulerui] {text}")[:200]


def text_of(notification: Notification) -> str:
    """Return the message for people: what, since when, where to look."""
    alerts = notification.payload.get("alerts", [])
    lines = []
    for alert in alerts[:LISTED]:
        said = "recovered" if alert["event"] == "recovered" else f"{alert['event']}. {alert['message']}"
        lines += [_one_line(f"{alert['subject']}: {said}"), f"  since {alert['since']}"]
        link = _link(alert)
        if link:
            lines.append(f"  {link}")
    if len(alerts) > LISTED:
        lines.append(f"and {len(alerts) - LISTED} more")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    # A name with a line break could say that something else is in trouble, or well; one that turns the direction, hide what it says.
    return " ".join(TURNS.sub("", text).split())


def _link(alert: Mapping[str, Any]) -> str:
    base = settings().DASHBOARD_URL
    if not base:
        return ""
    place = {"schedule": f"schedules/{alert['schedule']}/", "test": "alerts/"}.get(
        str(alert["kind"]), "workers/"
    )
    return base.rstrip("/") + "/" + place


def _email(notification: Notification, channel: Mapping[str, Any]) -> None:
    to = channel["to"]
    message = EmailMessage(
        subject=subject_of(notification),
        body=text_of(notification),
        from_email=channel.get("from"),
        to=[to] if isinstance(to, str) else list(to),
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        message.connection = get_connection(timeout=TIMEOUT)
        message.send()
    except Exception as error:
        raise ChannelError(error_text(error)) from error


def _webhook(notification: Notification, channel: Mapping[str, Any]) -> None:
    body = {
        "event": notification.event,
        "text": for_chat(f"{subject_of(notification)}\n{text_of(notification)}"),
        "mrkdwn": False,  # to Slack, signs such as stars are signs then
        "alerts": notification.payload.get("alerts", []),
        "id": notification.key,
    }
    headers = {
        "Content-Type": "application/json",
        **{str(k): str(v) for k, v in dict(channel.get("headers") or {}).items()},
    }
    _request(str(channel["url"]), data=json.dumps(body).encode(), headers=headers)


def _signal(notification: Notification, _channel: Mapping[str, Any]) -> None:
    answers = alert_changed.send_robust(
        sender=Notification, event=notification.event, alerts=notification.payload.get("alerts", [])
    )
    errors = [answer for _receiver, answer in answers if isinstance(answer, Exception)]
    if errors:
        raise ChannelError(error_text(errors[0])) from errors[0]


def _ping(notification: Notification) -> None:
    url = settings().PING_URLS.get(str(notification.payload.get("schedule")))
    if not url:
        raise ChannelGone
    suffix = {"start": "/start", "fail": "/fail"}.get(notification.event, "")
    _request(url.rstrip("/") + suffix)


def _request(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:
    if urlsplit(url).scheme not in {"http", "https"}:
        message = "The address is neither http nor https."
        raise ChannelError(message)
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        url, data=data, headers={"User-Agent": f"schedulerui/{__version__}", **(headers or {})}
    )
    try:
        _opener.open(request, timeout=TIMEOUT).close()  # its body is not asked for: it could go on for ever
    except urllib.error.HTTPError as error:
        error.close()
        message = f"The server answered {error.code}."
        raise ChannelError(
            message
        ) from None  # the error's own text would hold the address, which may be a secret
    except OSError as error:
        raise ChannelError(error_text(getattr(error, "reason", error))) from None
    except (ValueError, http.client.HTTPException) as error:
        # Such an error quotes the address or a header, and either may be a secret.
        message = (
            f"The address, a header or the server's answer is not that of HTTP ({type(error).__name__})."
        )
        raise ChannelError(message) from None
