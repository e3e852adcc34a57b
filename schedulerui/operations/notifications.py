"""The outbox of alerts: claimed by whichever monitor is first, tried again a few times, never sent twice on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from schedulerui.error_text import storable
from schedulerui.facts import Actor, RunState
from schedulerui.models import Notification, Run, Schedule
from schedulerui.operations import audit
from schedulerui.operations.masking import masked

LEASE = timedelta(seconds=60)
"""For how long a claimed message belongs to the monitor that claimed it."""
WAITS = (30, 120, 600, 3600)
"""Seconds to wait after each failed try; after the last one the message is given up, and the page says why."""
KEPT_FOR = timedelta(days=30)
PINGS_KEPT_FOR = timedelta(days=2)
"""There are two for each run; longer than ``PINGED_WITHIN``, or a run would be pinged again."""
PINGED_WITHIN = timedelta(days=1)
BATCH = 1_000
"""Messages deleted in one statement."""
OVERTAKEN = "A newer message about it was faster."
GONE = "The settings no longer name this channel."
NEEDLESS = (OVERTAKEN, GONE)
"""Why a message is given up that nobody misses."""
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


def is_overtaken(notification: Notification) -> bool:
    """Return whether its channel has taken a newer message about the same: sent now, it would tell what is over as if it were new."""
    newer = Notification.objects.filter(channel=notification.channel, state="sent", pk__gt=notification.pk)
    if notification.channel == "ping":
        return newer.filter(payload__schedule=notification.payload.get("schedule")).exists()
    return notification.alert_id is not None and newer.filter(alert=notification.alert_id).exists()


def give_up(notification: Notification, *, error: str) -> None:
    """Note why the message is not sent at all."""
    mine = Notification.objects.filter(pk=notification.pk, state="waiting")
    mine.update(state="failed", error=error[:500])


def refused(notification: Notification, *, error: str, now: datetime) -> None:
    """Note why the channel did not take the message, and when to try again, if at all."""
    text = masked(storable(error))[:500]  # a receiver of the host's own may say anything
    if notification.tries > len(WAITS):
        give_up(notification, error=text)
        return
    mine = Notification.objects.filter(pk=notification.pk, state="waiting")
    wait = timedelta(seconds=WAITS[max(notification.tries, 1) - 1])
    mine.update(next_try_at=now + wait, error=text)


def note_pings(urls: Mapping[str, str], *, now: datetime) -> int:
    """Put a ping into the outbox for each start and end of the named schedules' runs; return how many are new.

    Found from the rows and not told by workers: no task waits for somebody else's server, and whichever monitor looks first
    writes the one row for it.
    """
    fresh: list[Notification] = []
    for pk, name in Schedule.objects.filter(name__in=list(urls)).values_list("pk", "name"):
        rows = Run.objects.filter(schedule=pk, due_at__gt=now - PINGED_WITHIN).newest_first()
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


def try_channels(channels: Sequence[str], *, actor: Actor, now: datetime) -> int:
    """Put a message that says that it is a test into the outbox, one for each channel; audited. Returns how many."""
    alert = {
        "key": "test", "kind": "test", "event": "test", "subject": "A message to try the channel", "schedule": None, "run": None,
        "message": f"{actor.name} sent it. Nothing is wrong.", "since": now.isoformat(),
    }  # fmt: skip
    messages = [
        Notification(
            key=f"test:{now.isoformat()}:{channel}"[:250],
            channel=channel,
            event="test",
            payload={"alerts": [alert]},
            next_try_at=now,
            created_at=now,
        )
        for channel in channels
    ]
    with transaction.atomic():
        Notification.objects.bulk_create(messages, ignore_conflicts=True)
        audit.write("try_channels", actor=actor, now=now, note=", ".join(channels))
    return len(messages)


def purge(*, now: datetime) -> int:
    """Delete old messages that are sent or given up, pings earlier than others; return how many."""
    done = Notification.objects.exclude(state="waiting")
    old_pings = done.filter(channel="ping", created_at__lt=now - PINGS_KEPT_FOR)
    return _delete(done.filter(created_at__lt=now - KEPT_FOR)) + _delete(old_pings)


def _delete(rows: QuerySet[Notification]) -> int:
    n_gone = 0
    while ids := list(rows.order_by("created_at").values_list("pk", flat=True)[:BATCH]):
        n_gone += rows.filter(pk__in=ids).delete()[0]
    return n_gone


def _ping(key: str, *, event: str, schedule: str, now: datetime) -> Notification:
    return Notification(
        key=key,
        channel="ping",
        event=event,
        payload={"schedule": schedule},
        next_try_at=now,
        created_at=now,
    )
