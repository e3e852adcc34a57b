"""Claim what is due.

A claim is one transaction. It advances each schedule by a conditional update on the time that was seen, and inserts one
row for every occurrence in between. Row locks (SKIP LOCKED where the database has it) only save wasted work; the conditional
update and the unique key of the run are what makes two beats safe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, DataError, IntegrityError

from schedulerui.clock import Clock
from schedulerui.conf import settings
from schedulerui.crash import crash_point
from schedulerui.facts import Overlap, PlannedRun, RunState, Trigger, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations import instances, known, quarantine, tokens
from schedulerui.operations import runs as run_verbs
from schedulerui.operations.store import DJANGO, Blocker, Lease, Planned, Store, Wake
from schedulerui.planning import plan

logger = logging.getLogger(__name__)

__all__ = ["Claim", "Lease", "claim_due", "next_wake"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one claim brought: the runs to publish in order of their due time, and how many schedules it advanced."""

    runs: tuple[Run, ...] = ()
    n_schedules: int = 0
    n_quarantined: int = 0
    oldest_due_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Batch:
    lease: Lease
    now: datetime
    store: Store = DJANGO
    planned: list[Planned] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)
    blockers: dict[int, list[Blocker]] = field(default_factory=dict)
    of_intervals: bool = False


def next_wake(clock: Clock, *, store: Store = DJANGO) -> Wake:
    """Return the moment, the earliest due time, the earliest end of a lease, and the earliest time of a run that waits.

    One statement. A row that cannot even be read counts as due now, so that the claim comes and quarantines it.
    """
    return store.look(clock)


def claim_due(
    *,
    lease: Lease,
    now: datetime,
    limit: int,
    touch: Callable[[], object],
    store: Store = DJANGO,
    of_intervals: bool = False,
) -> Claim:
    """Claim up to ``limit`` schedules that are due at ``now``.

    ``touch`` writes something of the caller's first: on SQLite that takes the write lock under the busy time-out, where a
    transaction that reads first would be refused at once. A batch that the database refuses is repeated row by row, so that
    one poison row costs one row. ``of_intervals``: of intervals alone, whose clock never goes back. Raises django.db.DatabaseError only when the database cannot be used at all.
    """
    batch = _Batch(lease=lease, now=now, store=store, of_intervals=of_intervals)
    try:
        with store.transaction():
            crash_point("claim.begun")
            touch()
            crash_point("claim.touched")
            schedules = _take(batch, limit=limit)
            _plan_all(batch, schedules)
            claimed = _apply(batch)
        crash_point("claim.committed")
    except (IntegrityError, DataError, _LostRace) as error:
        if isinstance(error, IntegrityError | DataError):
            logger.exception("a claim was refused; going row by row", extra={"action": "claim_refused"})
        return _claim_singly(batch, limit=limit, touch=touch)
    store.put_aside(batch.broken, now=now)
    if not schedules and not batch.broken:
        store.respell(None, now=now)
    return Claim(
        runs=claimed,
        n_schedules=len(batch.planned),
        n_quarantined=len(batch.broken),
        oldest_due_at=min((run.due_at for run in claimed), default=None),
    )


class _LostRace(Exception):
    """Somebody else changed a row of this batch first."""


UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)


def _take(batch: _Batch, *, limit: int) -> list[Schedule]:
    """Hold what is due and return it; if one of them cannot be read at all, all but that one."""
    store = batch.store
    try:
        return store.take_due(batch.now, limit=limit, of_intervals=batch.of_intervals)
    except UNREADABLE:
        logger.warning("a schedule cannot be read", extra={"action": "unreadable_schedule"})
    ids = store.lock_due(batch.now, limit=limit, of_intervals=batch.of_intervals)
    return [schedule for pk in ids for schedule in _load(pk, batch)]


def _load(pk: int, batch: _Batch) -> list[Schedule]:
    """Return the schedule, or nothing and a note of what is wrong with it."""
    try:
        return batch.store.load([pk])
    except UNREADABLE as error:
        batch.broken.append((pk, f"This row cannot be read: {type(error).__name__}: {error}"))
        return []


def _plan_all(batch: _Batch, schedules: Sequence[Schedule]) -> None:
    exclusive = [schedule.pk for schedule in schedules if schedule.overlap != Overlap.ALLOW]
    if exclusive:
        queued_since = batch.now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
        batch.store.hold(exclusive)
        active = batch.store.active(exclusive, queued_since=queued_since)
        batch.blockers = {pk: _still_there(found, batch) for pk, found in active.items()}
    for schedule in schedules:
        _plan_into(batch, schedule, batch.blockers.get(schedule.pk, []))


def _still_there(blockers: list[Blocker], batch: _Batch) -> list[Blocker]:
    """Leave out what will not begin any more. The clock of intervals may be ahead of the one by which that was asked for."""
    if batch.of_intervals:
        return blockers
    return [blocker for blocker in blockers if not blocker.is_let_go(batch.now)]


def _plan_into(batch: _Batch, schedule: Schedule, blockers: Sequence[Blocker]) -> None:
    """Plan one schedule; whatever goes wrong with it is its own affair."""
    try:
        quarantine.refuse_unreadable(schedule)
        n_waiting = sum(blocker.state == RunState.WAITING for blocker in blockers)
        planned = plan(schedule.facts(), now=batch.now, is_active=bool(blockers), n_waiting=n_waiting)
        snapshot = run_verbs.snapshot_of(schedule, now=batch.now)
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception(
            "schedule %s cannot be planned",
            schedule.pk,
            extra={"action": "quarantine", "schedule": schedule.pk},
        )
        batch.broken.append((schedule.pk, f"{type(error).__name__}: {error}"))
        return
    batch.planned.append(Planned(schedule=schedule, plan=planned, snapshot=snapshot))


def _apply(batch: _Batch) -> tuple[Run, ...]:
    """Advance all planned schedules and insert their rows; raises _LostRace when not every row was still as it was seen."""
    if not batch.planned:
        return ()
    if batch.store.advance(batch.planned) != len(batch.planned):
        raise _LostRace
    crash_point("claim.advanced")
    rows = [_run(each, planned, batch) for each in batch.planned for planned in each.plan.runs]
    if rows:
        batch.store.insert(rows)
    crash_point("claim.inserted")
    newest = {
        each.schedule.pk: each for each in batch.planned if each.schedule.overlap == Overlap.CANCEL_PREVIOUS
    }
    kept = {
        run.schedule_id: run.key
        for run in rows
        if run.state == RunState.WAITING and run.schedule_id in newest
    }
    if kept:
        batch.store.supersede({int(pk or 0): key for pk, key in kept.items()}, now=batch.now)
    batch.store.note_runs(rows)
    pending = [run for run in rows if run.state == RunState.PENDING]
    return tuple(sorted(pending, key=lambda run: (run.due_at, run.pk)))


def _run(each: Planned, planned: PlannedRun, batch: _Batch) -> Run:
    is_pending = planned.state is RunState.PENDING
    is_to_run = is_pending or planned.state is RunState.WAITING
    blockers = batch.blockers.get(each.schedule.pk, []) if planned.is_blocked else []
    run = instances.new(
        Run,
        {
            "key": planned.key,
            "trigger": Trigger.SCHEDULE,
            "nominal_at": planned.nominal_at,
            "previous_nominal_at": planned.previous_nominal_at,
            "due_at": planned.due_at,
            "covers_until": planned.covers_until,
            "count": planned.count,
            "task_id": planned.task_id,
            "state": planned.state,
            "progress": progress(planned.state),
            "publishes": 1 if is_pending else 0,
            "owner": batch.lease.owner if is_pending else "",
            "lease_until": batch.lease.until if is_pending else None,
            "finished_at": None if is_to_run else batch.now,
            "blocked_by_id": blockers[0].run_id if blockers else None,
            "reason": planned.reason,
            **each.snapshot,
        },
    )
    if is_to_run:
        tokens.fill(run)
    return run


def _claim_singly(refused: _Batch, *, limit: int, touch: Callable[[], object]) -> Claim:
    """Claim row by row: a row that somebody else was first with is dropped, one that the database refuses is quarantined.

    An occurrence that has a row already was decided before, whatever the schedule's own row says: it is passed over.
    """
    lease, now, store = refused.lease, refused.now, refused.store
    claimed: list[Run] = []
    broken: list[tuple[int, str]] = []
    n_schedules = 0
    for pk in store.due_ids(now, limit=limit, of_intervals=refused.of_intervals):
        batch = _Batch(lease=lease, now=now, store=store, of_intervals=refused.of_intervals)
        try:
            with store.transaction():
                touch()
                _plan_all(batch, _load(pk, batch))
                batch.planned = [known.pass_over(each, store=store) for each in batch.planned]
                made = _apply(batch)
            claimed.extend(made)
            n_schedules += len(batch.planned)
        except _LostRace:
            store.respell(pk, now=now)
            continue
        except (IntegrityError, DataError) as error:
            logger.exception("schedule %s was refused", pk, extra={"action": "quarantine", "schedule": pk})
            batch.broken.append((pk, f"The database refused its run: {error}"))
        broken.extend(batch.broken)
    store.put_aside(broken, now=now)
    claimed.sort(key=lambda run: (run.due_at, run.pk))
    return Claim(runs=tuple(claimed), n_schedules=n_schedules, n_quarantined=len(broken))
