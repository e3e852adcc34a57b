"""Alerts, messages and silences as the page about them shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from schedulerui.models import Alert, Notification, Silence
from schedulerui.operations.notifications import NEEDLESS
from schedulerui.presenters.states import StateWord

WORDS: Mapping[str, tuple[Any, str, str]] = {
    "ok": (_("Recovered"), "ok", "check"),
    "late": (_("Late"), "warn", "triangle"),
    "failing": (_("Failing"), "fail", "cross"),
    "down": (_("Down"), "fail", "cross"),
}
"""State of an alert to (word, family of colours, icon)."""
EVENTS: Mapping[str, Any] = {
    "late": _("Late"),
    "failing": _("Failing"),
    "down": _("Down"),
    "recovered": _("Recovered"),
    "reminder": _("Reminder"),
    "several": _("Several at once"),
    "test": _("Test"),
    "start": _("Ping: started"),
    "success": _("Ping: succeeded"),
    "fail": _("Ping: failed"),
}
OUTBOX: Mapping[str, tuple[Any, str, str]] = {
    "waiting": (_("Waiting"), "run", "clock"),
    "sent": (_("Sent"), "ok", "check"),
    "failed": (_("Not taken"), "fail", "cross"),
}

CHANNELS: Mapping[str, tuple[Any, str, str]] = {
    "taking": (_("Takes messages"), "ok", "check"),
    "refusing": (_("Refuses messages"), "fail", "cross"),
    "unused": (_("Not used yet"), "off", "dash"),
}
"""What becomes of a channel's messages to (word, family of colours, icon)."""
KINDS: Mapping[str, Any] = {
    "email": _("e-mail"),
    "webhook": _("webhook"),
    "signal": _("signal in the code"),
    "ping": _("pings of single schedules"),
}
LOOKED_BACK = timedelta(days=7)
"""How far back messages tell of a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert that stands, or has recovered of late."""

    pk: int
    subject: str
    kind: str
    state: StateWord
    message: str
    since: datetime
    told_at: datetime | None
    schedule_id: int | None
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One message and what became of it."""

    event: str
    channel: str
    subject: str
    state: StateWord
    created_at: datetime
    tries: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One way by which people are told, without its address: that may be a secret."""

    name: str
    kind: str
    state: StateWord
    taken_at: datetime | None
    n_waiting: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRow:
    """One window in which nobody is told."""

    pk: int
    subject: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    actor: str
    is_active: bool


def alert_row(alert: Alert) -> AlertRow:
    """Return the line of one alert."""
    word, family, icon = WORDS[alert.state]
    return AlertRow(
        pk=alert.pk,
        subject=subject_of(alert),
        kind=alert.kind,
        state=StateWord(key=alert.state, word=str(word), family=family, icon=icon),
        message=alert.message,
        since=alert.since,
        told_at=alert.told_at,
        schedule_id=alert.schedule_id,
        run=str(alert.run.uuid) if alert.run else "",
    )


def subject_of(alert: Alert) -> str:
    """Return what an alert is about, in a word or a name."""
    if alert.schedule is not None:
        return alert.schedule.name
    if alert.kind == "queue":
        return str(_("Queue %(name)s") % {"name": alert.key.partition(":")[2]})
    return str(_("Beat"))


def message_rows(notifications: Iterable[Notification]) -> list[MessageRow]:
    """Return the lines of messages."""
    return [_message_row(notification) for notification in notifications]


def channel_rows(
    kinds: Mapping[str, str], messages: QuerySet[Notification], *, now: datetime
) -> list[ChannelRow]:
    """Return the lines of the channels in ``kinds``, name to type: whether the last message was taken, and since when; two queries."""
    lately = messages.filter(channel__in=list(kinds), created_at__gte=now - LOOKED_BACK)
    told = {
        row["channel"]: row
        for row in lately.order_by()
        .values("channel")
        .annotate(
            taken_at=Max("sent_at"),
            n_waiting=Count("pk", filter=Q(state="waiting")),
            last_error=Max("pk", filter=~Q(error__in=["", *NEEDLESS])),
            last_taken=Max("pk", filter=Q(state="sent")),
        )
    }
    failed = [
        row["last_error"] for row in told.values() if (row["last_error"] or 0) > (row["last_taken"] or 0)
    ]
    errors = dict(Notification.objects.filter(pk__in=failed).values_list("channel", "error"))
    return [
        _channel_row(name, kind, told.get(name, {}), error=errors.get(name, ""))
        for name, kind in kinds.items()
    ]


def _channel_row(name: str, kind: str, told: Mapping[str, Any], *, error: str) -> ChannelRow:
    key = "refusing" if error else "taking" if told.get("taken_at") else "unused"
    word, family, icon = CHANNELS[key]
    return ChannelRow(
        name=name,
        kind=str(KINDS.get(kind, kind)),
        state=StateWord(key=key, word=str(word), family=family, icon=icon),
        taken_at=told.get("taken_at"),
        n_waiting=told.get("n_waiting", 0),
        error=error,
    )


def silence_row(silence: Silence, *, now: datetime) -> SilenceRow:
    """Return the line of one window."""
    return SilenceRow(
        pk=silence.pk,
        subject=silence.schedule.name if silence.schedule else str(_("Everything")),
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        reason=silence.reason,
        actor=silence.actor,
        is_active=silence.starts_at <= now,
    )


def _message_row(notification: Notification) -> MessageRow:
    word, family, icon = OUTBOX[notification.state]
    alerts = notification.payload.get("alerts") or []
    subjects = [str(alert.get("subject", "")) for alert in alerts]
    if len(subjects) > 1:
        subject = str(_("%(first)s and %(n)d more")) % {"first": subjects[0], "n": len(subjects) - 1}
    else:
        subject = subjects[0] if subjects else str(notification.payload.get("schedule", ""))
    return MessageRow(
        event=str(EVENTS.get(notification.event, notification.event)),
        channel=notification.channel,
        subject=subject,
        state=StateWord(key=notification.state, word=str(word), family=family, icon=icon),
        created_at=notification.created_at,
        tries=notification.tries,
        error=notification.error,
    )
