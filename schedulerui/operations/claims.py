"""The beat's verbs: claim what is due, release what could not be sent, take over what others left behind.

ENGINE: a claim is one transaction. It advances each schedule by a conditional update on the time that was seen, and inserts one
row for every occurrence in between. Row locks (SKIP LOCKED where the database has it) only save wasted work; the conditional
update and the unique key of the run are what makes two beats safe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import Min

from schedulerui.conf import settings
from schedulerui.crash import crash_point
from schedulerui.facts import Overlap, Plan, PlannedRun, RunState, Trigger, progress
from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.operations import outcomes, quarantine
from schedulerui.operations import runs as run_verbs
from schedulerui.planning import plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one claim brought: the runs to publish in order of their due time, and how many schedules it advanced."""

    runs: tuple[Run, ...] = ()
    n_schedules: int = 0
    n_quarantined: int = 0
    oldest_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who claims, and until when the claimed runs are theirs."""

    owner: str
    until: datetime


@dataclass(slots=True)
class _Batch:
    lease: Lease
    now: datetime
    planned: list[tuple[Schedule, Plan]] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)


def next_wake(now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the earliest due time and the earliest end of a lease; each None when there is none. Two index probes.

    A row that cannot even be read counts as due at ``now``, so that the claim comes and quarantines it.
    """
    try:
        due = Schedule.objects.filter(next_run_at__isnull=False).order_by("next_run_at", "id")
        first = due.values_list("id", "next_run_at").first()
        # SQLite keeps any text in a column of times; Django reads None from what is none.
        due_at = None if first is None else first[1] or now
    except (ValueError, OverflowError, DataError):
        due_at = now
    leased = Run.objects.filter(state=RunState.PENDING).aggregate(until=Min("lease_until"))
    return due_at, leased["until"]


def claim_due(*, lease: Lease, now: datetime, limit: int, touch: Callable[[], object]) -> Claim:
    """Claim up to ``limit`` schedules that are due at ``now``.

    ``touch`` writes something of the caller's first: on SQLite that takes the write lock under the busy time-out, where a
    transaction that reads first would be refused at once. A batch that the database refuses is repeated row by row, so that
    one poison row costs one row. Raises django.db.DatabaseError only when the database cannot be used at all.
    """
    try:
        with transaction.atomic():
            crash_point("claim.begun")
            touch()
            crash_point("claim.touched")
            batch = _Batch(lease=lease, now=now)
            ids = _lock_due(now, limit=limit)
            for schedule in _load(ids, batch):
                _plan_into(batch, schedule)
            claimed = _apply(batch)
        crash_point("claim.committed")
    except (IntegrityError, DataError, _LostRace) as error:
        if isinstance(error, IntegrityError | DataError):
            logger.exception("a claim was refused; going row by row", extra={"action": "claim_refused"})
        return _claim_singly(lease=lease, now=now, limit=limit, touch=touch)
    quarantine.put_aside(batch.broken, now=now)
    if not ids:
        quarantine.respell_first(now)
    return Claim(
        runs=claimed,
        n_schedules=len(batch.planned),
        n_quarantined=len(batch.broken),
        oldest_due_at=min((run.due_at for run in claimed), default=None),
    )


class _LostRace(Exception):
    """Somebody else changed a row of this batch first."""


def _lock_due(now: datetime, *, limit: int) -> list[int]:
    due = Schedule.objects.due(now).values_list("id", flat=True)[:limit]
    features = connection.features
    if not features.has_select_for_update:
        return list(due)
    return list(due.select_for_update(skip_locked=features.has_select_for_update_skip_locked))


def _load(ids: list[int], batch: _Batch) -> list[Schedule]:
    """Return the schedules; if one of them cannot be read at all, all but that one."""
    try:
        return list(Schedule.objects.filter(pk__in=ids).order_by("next_run_at", "id"))
    except (ValueError, TypeError, OverflowError, RecursionError):
        logger.warning("a schedule cannot be read", extra={"action": "unreadable_schedule"})
    readable: list[Schedule] = []
    for pk in ids:
        try:
            readable.extend(Schedule.objects.filter(pk=pk))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            batch.broken.append((pk, f"This row cannot be read: {type(error).__name__}: {error}"))
    return readable


def _plan_into(batch: _Batch, schedule: Schedule) -> None:
    """Plan one schedule; whatever goes wrong with it is its own affair."""
    try:
        quarantine.refuse_unreadable(schedule)
        is_active = schedule.overlap == Overlap.SKIP and _is_active(schedule, now=batch.now)
        planned = plan(schedule.facts(), now=batch.now, is_active=is_active)
        run_verbs.snapshot_of(schedule, now=batch.now)
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
    batch.planned.append((schedule, planned))


def _is_active(schedule: Schedule, *, now: datetime) -> bool:
    queued_since = now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
    return Run.objects.filter(schedule=schedule).holding_back(queued_since=queued_since).exists()


def _apply(batch: _Batch) -> tuple[Run, ...]:
    """Advance all planned schedules and insert their rows; raises _LostRace when not every row was still as it was seen."""
    if not batch.planned:
        return ()
    if _advance(batch.planned) != len(batch.planned):
        raise _LostRace
    crash_point("claim.advanced")
    rows = [_run(schedule, planned, batch) for schedule, plan_ in batch.planned for planned in plan_.runs]
    _insert(rows)
    crash_point("claim.inserted")
    _note_last_runs(rows)
    outcomes.note_decisions(run for run in rows if run.state != RunState.PENDING)
    pending = [run for run in rows if run.state == RunState.PENDING]
    return tuple(sorted(pending, key=lambda run: (run.due_at, run.pk)))


def _advance(planned: list[tuple[Schedule, Plan]]) -> int:
    """Move each schedule on if its row is still as it was seen; returns how many were. One statement, many rows."""
    table = connection.ops.quote_name(Schedule._meta.db_table)  # noqa: SLF001 - Django's documented introspection
    moment = connection.ops.adapt_datetimefield_value
    statement = (
        f"UPDATE {table} SET next_nominal_at = %s, next_run_at = %s, runs_created = %s "  # noqa: S608 - our own table's name
        "WHERE id = %s AND next_run_at = %s AND version = %s"
    )
    rows = [
        (
            moment(plan_.next_nominal_at),
            moment(plan_.next_run_at),
            plan_.runs_created,
            schedule.pk,
            moment(schedule.next_run_at),
            schedule.version,
        )
        for schedule, plan_ in planned
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
        return int(cursor.rowcount)


def _run(schedule: Schedule, planned: PlannedRun, batch: _Batch) -> Run:
    is_pending = planned.state is RunState.PENDING
    return Run(
        key=planned.key,
        trigger=Trigger.SCHEDULE,
        nominal_at=planned.nominal_at,
        due_at=planned.due_at,
        covers_until=planned.covers_until,
        count=planned.count,
        task_id=planned.task_id,
        state=planned.state,
        progress=progress(planned.state),
        publishes=1 if is_pending else 0,
        owner=batch.lease.owner if is_pending else "",
        lease_until=batch.lease.until if is_pending else None,
        finished_at=None if is_pending else batch.now,
        reason=planned.reason,
        **run_verbs.snapshot_of(schedule, now=batch.now),
    )


def _insert(rows: list[Run]) -> None:
    """Insert the rows with their ids; MySQL does not return them, so they are read back by the unique key."""
    Run.objects.bulk_create(rows)
    if any(run.pk is None for run in rows):
        ids = dict(Run.objects.filter(key__in=[run.key for run in rows]).values_list("key", "pk"))
        for run in rows:
            run.pk = ids[run.key]


def _note_last_runs(rows: list[Run]) -> None:
    newest: dict[int, Run] = {}
    for run in rows:
        if run.schedule_id is not None and run.state != RunState.MISSED:
            newest[run.schedule_id] = run
    if not newest:
        return
    table = connection.ops.quote_name(ScheduleState._meta.db_table)  # noqa: SLF001 - Django's documented introspection
    statement = (
        f"UPDATE {table} SET last_run_id = %s, last_run_at = %s, last_state = %s WHERE schedule_id = %s"  # noqa: S608 - our own table's name
    )
    moment = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [(run.pk, moment(run.due_at), str(run.state), pk) for pk, run in sorted(newest.items())],
        )


def _claim_singly(*, lease: Lease, now: datetime, limit: int, touch: Callable[[], object]) -> Claim:
    """Claim row by row: a row that somebody else was first with is dropped, one that the database refuses is quarantined.

    An occurrence that has a row already was decided before, whatever the schedule's own row says: it is passed over.
    """
    claimed: list[Run] = []
    broken: list[tuple[int, str]] = []
    n_schedules = 0
    for pk in Schedule.objects.due(now).values_list("id", flat=True)[:limit]:
        batch = _Batch(lease=lease, now=now)
        try:
            with transaction.atomic():
                touch()
                for schedule in _load([pk], batch):
                    _plan_into(batch, schedule)
                _pass_over_known(batch)
                made = _apply(batch)
            claimed.extend(made)
            n_schedules += len(batch.planned)
        except _LostRace:
            quarantine.respell(pk)
            continue
        except (IntegrityError, DataError) as error:
            logger.exception("schedule %s was refused", pk, extra={"action": "quarantine", "schedule": pk})
            batch.broken.append((pk, f"The database refused its run: {error}"))
        broken.extend(batch.broken)
    quarantine.put_aside(broken, now=now)
    claimed.sort(key=lambda run: (run.due_at, run.pk))
    return Claim(runs=tuple(claimed), n_schedules=n_schedules, n_quarantined=len(broken))


def _pass_over_known(batch: _Batch) -> None:
    """Drop planned rows whose occurrence has a row: a clock that differs, or a restored backup, led back to it."""
    for position, (schedule, plan_) in enumerate(batch.planned):
        keys = [run.key for run in plan_.runs]
        known = set(Run.objects.filter(key__in=keys).values_list("key", flat=True))
        if known:
            logger.warning(
                "%d occurrences of schedule %s had a row",
                len(known),
                schedule.pk,
                extra={"action": "known_again"},
            )
            kept = tuple(run for run in plan_.runs if run.key not in known)
            batch.planned[position] = (schedule, replace(plan_, runs=kept))
