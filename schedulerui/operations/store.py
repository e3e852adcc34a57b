"""How Django's tables answer the protocol of dispatch: the store of every process but a simulated one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from operator import itemgetter

from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet, Value
from django.db.models.functions import Greatest, Least

from schedulerui.clock import Clock
from schedulerui.crash import crash_point
from schedulerui.facts import DECIDED, RunState, Trigger, progress
from schedulerui.models import Beat, Run, Schedule, ScheduleState
from schedulerui.operations import (
    beats,
    bulk_sql,
    cancellations,
    instances,
    outcomes,
    parts,
    probes,
    quarantine,
)
from schedulerui.operations import runs as run_verbs
from schedulerui.operations.store_port import Blocker, Lease, Planned, Store, Wake

__all__ = ["DJANGO", "Blocker", "DjangoStore", "Lease", "Planned", "Store", "Wake"]

NOT_FOR_PLANS = frozenset(
    {
        "description", "enabled", "tags", "owner", "auto_pause_after", "cancel_grace", "retry_max", "retry_after",
        "max_duration", "alert_grace", "source", "source_key", "created_at", "updated_at", "error",
        "paused_at", "paused_by", "pause_reason", "resume_at",
    }
)  # fmt: skip
"""What a claim does not ask of a schedule."""
PUBLISHES_MAX = 32_000
"""A run that is tried for weeks is counted no further: its column would be too small, and the beat that counts on would stop."""


class DjangoStore:
    """Django's tables, on the connection of this thread; holds nothing itself."""

    def transaction(self) -> AbstractContextManager[object]:
        """Begin a transaction."""
        return transaction.atomic()

    def look(self, clock: Clock) -> Wake:
        """Ask in one statement."""
        return probes.look(clock)

    def first_interval_due(self) -> datetime | None:
        """Scan the due index up to the first interval; asked only while the clock stands behind what it was."""
        due = Schedule.objects.filter(next_run_at__isnull=False, kind="interval").order_by(
            "next_run_at", "id"
        )
        return due.values_list("next_run_at", flat=True).first()

    def take_due(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[Schedule]:
        """Lock and read what is due in one statement, with SKIP LOCKED where the database has it."""
        return probes.take_due(now, limit=limit, of_intervals=of_intervals, left_out=NOT_FOR_PLANS)

    def lock_due(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[int]:
        """Lock as ``take_due`` does."""
        due = _due(now, of_intervals=of_intervals).values_list("id", flat=True)[:limit]
        features = connection.features
        if not features.has_select_for_update:
            return list(due)
        return list(due.select_for_update(skip_locked=features.has_select_for_update_skip_locked))

    def due_ids(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[int]:
        """Read what is due."""
        return list(_due(now, of_intervals=of_intervals).values_list("id", flat=True)[:limit])

    def load(self, ids: Sequence[int]) -> list[Schedule]:
        """Read these rows in one statement."""
        return instances.load(Schedule, ids, order_by=("next_run_at", "id"), left_out=NOT_FOR_PLANS)

    def hold(self, ids: Collection[int]) -> None:
        """Write to them what they hold, in the order of their ids: on every database that is a lock."""
        rows = Schedule.objects.filter(pk__in=ids)
        if connection.features.has_select_for_update:
            list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
        else:
            rows.update(version=F("version"))

    def active(self, ids: Collection[int], *, queued_since: datetime) -> dict[int, list[Blocker]]:
        """Ask for all of them in one statement."""
        found: dict[int, list[Blocker]] = {}
        if not ids:
            return found
        holding = Run.objects.filter(schedule__in=ids).in_the_way(queued_since=queued_since)
        columns = ("pk", "schedule_id", "state", "cancel_requested_at", "schedule__cancel_grace")
        # Sorted here: to be given them in order, SQLite would walk through all runs.
        for pk, schedule_id, state, asked_at, grace in sorted(
            holding.values_list(*columns), key=itemgetter(0)
        ):
            blocker = Blocker(run_id=pk, state=state, cancel_requested_at=asked_at, cancel_grace=grace or 0)
            found.setdefault(int(schedule_id or 0), []).append(blocker)
        return found

    def supersede(self, kept: Mapping[int, str], *, now: datetime) -> None:
        """Write it in two statements; workers hear of it by the monitor and by their own heartbeats."""
        cancellations.supersede(kept, now=now)

    def waiting(self, now: datetime, *, limit: int, after: Run | None = None) -> list[Run]:
        """Read from the index of states. Only a try has a time of its own; an interval's may lie ahead of the wall's clock."""
        waiting = Run.objects.filter(state=RunState.WAITING).select_related("schedule")
        due = waiting.filter(~Q(trigger=Trigger.RETRY) | Q(due_at__lte=now))
        if after is not None:
            due = due.filter(Q(due_at__gt=after.due_at) | Q(due_at=after.due_at, pk__gt=after.pk))
        return list(due.order_by("due_at", "pk")[:limit])

    def promote(self, runs: Sequence[Run], *, lease: Lease, now: datetime) -> list[Run]:
        """Update each conditionally, and note them beside their schedules in one statement; all in one transaction."""
        taken: list[Run] = []
        values = {
            "state": str(RunState.PENDING),
            "progress": progress(RunState.PENDING),
            "owner": lease.owner,
            "lease_until": lease.until,
            "publishes": 1,
            "promoted_at": now,
            "reason": "",
        }
        with transaction.atomic():
            taken.extend(
                run for run in runs if Run.objects.filter(pk=run.pk, state=RunState.WAITING).update(**values)
            )
            for run in taken:
                for name, value in values.items():
                    setattr(run, name, value)
            _note_last_runs(taken)
        return taken

    def advance(self, planned: Sequence[Planned]) -> int:
        """Update conditionally: one statement, many rows."""
        rows = [
            (
                each.plan.next_nominal_at,
                each.plan.next_run_at,
                each.plan.previous_nominal_at,
                each.plan.runs_created,
                each.schedule.pk,
                each.schedule.next_run_at,
                each.schedule.version,
            )
            for each in planned
        ]
        changes = ("next_nominal_at", "next_run_at", "previous_nominal_at", "runs_created")
        return bulk_sql.update(Schedule, rows, changes=changes, where=("id", "next_run_at", "version"))

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Probe the unique key."""
        return set(Run.objects.filter(key__in=keys).values_list("key", flat=True))

    def insert(self, rows: list[Run]) -> None:
        """Insert them in one statement; MySQL does not return the ids, so they are read back by the unique key."""
        bulk_sql.insert(rows, unique="key")

    def note_runs(self, rows: Sequence[Run]) -> None:
        """Write all state rows in one statement, and the outcomes of decided runs in two."""
        _note_last_runs(rows)
        outcomes.note_decisions(run for run in rows if run.state in DECIDED)

    def put_aside(self, broken: Iterable[tuple[int, str]], *, now: datetime) -> None:
        """Update each row that is still due."""
        quarantine.put_aside(broken, now=now)

    def respell(self, pk: int | None, *, now: datetime) -> None:
        """Do what only SQLite needs."""
        if pk is None:
            quarantine.respell_first(now)
        else:
            quarantine.respell(pk)

    def abandoned(self, now: datetime, *, limit: int) -> list[Run]:
        """Read from the outbox index."""
        return list(Run.objects.abandoned(now)[:limit])

    def take_over(self, runs: Sequence[Run], *, lease: Lease) -> list[Run]:
        """Update each conditionally, all in one transaction: what a refused lock interrupts is taken by nobody."""
        taken: list[Run] = []
        with transaction.atomic():
            for run in runs:
                crash_point("recover.found")
                mine = Run.objects.filter(pk=run.pk, state=RunState.PENDING, lease_until=run.lease_until)
                n_publishes = Least(F("publishes") + 1, Value(PUBLISHES_MAX))
                won = mine.update(owner=lease.owner, lease_until=lease.until, publishes=n_publishes)
                crash_point("recover.taken")
                if won:
                    taken.append(run)
        for run in taken:
            run.owner, run.lease_until, run.publishes = lease.owner, lease.until, run.publishes + 1
        return taken

    def give_back(
        self, runs: Sequence[Run], *, owner: str, now: datetime, reason: str, is_tried: bool
    ) -> int:
        """Update them in one statement."""
        mine = Run.objects.filter(pk__in=[run.pk for run in runs], state=RunState.PENDING, owner=owner)
        if is_tried:
            return mine.update(lease_until=now, reason=reason)
        return mine.update(lease_until=now, reason=reason, publishes=Greatest(F("publishes") - 1, Value(0)))

    def mark_sent(self, runs: Sequence[Run], *, sent_at: datetime) -> int:
        """Update them in two statements."""
        return run_verbs.mark_sent(runs, sent_at=sent_at)

    def mark_unsent(self, run: Run, *, reason: str, now: datetime, is_in_doubt: bool = False) -> bool:
        """Update the run and what stands beside its schedule."""
        with transaction.atomic():
            if is_in_doubt:
                cancellations.keep_from_beginning(run, now=now)
            changed = run_verbs.mark_unsent(run, reason=reason, now=now)
            if changed and is_in_doubt and run.canvas:
                parts.call_off(run.pk, reason=reason, now=now)
        return changed

    def call_off(self, run: Run, *, now: datetime) -> bool:
        """Update the run and what stands beside its schedule."""
        reason = cancellations.reason_of(run)
        return cancellations.call_off(run, by=run.cancel_requested_by, reason=reason, now=now)

    def furthest_clock(self) -> datetime | None:
        """Ask the rows of beats."""
        furthest: datetime | None = Beat.objects.aggregate(furthest=Max("clock_seen_at"))["furthest"]
        return furthest

    def tick_beat(self, beat: Beat) -> bool:
        """Update its row."""
        return beats.tick(beat)

    def register_beat(self, beat: Beat) -> None:
        """Insert its row."""
        beats.register(beat)

    def sign_off_beat(self, beat: Beat) -> None:
        """Delete its row."""
        beats.sign_off(beat)


DJANGO = DjangoStore()
"""The store of every process but a simulated one."""


def _due(now: datetime, *, of_intervals: bool) -> QuerySet[Schedule]:
    due: QuerySet[Schedule] = Schedule.objects.due(now)
    return due.filter(kind="interval") if of_intervals else due


def _note_last_runs(rows: Sequence[Run]) -> None:
    newest: dict[int, Run] = {}
    for run in rows:
        if run.schedule_id is not None and run.state != RunState.MISSED:
            newest[run.schedule_id] = run
    notes = [(run.pk, run.due_at, str(run.state), pk) for pk, run in sorted(newest.items())]
    changes = ("last_run_id", "last_run_at", "last_state")
    bulk_sql.update(ScheduleState, notes, changes=changes, where=("schedule",))
