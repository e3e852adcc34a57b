"""Where the message of a sent run is: still in its queue, with a worker that died, or lost by the broker.

Nobody can ask a broker for one message. What can be told follows from the depths that the monitor measures, from the workers
that consume the queue, and from the order of the messages: a queue gives out the oldest first, so a run whose message is there
has at least as many messages in the queue as there are runs that were sent after it, and its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.models import Queue, Run, Worker
from schedulerui.operations.history import record
from schedulerui.operations.reports import Report

LOOK_BATCH = 2_000
"""Most sent runs looked at in one round, newest first."""
LOST_WORDS = "the broker has lost it"
NO_CONSUMER_WORDS = "no worker consumes"

QueueOf = Callable[[Run], str]
"""Tells the queue that a run's message goes to; empty when nobody can say."""


class Whereabouts(StrEnum):
    """What is known of the message of a sent run."""

    IN_QUEUE = "in_queue"
    """It waits in its queue, which a worker consumes."""
    NO_CONSUMER = "no_consumer"
    """It waits in its queue, and no worker consumes that."""
    HANDED_OVER = "handed_over"
    """A worker that died had it; the broker hands it over again."""
    GONE = "gone"
    """It is not in the queue, a worker of ours consumes that and has never told of it: the broker has lost it."""
    UNHEARD = "unheard"
    """It is not in the queue, and only workers that tell nothing may have it."""
    UNKNOWN = "unknown"
    """The queue could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickup:
    """An answer; ``depth`` is the number of messages in the queue, None when it was not measured."""

    where: Whereabouts
    queue: str
    depth: int | None = None
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the database knows of queues and consumers at one moment, read once for any number of runs."""

    now: datetime
    redelivery: timedelta
    """After how long the broker hands the messages of a dead worker over again."""
    queues: dict[str, Queue]
    workers: tuple[Worker, ...]

    @classmethod
    def read(cls, now: datetime, *, redelivery: timedelta) -> View:
        """Read all queues and workers; two queries."""
        fields = ("queues", "seen_at", "died_at", "stopped_at", "heard_by")
        return cls(
            now=now,
            redelivery=redelivery,
            queues={row.name: row for row in Queue.objects.all()},
            workers=tuple(Worker.objects.only(*fields)),
        )

    def locate(self, run: Run, *, queue: str, n_newer: int) -> Pickup:
        """Say where a sent run's message is; ``n_newer`` runs were sent to the queue after it."""
        row = self.queues.get(queue)
        if row is None or row.error or row.depth is None:
            return Pickup(where=Whereabouts.UNKNOWN, queue=queue)
        where = self._where(run, row, n_newer=n_newer)
        return Pickup(where=where, queue=queue, depth=row.depth, measured_at=row.measured_at)

    def _where(self, run: Run, row: Queue, *, n_newer: int) -> Whereabouts:
        is_fresh = run.sent_at is not None and row.measured_at > run.sent_at
        alive = [worker for worker in self._consumers(row.name) if self._is_alive(worker)]
        if (row.depth or 0) > n_newer or not is_fresh:
            return Whereabouts.IN_QUEUE if alive or row.consumers else Whereabouts.NO_CONSUMER
        if self._is_handed_over(run, row.name):
            return Whereabouts.HANDED_OVER
        if not is_overdue(run, self.now):
            return Whereabouts.IN_QUEUE
        ours = [worker for worker in alive if worker.heard_by == "recorder"]
        only_ours = len(ours) == len(alive) and (row.consumers is None or row.consumers <= len(ours))
        return Whereabouts.GONE if ours and only_ours else Whereabouts.UNHEARD

    def _is_handed_over(self, run: Run, queue: str) -> bool:
        """Whether a worker that had, or may have had, the message has been dead for less than the broker takes."""
        wait = self.redelivery + timedelta(seconds=settings().PICKUP_GRACE)
        ends = [
            worker.seen_at
            for worker in self._consumers(queue)
            if worker.died_at is not None and run.sent_at is not None and worker.seen_at >= run.sent_at
        ]
        return any(self.now < end + wait for end in ends)

    def _consumers(self, queue: str) -> Iterator[Worker]:
        return (
            worker for worker in self.workers if isinstance(worker.queues, list) and queue in worker.queues
        )

    def _is_alive(self, worker: Worker) -> bool:
        heard = (self.now - worker.seen_at).total_seconds() <= settings().WORKER_OFFLINE_AFTER
        return heard and worker.died_at is None and worker.stopped_at is None


def is_overdue(run: Run, now: datetime) -> bool:
    """Return whether it was sent longer ago than the grace."""
    grace = timedelta(seconds=settings().PICKUP_GRACE)
    return run.state == RunState.SENT and run.sent_at is not None and run.sent_at <= now - grace


def locate(run: Run, *, queue: str, redelivery: timedelta, now: datetime) -> Pickup | None:
    """Say where one run's message is; None for a run that is not sent, or whose queue nobody knows."""
    if run.state != RunState.SENT or run.sent_at is None or not queue:
        return None
    view = View.read(now, redelivery=redelivery)
    row = view.queues.get(queue)
    depth = row.depth or 0 if row is not None else 0
    newer = Run.objects.filter(state=RunState.SENT, queue=run.queue, sent_at__gt=run.sent_at)
    n_newer = newer.values("pk")[: depth + 1].count()
    return view.locate(run, queue=queue, n_newer=n_newer)


def note(now: datetime, *, queue_of: QueueOf, redelivery: timedelta, limit: int = LOOK_BATCH) -> int:
    """Write as the reason of runs that nobody picks up what is known, and take it back when it is no longer so.

    A message that left its queue after its expiry was dropped by the broker, as RabbitMQ does, and the run has expired. Returns
    how many of those looked at are lost by the broker.
    """
    waiting = Run.objects.filter(state=RunState.SENT, sent_at__isnull=False)
    fields = (
        "state",
        "sent_at",
        "queue",
        "task",
        "options",
        "reason",
        "delivery",
        "progress",
        "canvas",
        "task_id",
    )
    runs = list(waiting.order_by("-sent_at", "-id").only(*fields)[:limit])
    n_gone = 0
    for run, found in _located(runs, View.read(now, redelivery=redelivery) if runs else None, queue_of):
        if not is_overdue(run, now) or run.canvas:  # of a canvas, ``part_messages`` looks for each part
            continue
        is_gone = found.where in {Whereabouts.GONE, Whereabouts.UNHEARD}
        if is_gone and _has_expired(run, now):
            record(_expiry(run, now))
            continue
        n_gone += found.where is Whereabouts.GONE
        said = words(found)
        if said != run.reason and (said or is_ours(run.reason)):
            same = Run.objects.filter(pk=run.pk, state=RunState.SENT, progress=run.progress)
            same.update(reason=said)
    return n_gone


def is_ours(reason: str) -> bool:
    """Return whether the reason was written by ``note``."""
    return reason.startswith((LOST_WORDS, NO_CONSUMER_WORDS))


def _located(runs: Iterable[Run], view: View | None, queue_of: QueueOf) -> Iterator[tuple[Run, Pickup]]:
    """Yield each run with its answer; ``runs`` come newest first, so those seen before were sent after."""
    n_newer: dict[str, int] = {}
    for run in runs:
        queue = queue_of(run)
        if view is None or not queue:
            continue
        yield run, view.locate(run, queue=queue, n_newer=n_newer.get(queue, 0))
        n_newer[queue] = n_newer.get(queue, 0) + 1


def _has_expired(run: Run, now: datetime) -> bool:
    """Whether its expiry is longer ago than the grace, so that no worker would run it any more."""
    expires = run.options.get("expires") if isinstance(run.options, dict) else None
    try:
        moment = datetime.fromisoformat(expires) if isinstance(expires, str) else None
    except ValueError:
        return False
    aware = moment is not None and moment.utcoffset() is not None
    return aware and moment is not None and moment <= now - timedelta(seconds=settings().PICKUP_GRACE)


def _expiry(run: Run, now: datetime) -> Report:
    reason = "its message expired in the queue, and the broker dropped it"
    return Report(task_id=str(run.task_id), state=RunState.EXPIRED, moment=now, reason=reason)


def words(found: Pickup) -> str:
    """Return what a run nobody picks up gets as its reason; empty when it is only waiting."""
    if found.where is Whereabouts.GONE:
        return f"{LOST_WORDS}: it is not in queue {found.queue} and no worker has received it"[:500]
    if found.where is Whereabouts.NO_CONSUMER:
        return f"{NO_CONSUMER_WORDS} queue {found.queue}"[:500]
    return ""
