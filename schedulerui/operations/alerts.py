"""Alerts: what flips, who is told, and when again.

After Healthchecks (docs of healthchecks.io, "Reliability"): a flip is one conditional update, so that whoever notices first
writes it and the others find nothing to do; what is to be told is written with the fact that it was told, in one transaction,
and sent from that outbox afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.models import Alert, Notification, Schedule, Silence
from schedulerui.operations.troubles import Findings, Trouble, subjects

TELL_AT_ONCE = 500
"""Most alerts told of in one round."""
OWN = ("key", "kind", "state", "message", "since", "version", "told_state", "remind_at")
"""The alert's own columns that are read."""
GROUPED_OVER = 10
"""So many alerts in one round become one message instead of one each."""


def observe(findings: Findings, *, kind: str, now: datetime) -> int:
    """Bring the alerts of one kind in line with what was found; return how many flipped.

    Three monitors that find the same flip it once. Without complete findings nothing is called recovered.
    """
    in_question = Alert.objects.filter(_in_question(findings, kind=kind)).select_related("schedule__state")
    # No other columns of the schedule: one of them that cannot be read must not cost everybody's alerts.
    narrow = in_question.only(*OWN, "schedule__enabled", "schedule__state__last_state")
    known = {alert.key: alert for alert in narrow}
    flipped = sum(_flip(trouble, known.get(trouble.key), now=now) for trouble in findings.troubles)
    if findings.is_complete:
        well = [
            alert
            for key, alert in known.items()
            if alert.state != "ok" and key not in subjects(findings.troubles)
        ]
        flipped += sum(_recover(alert, now=now) for alert in well)
    return flipped


def tell(*, channels: Sequence[str], now: datetime) -> int:
    """Put what people do not know yet into the outbox, once for each channel; return how many alerts that were.

    What flipped and flipped back before anybody was told is not told. What is silenced is told when the silence has ended.
    """
    untold = _audible(Alert.objects.exclude(told_state=F("state")), now)
    ours: list[Alert] = []
    with transaction.atomic():
        for alert in untold.order_by("since")[:TELL_AT_ONCE]:
            seen = {"pk": alert.pk, "version": alert.version, "told_state": alert.told_state}
            if Alert.objects.filter(**seen).update(
                told_state=alert.state,
                told_at=now if channels else None,
                remind_at=_next_reminder(alert, now),
            ):
                ours.append(alert)
        _enqueue(ours, channels=channels, now=now)
    return len(ours)


def remind(*, channels: Sequence[str], now: datetime) -> int:
    """Put what is still wrong a day after it was told into the outbox again; return how many alerts that were."""
    due = _audible(Alert.objects.filter(remind_at__lte=now).exclude(state="ok"), now)
    with transaction.atomic():
        ours = [
            alert
            for alert in due.order_by("remind_at")[:TELL_AT_ONCE]
            if Alert.objects.filter(pk=alert.pk, remind_at=alert.remind_at).update(
                remind_at=_next_reminder(alert, now)
            )
        ]
        _enqueue(ours, channels=channels, now=now, event="reminder")
    return len(ours)


def event_of(alert: Alert) -> str:
    """Return what a message calls the alert's present state."""
    return "recovered" if alert.state == "ok" else alert.state


def _in_question(findings: Findings, *, kind: str) -> Q:
    return Q(kind=kind) & (~Q(state="ok") | Q(key__in=subjects(findings.troubles)))


def _flip(trouble: Trouble, alert: Alert | None, *, now: datetime) -> bool:
    values = {"message": trouble.message, "run_id": trouble.run_id}
    if alert is None:
        try:
            with transaction.atomic():
                Alert.objects.create(
                    key=trouble.key,
                    kind=trouble.kind,
                    schedule_id=trouble.schedule_id,
                    state=trouble.state,
                    since=now,
                    **values,
                )
        except IntegrityError:  # another monitor was first, or the schedule was deleted meanwhile
            return False
        return True
    mine = Alert.objects.filter(pk=alert.pk, version=alert.version)
    if alert.state == trouble.state:
        if alert.message != trouble.message:
            mine.update(**values)
        return False
    return bool(mine.update(state=trouble.state, since=now, version=F("version") + 1, **values))


def _recover(alert: Alert, *, now: datetime) -> bool:
    mine = Alert.objects.filter(pk=alert.pk, version=alert.version)
    # Somebody who switches off what fails knows of it, and that is no recovery.
    untold = {"told_state": "ok", "remind_at": None} if _is_switched_off(alert.schedule) else {}
    return bool(mine.update(state="ok", since=now, version=F("version") + 1, **untold))


def _is_switched_off(schedule: Schedule | None) -> bool:
    if schedule is None or schedule.enabled:
        return False
    state = getattr(schedule, "state", None)
    return state is None or state.last_state != RunState.SUCCEEDED


def _next_reminder(alert: Alert, now: datetime) -> datetime | None:
    return None if alert.state == "ok" else now + timedelta(seconds=settings().ALERT_REMIND_EVERY)


def _audible(alerts: QuerySet[Alert], now: datetime) -> QuerySet[Alert]:
    """Return the alerts that no silence covers now, with what a message tells of them."""
    active = Silence.objects.filter(starts_at__lte=now, ends_at__gt=now)
    silenced = set(active.values_list("schedule_id", flat=True))
    if None in silenced:
        return alerts.none()
    audible = alerts.exclude(schedule_id__in=silenced).select_related("schedule", "run")
    return audible.only(*OWN, "schedule__name", "run__uuid")


def _enqueue(alerts: list[Alert], *, channels: Sequence[str], now: datetime, event: str = "") -> None:
    if not alerts or not channels:
        return
    groups = [alerts] if len(alerts) > GROUPED_OVER else [[alert] for alert in alerts]
    Notification.objects.bulk_create(
        [
            Notification(
                key=_key(group, channel=channel, event=event),
                alert=group[0] if len(group) == 1 else None,
                channel=channel,
                event=event or (event_of(group[0]) if len(group) == 1 else "several"),
                payload={"alerts": [described(alert) for alert in group]},
                next_try_at=now,
                created_at=now,
            )
            for group in groups
            for channel in channels
        ],
        ignore_conflicts=True,
    )


def _key(group: Iterable[Alert], *, channel: str, event: str) -> str:
    names = [f"{alert.pk}:{alert.version}:{alert.remind_at if event else ''}" for alert in group]
    digest = hashlib.blake2s("|".join(names).encode(), digest_size=12).hexdigest()
    return f"{digest}:{event}:{channel}"[:250]


def described(alert: Alert) -> dict[str, object]:
    """Return what a message may say of an alert: no arguments, no results, no tracebacks."""
    return {
        "key": alert.key,
        "kind": alert.kind,
        "event": event_of(alert),
        "subject": alert.schedule.name if alert.schedule else alert.key.partition(":")[2] or alert.key,
        "schedule": alert.schedule_id,
        "run": str(alert.run.uuid) if alert.run else None,
        "message": alert.message,
        "since": alert.since.isoformat(),
    }
