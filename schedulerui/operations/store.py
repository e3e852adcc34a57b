"""The port between the protocol of dispatch and the rows: what it asks for, and how Django's tables answer.

The protocol (claims, recovery, the beat's loop) asks nothing of a database but through this. Its methods take whole batches;
each is one step that happens entirely or not at all, alone or within ``transaction``. The simulation runs the same protocol
on a store in memory that keeps the constraints and knows no row locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import DataError, connection, transaction
from django.db.models import F, Min, Value
from django.db.models.functions import Greatest

from schedulerui.crash import crash_point
from schedulerui.facts import Plan, RunState
from schedulerui.models import Beat, Run, Schedule, ScheduleState
from schedulerui.operations import beats, bulk_sql, outcomes, quarantine
from schedulerui.operations import runs as run_verbs


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who claims, and until when the claimed runs are theirs."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A schedule as it was seen, what to do for it, and what its runs carry."""

    schedule: Schedule
    plan: Plan
    snapshot: dict[str, object]


class Store(Protocol):
    """The rows of schedules, runs and beats; every method may raise django.db.Error."""

    def transaction(self) -> AbstractContextManager[object]:
        """Make everything inside happen at once, or not at all when it raises."""

    def first_due(self, now: datetime) -> datetime | None:
        """Return the earliest due time; ``now`` when the row that holds it cannot be read."""

    def first_lease_end(self) -> datetime | None:
        """Return the earliest end of a lease of a run that is not sent."""

    def lock_due(self, now: datetime, *, limit: int) -> list[int]:
        """Return the ids of what is due, the longest overdue first, without those that another transaction holds."""

    def due_ids(self, now: datetime, *, limit: int) -> list[int]:
        """Return the ids of what is due, the longest overdue first, and hold nothing."""

    def load(self, ids: Sequence[int]) -> list[Schedule]:
        """Return these schedules in order of due time; raises whatever a value that cannot be read raises."""

    def active(self, ids: Collection[int], *, queued_since: datetime) -> set[int]:
        """Return which of these schedules have a run that holds the next one back."""

    def advance(self, planned: Sequence[Planned]) -> int:
        """Move each schedule on if its next run and its version are still as they were seen; returns how many were."""

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Return which of these keys have a run."""

    def insert(self, rows: list[Run]) -> None:
        """Insert the rows and give each its id; raises django.db.IntegrityError for a key or a task id that exists."""

    def note_runs(self, rows: Sequence[Run]) -> None:
        """Write what was inserted beside the schedules: the last run, and the decided ones among the last outcomes."""

    def put_aside(self, broken: Sequence[tuple[int, str]], *, now: datetime) -> None:
        """Take schedules that cannot be used out of what is due, each with the reason on its row."""

    def respell(self, pk: int | None, *, now: datetime) -> None:
        """Mend the spelling of a time that no update on the time seen would find; None means the earliest one."""

    def abandoned(self, now: datetime, *, limit: int) -> list[Run]:
        """Return pending runs whose lease has ended, the longest ended first."""

    def take_over(self, runs: Sequence[Run], *, lease: Lease) -> list[Run]:
        """Take each of these runs if its lease is still the one that was seen, count one more publish; returns those won."""

    def give_back(
        self, runs: Sequence[Run], *, owner: str, now: datetime, reason: str, is_tried: bool
    ) -> int:
        """End the lease of those that are still pending and the owner's; one that was not tried loses its publish."""

    def mark_sent(self, runs: Sequence[Run], *, sent_at: datetime) -> int:
        """Mark these as sent; one that is further along keeps its state."""

    def mark_unsent(self, run: Run, *, reason: str, now: datetime) -> bool:
        """Give a run up that is still pending; returns whether it was."""

    def tick_beat(self, beat: Beat) -> bool:
        """Write a heartbeat; returns False when its row is gone."""

    def register_beat(self, beat: Beat) -> None:
        """Write the row of a beat that is new here."""

    def sign_off_beat(self, beat: Beat) -> None:
        """Delete the row of a beat that ends in an orderly way."""


class DjangoStore:
    """Django's tables, on the connection of this thread; holds nothing itself."""

    def transaction(self) -> AbstractContextManager[object]:
        """Begin a transaction."""
        return transaction.atomic()

    def first_due(self, now: datetime) -> datetime | None:
        """Probe the due index."""
        try:
            due = Schedule.objects.filter(next_run_at__isnull=False).order_by("next_run_at", "id")
            first = due.values_list("id", "next_run_at").first()
        except (ValueError, OverflowError, DataError):
            return now
        # SQLite keeps any text in a column of times; Django reads None from what is none.
        return None if first is None else first[1] or now

    def first_lease_end(self) -> datetime | None:
        """Probe the outbox index."""
        until: datetime | None = Run.objects.filter(state=RunState.PENDING).aggregate(
            until=Min("lease_until")
        )["until"]
        return until

    def lock_due(self, now: datetime, *, limit: int) -> list[int]:
        """Lock what is due, with SKIP LOCKED where the database has it."""
        due = Schedule.objects.due(now).values_list("id", flat=True)[:limit]
        features = connection.features
        if not features.has_select_for_update:
            return list(due)
        return list(due.select_for_update(skip_locked=features.has_select_for_update_skip_locked))

    def due_ids(self, now: datetime, *, limit: int) -> list[int]:
        """Read what is due."""
        return list(Schedule.objects.due(now).values_list("id", flat=True)[:limit])

    def load(self, ids: Sequence[int]) -> list[Schedule]:
        """Read these rows in one statement."""
        return list(Schedule.objects.filter(pk__in=ids).order_by("next_run_at", "id"))

    def active(self, ids: Collection[int], *, queued_since: datetime) -> set[int]:
        """Ask for all of them in one statement."""
        if not ids:
            return set()
        holding = Run.objects.filter(schedule__in=ids).holding_back(queued_since=queued_since)
        return set(holding.values_list("schedule_id", flat=True).distinct())

    def advance(self, planned: Sequence[Planned]) -> int:
        """Update conditionally: one statement, many rows."""
        rows = [
            (
                each.plan.next_nominal_at,
                each.plan.next_run_at,
                each.plan.runs_created,
                each.schedule.pk,
                each.schedule.next_run_at,
                each.schedule.version,
            )
            for each in planned
        ]
        changes = ("next_nominal_at", "next_run_at", "runs_created")
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
        outcomes.note_decisions(run for run in rows if run.state != RunState.PENDING)

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
        """Update each conditionally."""
        taken: list[Run] = []
        for run in runs:
            crash_point("recover.found")
            won = Run.objects.filter(pk=run.pk, state=RunState.PENDING, lease_until=run.lease_until).update(
                owner=lease.owner, lease_until=lease.until, publishes=F("publishes") + 1
            )
            crash_point("recover.taken")
            if won:
                run.owner, run.lease_until, run.publishes = lease.owner, lease.until, run.publishes + 1
                taken.append(run)
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

    def mark_unsent(self, run: Run, *, reason: str, now: datetime) -> bool:
        """Update the run and what stands beside its schedule."""
        return run_verbs.mark_unsent(run, reason=reason, now=now)

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


def _note_last_runs(rows: Sequence[Run]) -> None:
    newest: dict[int, Run] = {}
    for run in rows:
        if run.schedule_id is not None and run.state != RunState.MISSED:
            newest[run.schedule_id] = run
    notes = [(run.pk, run.due_at, str(run.state), pk) for pk, run in sorted(newest.items())]
    changes = ("last_run_id", "last_run_at", "last_state")
    bulk_sql.update(ScheduleState, notes, changes=changes, where=("schedule",))
