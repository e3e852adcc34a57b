"""Alerts, messages and silences as the page about them shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedulerui.models import Alert, Notification, Silence
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
    "start": _("Ping: started"),
    "success": _("Ping: succeeded"),
    "fail": _("Ping: failed"),
}
OUTBOX: Mapping[str, tuple[Any, str, str]] = {
    "waiting": (_("Waiting"), "run", "clock"),
    "sent": (_("Sent"), "ok", "check"),
    "failed": (_("Not taken"), "fail", "cross"),
}


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
