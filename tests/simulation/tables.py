"""Rows in memory: what is committed, what open transactions have written, and the constraints."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError

from schedulerui.facts import ACTIVE, Overlap
from schedulerui.models import Run, Schedule

Key = tuple[str, int]


def clone(row: Any) -> Any:
    """A copy that shares the values: nobody changes those in place."""
    made = object.__new__(type(row))
    made.__dict__.update(row.__dict__)
    return made


@dataclass(eq=False)
class Transaction:
    """What one session has written and not committed."""

    actor: str
    writes: dict[Key, object] = field(default_factory=dict)
    is_killed: bool = False


@dataclass
class Database:
    """Committed rows, open transactions, and who watches commits."""

    rows: dict[Key, object] = field(default_factory=dict)
    open: list[Transaction] = field(default_factory=list)
    on_commit: Callable[[str, dict[Key, object], dict[Key, object]], None] | None = None
    on_refusal: Callable[[Run], None] | None = None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    has_unique_key: bool = True

    def writer(self, key: Key, *, but: Transaction) -> Transaction | None:
        """The other open transaction that has written this row."""
        return next((other for other in self.open if other is not but and key in other.writes), None)

    def commit(self, transaction: Transaction) -> None:
        before = {key: self.rows[key] for key in transaction.writes if key in self.rows}
        self.rows.update(transaction.writes)
        self.open.remove(transaction)
        if transaction.writes and self.on_commit is not None:
            self.on_commit(transaction.actor, before, transaction.writes)

    def roll_back(self, transaction: Transaction) -> None:
        transaction.is_killed = True
        if transaction in self.open:
            self.open.remove(transaction)

    def runs(self) -> list[Run]:
        return [row for row in self.rows.values() if isinstance(row, Run)]

    def schedules(self) -> list[Schedule]:
        return [row for row in self.rows.values() if isinstance(row, Schedule)]

    def schedule_of(self, run: Run) -> Schedule:
        found = self.rows["schedule", run.schedule_id or 0]
        assert isinstance(found, Schedule)
        return found

    def find_run(self, pk) -> Run | None:
        found = self.rows.get(("run", pk))
        return found if isinstance(found, Run) else None


def check_run(run: Run) -> None:
    """The check constraints of the table of runs."""
    if not run.key or run.count < 1:
        raise IntegrityError("su_run_key or su_run_count")
    if run.state in {"skipped", "missed"} and run.task_id is not None:
        raise IntegrityError("su_run_decision")
    if run.state == "pending" and run.lease_until is None:
        raise IntegrityError("su_run_leased")


def check_schedule(schedule: Schedule) -> None:
    """The check constraints of the table of schedules that a claim can break."""
    if schedule.next_run_at is not None and (not schedule.enabled or schedule.error):
        raise IntegrityError("su_schedule_runnable")
    if (schedule.next_run_at is None) != (schedule.next_nominal_at is None):
        raise IntegrityError("su_schedule_next")


def same(other, row: Run) -> bool:
    """Whether the unique key or the unique task id keep these two from being both there."""
    if not isinstance(other, Run) or other is row:
        return False
    return other.key == row.key or (row.task_id is not None and other.task_id == row.task_id)


def holds_back(run: Run, queued_since) -> bool:
    """What RunQuerySet.holding_back asks."""
    if run.state in {"pending", "sent"}:
        return bool(max(run.due_at, run.promoted_at or run.due_at) > queued_since)
    if run.state in GIVEN_UP:
        asked_at = run.cancel_requested_at
        return bool(run.publishes and asked_at is not None and asked_at > queued_since)
    return run.state in {str(state) for state in ACTIVE}


GIVEN_UP = frozenset({"unsent", "cancelled"})
EXCLUSIVE = frozenset({str(Overlap.SKIP), str(Overlap.QUEUE), str(Overlap.CANCEL_PREVIOUS)})
