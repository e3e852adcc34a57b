"""The invariants of dispatch, asked of the rows themselves: what should never be, and is.

Each question is bounded: it walks an index and counts up to COUNT_MAX. Occurrences without rows are ``occurrences.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from django.db.models import F, Q

from schedulerui.conf import settings
from schedulerui.facts import WITH_WORKER, Kind, RunState
from schedulerui.models import Finding, Queue, Run, Schedule, Worker
from schedulerui.operations import beats, occurrences, workers

COUNT_MAX = 1_000
"""Most broken rows of a kind that are counted; more are "at least" so many."""
EXAMPLES_MAX = 5
SLACK = timedelta(seconds=10)
"""What a beat or a monitor may take to put things right before they count as wrong."""
Row = TypeVar("Row")


class Invariant(StrEnum):
    """What should never be."""

    OVERDUE = "overdue"
    """A schedule is due for longer than its grace although a beat ticks."""
    LEASE = "lease"
    """A claimed run is past its lease although a beat ticks."""
    NEVER_RECEIVED = "never-received"
    """A message was sent and no worker has received it, although one consumes its queue and nothing waits there."""
    UNACCOUNTED = "unaccounted"
    """An occurrence has no row."""
    STRANDED = "stranded"
    """A schedule is on and has no next run, and neither an error nor an end says why."""
    ORPHANED = "orphaned"
    """A run is running on a worker that is gone, and nobody has declared it lost."""
    OWNERLESS = "ownerless"
    """A schedule of code is on, and beats tick, but none of the Celery app whose code it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One broken row, by its name and what is wrong with it; where it has a page, the schedule's number or the run's uuid."""

    name: str
    detail: str = ""
    schedule: int | None = None
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How often an invariant is broken, with the first few."""

    invariant: Invariant
    n: int = 0
    is_lower_bound: bool = False
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one scan saw; ``is_beating`` is False when no beat ticks, and then nothing counts as overdue."""

    at: datetime
    found: tuple[Found, ...]
    is_beating: bool
    n_schedules: int
    """Schedules whose occurrences were compared with their rows."""
    next_after: int
    """Where the next scan goes on with them; 0 at the end of the table."""

    @property
    def n(self) -> int:
        """How much is broken in all."""
        return sum(each.n for each in self.found)


def scan(
    *, now: datetime, after: int = 0, limit: int | None = 200, window: timedelta = occurrences.WINDOW
) -> Scan:
    """Ask everything. Compares the occurrences of up to ``limit`` schedules with ids above ``after``; None: of all."""
    is_beating = beats.ticking(now=now).exists()
    compared = occurrences.compare(now=now, after=after, limit=limit, window=window)
    found = [
        overdue(now) if is_beating else Found(invariant=Invariant.OVERDUE),
        past_lease(now) if is_beating else Found(invariant=Invariant.LEASE),
        never_received(now),
        _found(Invariant.UNACCOUNTED, compared.gaps, _gap),
        stranded(now),
        orphaned(now),
        ownerless(now),
    ]
    return Scan(
        at=now,
        found=tuple(found),
        is_beating=is_beating,
        n_schedules=compared.n_schedules,
        next_after=compared.next_after,
    )


def store(found: Iterable[Found], *, at: datetime) -> None:
    """Keep what a scan saw at a moment for the overview, a row a kind."""
    for each in found:
        values = {
            "n": each.n,
            "is_lower_bound": each.is_lower_bound,
            "examples": [asdict(example) for example in each.examples],
            "checked_at": at,
        }
        Finding.objects.update_or_create(kind=str(each.invariant), defaults=values)


def overdue(now: datetime) -> Found:
    """Return schedules due for longer than their grace; one range of the due index."""
    waiting = Schedule.objects.due(now - SLACK).values_list("pk", flat=True)[: COUNT_MAX + 1]
    late = [row for row in occurrences.readable(waiting) if _is_late(row, now)]
    return _found(
        Invariant.OVERDUE,
        late,
        lambda row: Example(name=row.name, schedule=row.pk, detail=f"due since {_iso(row.next_run_at)}"),
    )


def past_lease(now: datetime) -> Found:
    """Return claimed runs whose lease ended a while ago; one range of the outbox index."""
    rows = Run.objects.abandoned(now - SLACK).only("uuid", "schedule_name", "task", "lease_until", "owner")
    return _found(
        Invariant.LEASE,
        list(rows[: COUNT_MAX + 1]),
        lambda run: _of_run(run, f"claimed by {run.owner}, its lease ended {_iso(run.lease_until)}"),
    )


def never_received(now: datetime) -> Found:
    """Return messages that no worker has received, though a living one consumes their queue and the queue is known to be empty."""
    before = now - timedelta(seconds=settings().PICKUP_GRACE) - SLACK
    consumed = _consumed_queues(now)
    if not consumed:
        return Found(invariant=Invariant.NEVER_RECEIVED)
    deep = set(Queue.objects.exclude(depth=0).values_list("name", flat=True))
    named = consumed - deep
    asked = Q(queue__in=named) | (Q(queue="") if not consumed & deep else Q(pk=None))
    rows = Run.objects.filter(asked, state=RunState.SENT, due_at__lt=before, sent_at__lt=before)
    sent = rows.only("uuid", "schedule_name", "task", "sent_at").order_by("-due_at", "-id")[: COUNT_MAX + 1]
    return _found(Invariant.NEVER_RECEIVED, list(sent), lambda run: _of_run(run, f"sent {_iso(run.sent_at)}"))


def stranded(now: datetime) -> Found:
    """Return schedules that are on and to which no run will come, with nothing that says why."""
    ended = (
        Q(kind=str(Kind.MANUAL))
        | Q(end_at__lte=now)
        | Q(max_runs__lte=F("runs_created"))
        | Q(kind=str(Kind.CLOCKED), clocked_at_utc__lte=now)
    )
    rows = Schedule.objects.filter(next_run_at=None, enabled=True, error="").exclude(ended).order_by("id")
    ids = rows.values_list("pk", flat=True)[: COUNT_MAX + 1]
    left = [row for row in occurrences.readable(ids) if _has_more(row, now)]
    return _found(Invariant.STRANDED, left, lambda row: Example(name=row.name, schedule=row.pk))


def orphaned(now: datetime) -> Found:
    """Return runs of workers that are gone for longer than the monitor needs to say so."""
    running = Run.objects.filter(state__in=WITH_WORKER, worker_instance__isnull=False)
    rows = list(running.only("uuid", "schedule_name", "task", "worker", "worker_instance")[: COUNT_MAX * 5])
    limit = timedelta(seconds=settings().LOST_AFTER + 2 * settings().MONITOR_EVERY) + SLACK
    living = set(
        Worker.objects.filter(
            instance__in={row.worker_instance for row in rows}, seen_at__gte=now - limit
        ).values_list("instance", flat=True)
    )
    gone = [row for row in rows if row.worker_instance not in living]
    return _found(Invariant.ORPHANED, gone, lambda run: _of_run(run, f"on {run.worker}"))


def ownerless(now: datetime) -> Found:
    """Return schedules that the code of a Celery app defined of which no beat ticks, as after a new name of the app.

    Asks nothing while no beat ticks, or one that does not tell its app.
    """
    told = [row.software for row in beats.ticking(now=now).only("software")]
    apps = {each.get("app") for each in told}
    if not apps or None in apps:
        return Found(invariant=Invariant.OWNERLESS)
    of_code = Schedule.objects.filter(source="code", enabled=True).exclude(source_app__in=["", *apps])
    rows = list(of_code.order_by("pk").values_list("pk", "name", "source_app")[: COUNT_MAX + 1])
    return _found(
        Invariant.OWNERLESS,
        rows,
        lambda row: Example(name=row[1], schedule=row[0], detail=f"from the code of {row[2]}"),
    )


def _found(invariant: Invariant, rows: Sequence[Row], example: Callable[[Row], Example]) -> Found:
    return Found(
        invariant=invariant,
        n=min(len(rows), COUNT_MAX),
        is_lower_bound=len(rows) > COUNT_MAX,
        examples=tuple(example(row) for row in rows[:EXAMPLES_MAX]),
    )


def _gap(gap: occurrences.Gap) -> Example:
    return Example(name=gap.name, schedule=gap.schedule, detail=f"no row for {_iso(gap.nominal_at)}")


def _of_run(run: Run, detail: str) -> Example:
    return Example(name=run.schedule_name or run.task, detail=detail, run=str(run.uuid))


def _is_late(schedule: Schedule, now: datetime) -> bool:
    due = schedule.next_run_at
    return due is not None and due + timedelta(seconds=schedule.grace) + SLACK < now


def _has_more(schedule: Schedule, now: datetime) -> bool:
    """Whether the rule still has a time to come; one that cannot be read should have its error in the row."""
    try:
        return schedule.timetable().first(now) is not None
    except (ValueError, OverflowError):
        return True


def _consumed_queues(now: datetime) -> set[str]:
    """Return the queues of living workers that tell what they receive."""
    listed = workers.online(now=now).filter(heard_by="recorder").values_list("queues", flat=True)
    return {str(name) for queues in listed if isinstance(queues, list) for name in queues}


def _iso(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"
