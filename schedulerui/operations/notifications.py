"""The outbox of alerts: claimed by whichever monitor is first, tried again a few times, never sent twice on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import F

from schedulerui.facts import RunState
from schedulerui.models import Notification, Run, Schedule

LEASE = timedelta(seconds=60)
"""For how long a claimed message belongs to the monitor that claimed it."""
WAITS = (30, 120, 600, 3600)
"""Seconds to wait after each failed try; after the last one the message is given up, and the page says why."""
KEPT_FOR = timedelta(days=30)
PINGED_RUNS = 50
"""Newest runs of a schedule that are looked at for pings: more than one round of a monitor can miss."""
PINGS: Mapping[RunState, str] = {
    RunState.STARTED: "start",
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "fail",
    RunState.LOST: "fail",
    RunState.REJECTED: "fail",
    RunState.UNSENT: "fail",
}


def claim(*, now: datetime, limit: int = 5) -> list[Notification]:
    """Take messages that are due; each belongs to the caller for ``LEASE``, and its try is counted."""
    waiting = Notification.objects.filter(state="waiting", next_try_at__lte=now).order_by("next_try_at", "id")
    taken = []
    for notification in waiting[:limit]:
        mine = Notification.objects.filter(
            pk=notification.pk, state="waiting", next_try_at=notification.next_try_at
        )
        if mine.update(next_try_at=now + LEASE, tries=F("tries") + 1):
            notification.tries += 1
            taken.append(notification)
    return taken


def delivered(notification: Notification, *, now: datetime) -> None:
    """Note that the channel has taken the message."""
    Notification.objects.filter(pk=notification.pk).update(state="sent", sent_at=now, error="")


def refused(notification: Notification, *, error: str, now: datetime) -> None:
    """Note why the channel did not take the message, and when to try again, if at all."""
    mine = Notification.objects.filter(pk=notification.pk, state="waiting")
    text = error.replace("\x00", "")[:500]
    if notification.tries > len(WAITS):
        mine.update(state="failed", error=text)
        return
    wait = timedelta(seconds=WAITS[max(notification.tries, 1) - 1])
    mine.update(next_try_at=now + wait, error=text)


def note_pings(urls: Mapping[str, str], *, now: datetime) -> int:
    """Put a ping into the outbox for each start and end of the named schedules' runs; return how many are new.

    Found from the rows and not told by workers: no task waits for somebody else's server, and whichever monitor looks first
    writes the one row for it.
    """
    fresh: list[Notification] = []
    for pk, name in Schedule.objects.filter(name__in=list(urls)).values_list("pk", "name"):
        rows = Run.objects.filter(schedule=pk, due_at__gt=now - timedelta(days=1)).newest_first()
        for uuid, state in rows.values_list("uuid", "state")[:PINGED_RUNS]:
            event = PINGS.get(RunState(state))
            if event:
                fresh.append(_ping(f"p:{uuid}:{event}", event=event, schedule=name, now=now))
    known = set(
        Notification.objects.filter(key__in=[ping.key for ping in fresh]).values_list("key", flat=True)
    )
    new = [ping for ping in reversed(fresh) if ping.key not in known]
    Notification.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def purge(*, now: datetime) -> int:
    """Delete messages older than ``KEPT_FOR`` that are sent or given up; return how many."""
    old = Notification.objects.exclude(state="waiting").filter(created_at__lt=now - KEPT_FOR)
    deleted, _ = old.delete()
    return deleted


def _ping(key: str, *, event: str, schedule: str, now: datetime) -> Notification:
    return Notification(
        key=key,
        channel="ping",
        event=event,
        payload={"schedule": schedule},
        next_try_at=now,
        created_at=now,
    )
