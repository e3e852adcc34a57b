"""The values that planning takes and gives, and the words of the domain; pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from schedulerui.recurrence import Rule
from schedulerui.recurrence.window import Timetable


class RunState(StrEnum):
    """What has become of a run. ``docs/explanation/run-lifecycle.md`` draws every arrow."""

    WAITING = "waiting"
    """Held back by the overlap policy until the run before it ends."""
    PENDING = "pending"
    """Claimed by a beat and not yet handed to the broker."""
    SENT = "sent"
    """The broker has the message."""
    UNSENT = "unsent"
    """Not handed to the broker, or nobody knows whether, and by policy not tried again."""
    CANCELLED = "cancelled"
    """Called off before it was sent."""
    RECEIVED = "received"
    """A worker has taken the message from the queue."""
    STARTED = "started"
    """The task's body is running."""
    RETRYING = "retrying"
    """The task asked to be tried again; the next attempt is on its way."""
    LOST = "lost"
    """The worker that ran it is gone and never told the end."""
    SUCCEEDED = "succeeded"
    """The task returned."""
    FAILED = "failed"
    """The task raised, passed its time limit, or its process died."""
    REVOKED = "revoked"
    """Revoked by somebody, before or during its run."""
    EXPIRED = "expired"
    """Reached a worker after its expiry."""
    IGNORED = "ignored"
    """The task raised Ignore."""
    REJECTED = "rejected"
    """The task raised Reject, or no worker knew it."""
    SKIPPED = "skipped"
    """Decided against by a policy; born finished."""
    MISSED = "missed"
    """No beat was there in time; born finished."""


RANK: dict[RunState, int] = {
    RunState.WAITING: 10,
    RunState.PENDING: 20,
    RunState.SENT: 30,
    RunState.UNSENT: 35,
    RunState.CANCELLED: 36,
    RunState.RECEIVED: 40,
    RunState.STARTED: 50,
    RunState.RETRYING: 60,
    RunState.LOST: 70,
    RunState.SUCCEEDED: 90,
    RunState.FAILED: 90,
    RunState.REVOKED: 90,
    RunState.EXPIRED: 90,
    RunState.IGNORED: 90,
    RunState.REJECTED: 90,
    RunState.SKIPPED: 99,
    RunState.MISSED: 99,
}
"""How far along a state is. A change is only ever towards a higher one, so late, repeated and disordered reports change nothing.
``lost`` stands below every result: a late result corrects it."""

FINISHED: frozenset[RunState] = frozenset(
    {RunState.UNSENT, RunState.CANCELLED}
    | {state for state, rank in RANK.items() if rank >= RANK[RunState.LOST]}
)
"""States after which nothing more is expected."""

RESULTS = FINISHED - {RunState.LOST}
"""Ends that stand: ``lost`` gives way to each of them."""

ACTIVE: frozenset[RunState] = frozenset(
    {RunState.PENDING, RunState.SENT, RunState.RECEIVED, RunState.STARTED, RunState.RETRYING}
)
"""States in which the run may be alive somewhere."""

WITH_WORKER = (RunState.RECEIVED, RunState.STARTED, RunState.RETRYING)
"""States in which a worker has had the message, or that of some part of a canvas, and the end is not told."""

FAILING = (RunState.FAILED, RunState.LOST, RunState.REJECTED, RunState.UNSENT, RunState.EXPIRED)
"""Ends that are failures. A schedule whose newest run ended so is failing: to the filter, the tile, the rail and the alerts alike."""

DECIDED = frozenset({RunState.SKIPPED, RunState.MISSED})
"""States of rows that were born finished: decisions, which never had a task."""

MAX_ATTEMPT = 9_999
MAX_DELIVERY = 99


def progress(state: RunState, *, attempt: int = 0, delivery: int = 1) -> int:
    """Return one number that grows along a run's life: attempt first, then delivery, then rank.

    ``attempt`` is Celery's retry number (0 for the first), ``delivery`` counts the times a broker handed over that attempt's
    message (from 1). A retry is a new attempt, so that ``started`` after ``retrying`` moves forward.
    """
    bounded_attempt = min(max(attempt, 0), MAX_ATTEMPT)
    bounded_delivery = min(max(delivery, 1), MAX_DELIVERY) if RANK[state] >= RANK[RunState.RECEIVED] else 0
    return (bounded_attempt * 100 + bounded_delivery) * 100 + RANK[state]


class Kind(StrEnum):
    """How a schedule says when."""

    CRONTAB = "crontab"
    INTERVAL = "interval"
    CLOCKED = "clocked"
    SOLAR = "solar"
    MANUAL = "manual"


class Trigger(StrEnum):
    """What made a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    RETRY = "retry"
    BACKFILL = "backfill"
    TASK = "task"
    """Sent by somebody else and seen by a worker that records all tasks."""


class Misfire(StrEnum):
    """What to do with occurrences that are later than their grace."""

    LATEST = "latest"
    """Run the newest one, account for the others."""
    ALL = "all"
    """Run all of them, oldest first, up to a limit."""
    NONE = "none"
    """Run none of them."""


class Overlap(StrEnum):
    """What to do when the run before is still active."""

    ALLOW = "allow"
    """Start another run beside it."""
    SKIP = "skip"
    """Do not run; the history says which run was in the way."""
    QUEUE = "queue"
    """Wait until it has ended; up to ``queue_max`` wait."""
    CANCEL_PREVIOUS = "cancel_previous"
    """Stop it, and start when it is verifiably gone."""


class Delivery(StrEnum):
    """What to do when nobody knows whether a message was sent."""

    AT_LEAST_ONCE = "at_least_once"
    """Send it again under the same task id."""
    AT_MOST_ONCE = "at_most_once"
    """Leave it ``unsent``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something, and from where; every change and every manual run carries one."""

    name: str
    user_id: int | None = None
    via: str = "code"
    """One of browser, admin, command, code."""
    address: str = ""

    @classmethod
    def system(cls, name: str = "schedulerui") -> Actor:
        """Return the actor of changes that no person made."""
        return cls(name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFacts:
    """What planning needs to know of a schedule; moments are aware UTC, ``rule`` is parsed."""

    uuid: uuid.UUID
    rule: Rule
    next_nominal_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None
    runs_created: int = 0
    misfire: Misfire = Misfire.LATEST
    grace: timedelta = timedelta(seconds=30)
    catchup_window: timedelta | None = None
    """Occurrences that were due longer ago than this do not run, whatever the misfire policy says; None: any age."""
    catchup_max: int = 100
    """Most late occurrences that ``Misfire.ALL`` runs."""
    overlap: Overlap = Overlap.ALLOW
    queue_max: int = 1
    """Most runs that ``Overlap.QUEUE`` lets wait."""
    previous_nominal_at: datetime | None = None
    """The newest nominal time that was dealt with before."""
    jitter: timedelta = timedelta(0)
    skips: Mapping[datetime, str] = field(default_factory=dict)
    """Nominal times that a person decided against, with the sentence that their rows show as the reason."""

    @property
    def timetable(self) -> Timetable:
        """When this schedule is due."""
        return Timetable(
            rule=self.rule,
            seed=self.uuid,
            start_at=self.start_at,
            end_at=self.end_at,
            jitter=self.jitter,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One row to insert: a run to send, or a decision that accounts for occurrences that will not run."""

    key: str
    state: RunState
    nominal_at: datetime
    due_at: datetime
    task_id: str | None = None
    reason: str = ""
    count: int = 1
    previous_nominal_at: datetime | None = None
    """The nominal time before this one, as far as any is known."""
    is_blocked: bool = False
    """Whether an active run stands in its way: skipped for it, or waiting for its end."""
    covers_until: datetime | None = None
    """For an aggregate: the last nominal time it stands for; ``nominal_at`` is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do for one due schedule, and when to look at it again."""

    runs: tuple[PlannedRun, ...] = field(default=())
    next_nominal_at: datetime | None = None
    next_run_at: datetime | None = None
    previous_nominal_at: datetime | None = None
    """The newest nominal time that this plan accounts for."""
    runs_created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An occurrence that is to come; moments in UTC. ``skipped`` is the reason why it will not run, empty when it will."""

    nominal_at: datetime
    due_at: datetime
    skipped: str = ""
