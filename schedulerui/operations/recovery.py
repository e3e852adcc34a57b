"""What becomes of runs that were claimed and not sent: given back, taken over, or given up with the reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Value
from django.db.models.functions import Greatest

from schedulerui.crash import crash_point
from schedulerui.facts import Delivery, RunState, Trigger
from schedulerui.models import Run
from schedulerui.operations import runs as run_verbs
from schedulerui.operations.claims import Claim, Lease


def recover(*, lease: Lease, now: datetime, limit: int, manual_within: timedelta) -> Claim:
    """Take over runs whose lease has ended: same row, same task id, one more publish.

    Runs that must go at most once, and manual ones that have waited too long, become ``unsent``, with the reason.
    """
    taken: list[Run] = []
    for run in Run.objects.abandoned(now)[:limit]:
        reason = _reason_to_give_up(run, now=now, manual_within=manual_within)
        if reason:
            run_verbs.mark_unsent(run, reason=reason, now=now)
            continue
        crash_point("recover.found")
        won = Run.objects.filter(pk=run.pk, state=RunState.PENDING, lease_until=run.lease_until).update(
            owner=lease.owner, lease_until=lease.until, publishes=F("publishes") + 1
        )
        crash_point("recover.taken")
        if won:
            run.owner, run.lease_until, run.publishes = lease.owner, lease.until, run.publishes + 1
            taken.append(run)
    return Claim(runs=tuple(sorted(taken, key=lambda run: (run.due_at, run.pk))))


def release(runs: list[Run], *, owner: str, now: datetime, reason: str, is_tried: bool) -> int:
    """Give back claimed runs that were not sent, so that any beat may take them at once.

    ``is_tried``: the broker was asked to take them, and nobody knows whether it did. One that was never tried may be sent
    later even if it must go at most once.
    """
    mine = Run.objects.filter(pk__in=[run.pk for run in runs], state=RunState.PENDING, owner=owner)
    if is_tried:
        return mine.update(lease_until=now, reason=reason[:500])
    return mine.update(lease_until=now, reason=reason[:500], publishes=Greatest(F("publishes") - 1, Value(0)))


def _reason_to_give_up(run: Run, *, now: datetime, manual_within: timedelta) -> str:
    if run.trigger == Trigger.MANUAL and now - run.created_at > manual_within:
        seconds = int(manual_within.total_seconds())
        return f"the broker could not be reached within {seconds} s of the click; {run.reason}".rstrip("; ")
    if run.delivery_mode == Delivery.AT_MOST_ONCE and run.publishes:
        return "it was claimed and nobody knows whether it was sent; at most once means not again"
    return ""
