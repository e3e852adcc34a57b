"""What becomes of runs that were claimed and not sent: given back, taken over, or given up with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from schedulerui.facts import Delivery, Overlap, RunState, Trigger
from schedulerui.models import Run
from schedulerui.operations.claims import Claim
from schedulerui.operations.store import DJANGO, Blocker, Lease, Store

PAGES_MAX = 20
"""Most pages of waiting runs that one look reads when all on the pages before are held."""


def recover(
    *, lease: Lease, now: datetime, limit: int, manual_within: timedelta, store: Store = DJANGO
) -> Claim:
    """Take over runs whose lease has ended: same row, same task id, one more publish.

    Runs that must go at most once, and manual ones that have waited too long, become ``unsent``, with the reason. One that was
    to be given up meanwhile is called off: no message of it may leave when workers have forgotten that wish.
    """
    wanted: list[Run] = []
    for run in store.abandoned(now, limit=limit):
        reason = _reason_to_give_up(run, now=now, manual_within=manual_within)
        if run.cancel_requested_at is not None:
            store.call_off(run, now=now)
        elif reason:
            store.mark_unsent(run, reason=reason, now=now, is_in_doubt=run.publishes > 0)
        else:
            wanted.append(run)
    taken = store.take_over(wanted, lease=lease)
    return Claim(runs=tuple(sorted(taken, key=lambda run: (run.due_at, run.pk))))


def promote(
    *, lease: Lease, now: datetime, limit: int, queued_since: datetime, store: Store = DJANGO
) -> Claim:
    """Let waiting runs go whose schedule has nothing alive any more, or whose time to try again has come.

    Of one schedule the oldest only. Whether something is active is asked again while the schedule is held, so that two beats
    that saw different runs wait, or a claim or a click at the same moment, never let two of them go at once.
    """
    free: list[Run] = []
    seen: set[int] = set()
    after: Run | None = None
    for _page in range(PAGES_MAX):  # more of them may be held than one page takes
        page = store.waiting(now, limit=limit, after=after)
        oldest: dict[int, Run] = {}
        for run in page:
            oldest.setdefault(run.schedule_id or -run.pk, run)
        first = [run for schedule, run in oldest.items() if schedule not in seen]
        free = _free(first, store=store, now=now, queued_since=queued_since)
        if free or len(page) < limit:
            break
        seen, after = seen | set(oldest), page[-1]
    if not free:
        return Claim()
    with store.transaction():
        store.hold(_exclusive(free))
        free = _free(free, store=store, now=now, queued_since=queued_since)
        taken = store.promote(free, lease=lease, now=now)
    return Claim(runs=tuple(sorted(taken, key=lambda run: (run.due_at, run.pk))))


def _free(runs: Sequence[Run], *, store: Store, now: datetime, queued_since: datetime) -> list[Run]:
    blockers = store.active(_exclusive(runs), queued_since=queued_since)
    return [run for run in runs if not _is_held(blockers.get(run.schedule_id or 0, []), now=now)]


def _exclusive(runs: Sequence[Run]) -> list[int]:
    """Return the schedules of these runs that let no two of them go at once."""
    schedules = (run.schedule for run in runs)
    return sorted(each.pk for each in schedules if each is not None and each.overlap != Overlap.ALLOW)


def release(
    runs: Sequence[Run],
    *,
    owner: str,
    now: datetime,
    reason: str,
    is_tried: bool,
    store: Store = DJANGO,
) -> int:
    """Give back claimed runs that were not sent, so that any beat may take them at once.

    ``is_tried``: the broker was asked to take them, and nobody knows whether it did. One that was never tried may be sent
    later even if it must go at most once.
    """
    return store.give_back(runs, owner=owner, now=now, reason=reason[:500], is_tried=is_tried)


def _is_held(blockers: Sequence[Blocker], *, now: datetime) -> bool:
    """Tell whether something may still be alive; what only waits, the run itself among it, is not."""
    return any(blocker.state != RunState.WAITING and not blocker.is_let_go(now) for blocker in blockers)


def _reason_to_give_up(run: Run, *, now: datetime, manual_within: timedelta) -> str:
    # A click that waited for others is as old as its being let go: until then nobody was to send it.
    if run.trigger == Trigger.MANUAL and now - (run.promoted_at or run.created_at) > manual_within:
        seconds = int(manual_within.total_seconds())
        since = "its turn" if run.promoted_at else "the click"
        return f"the broker could not be reached within {seconds} s of {since}; {run.reason}".rstrip("; ")
    if run.delivery_mode == Delivery.AT_MOST_ONCE and run.publishes:
        return "it was claimed and nobody knows whether it was sent; at most once means not again"
    return ""
