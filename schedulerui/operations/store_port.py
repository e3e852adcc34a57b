"""The port between the protocol of dispatch and the rows: what claims, recovery and the beat's loop ask for.

The protocol asks nothing of a database but through this. Its methods take whole batches; each is one step that happens entirely
or not at all, alone or within ``transaction``. ``store.DjangoStore`` answers from Django's tables; the simulation runs the same
protocol on a store in memory that keeps the constraints and knows no row locks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedulerui.clock import Clock
from schedulerui.facts import Plan, RunState
from schedulerui.models import Beat, Run, Schedule

UNBEGUN = frozenset({RunState.SENT, RunState.UNSENT, RunState.CANCELLED})
"""States of a run whose message may be out and that no worker has told of."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A run that stands in the way of the next one of its schedule, or waits in front of it."""

    run_id: int
    state: str
    cancel_requested_at: datetime | None = None
    cancel_grace: int = 0
    """Seconds after which each worker has heard that it must not begin it."""

    def is_let_go(self, now: datetime) -> bool:
        """Return whether it will not begin any more: no worker has taken it, and each of them knows that it is not wanted."""
        asked_at = self.cancel_requested_at
        if self.state not in UNBEGUN or asked_at is None:
            return False
        return now - asked_at > timedelta(seconds=self.cancel_grace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """The moment of a look at the rows, and the earliest of those at which there is something to do; None where there is none."""

    now: datetime
    due_at: datetime | None
    """``now`` when the row that holds it cannot be read: the claim comes and puts it aside."""
    lease_until: datetime | None
    """The earliest end of a lease of a run that is not sent."""
    waiting_at: datetime | None
    """The earliest due time of a run that waits."""


class Store(Protocol):
    """The rows of schedules, runs and beats; every method may raise django.db.Error."""

    def transaction(self) -> AbstractContextManager[object]:
        """Make everything inside happen at once, or not at all when it raises."""

    def look(self, clock: Clock) -> Wake:
        """Read the clock and when there is something to do, of schedules and of runs."""

    def first_interval_due(self) -> datetime | None:
        """Return the earliest due time of an interval."""

    def take_due(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[Schedule]:
        """Return what is due, the longest overdue first, without those that another transaction holds, and hold it.

        ``of_intervals``: of intervals alone. Raises whatever a value that cannot be read raises.
        """

    def lock_due(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[int]:
        """Do what ``take_due`` does and return the ids alone."""

    def due_ids(self, now: datetime, *, limit: int, of_intervals: bool = False) -> list[int]:
        """Return the ids of what is due, the longest overdue first, and hold nothing."""

    def load(self, ids: Sequence[int]) -> list[Schedule]:
        """Return these schedules in order of due time; raises whatever a value that cannot be read raises."""

    def hold(self, ids: Collection[int]) -> None:
        """Hold these schedules until the transaction ends: who asks what is active and then decides must be alone with it."""

    def active(self, ids: Collection[int], *, queued_since: datetime) -> dict[int, list[Blocker]]:
        """Return what holds the next run of these schedules back, the oldest first: runs that may be alive, and waiting ones."""

    def supersede(self, kept: Mapping[int, str], *, now: datetime) -> None:
        """Ask for the end of what is alive of these schedules, and cancel what waits but the run with the given key."""

    def waiting(self, now: datetime, *, limit: int, after: Run | None = None) -> list[Run]:
        """Return the runs that wait for others, and the tries whose time has come; the oldest first, each with its schedule.

        ``after``: those behind this one.
        """

    def promote(self, runs: Sequence[Run], *, lease: Lease, now: datetime) -> list[Run]:
        """Take each of these runs if it still waits, and write when; returns those won."""

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

    def mark_unsent(self, run: Run, *, reason: str, now: datetime, is_in_doubt: bool = False) -> bool:
        """Give a run up that is still pending; returns whether it was.

        ``is_in_doubt``: its message may be out all the same. Where no two runs may go at once, workers are not to begin it.
        """

    def call_off(self, run: Run, *, now: datetime) -> bool:
        """Cancel a pending run that was to be given up before anybody sent it; returns whether it was still pending."""

    def furthest_clock(self) -> datetime | None:
        """Return the furthest moment that any beat has seen."""

    def tick_beat(self, beat: Beat) -> bool:
        """Write a heartbeat; returns False when its row is gone."""

    def register_beat(self, beat: Beat) -> None:
        """Write the row of a beat that is new here."""

    def sign_off_beat(self, beat: Beat) -> None:
        """Delete the row of a beat that ends in an orderly way."""
