"""The monitor's rounds: any number of monitors may run, each step is conditional and does no harm twice.

A step that fails is logged and tried again in its next round; the others go on. So the monitor outlives any outage of the
database or the broker without being restarted. It declares nobody dead whom it could not have heard: what ``Vigil`` knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from celery import Celery
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

from schedulerui import clock, dispatch
from schedulerui.conf import settings
from schedulerui.models import Run
from schedulerui.monitor import depths, foreign, invariants, routes
from schedulerui.monitor.alarms import Alarms, purge
from schedulerui.monitor.courier import Courier
from schedulerui.operations import (
    cancellations,
    history,
    housekeeping,
    losses,
    outages,
    part_messages,
    pickup,
    queues,
    spool,
    workers,
)
from schedulerui.operations.retention import Surplus

logger = logging.getLogger(__name__)

CLEAN_EVERY = 600.0
"""Seconds between two purges."""
REPEAT_EVERY = 5.0
"""Seconds between two orders to end the same body."""
SURPLUS_EVERY = 60.0
"""Seconds between two looks at some hundred schedules for runs that are too many."""
PURGED_A_MINUTE = 10_000
"""Most old runs deleted in one go."""
GAP_MIN = 3.0
"""Seconds between two looks that are never a gap: a busy machine is no suspended one."""


@dataclass(slots=True)
class Step:
    """Something done now and then; ``every`` is seconds, 0 for each round.

    ``calm`` is for how many seconds the monitor must have watched without a break before it; ``is_slow``: it may wait for
    others than the database, which is no break.
    """

    name: str
    action: Callable[[datetime], object]
    every: float = 0.0
    calm: float = 0.0
    is_slow: bool = False
    next_at: float = field(default=0.0, init=False)


class Vigil:
    """Since when the monitor has watched without a break: its start, a database away, or a gap in either clock.

    After a break, the last heartbeats that it finds are old because nobody could write them or read them.
    """

    def __init__(self, watch: clock.Clock) -> None:
        self._watch = watch
        self._since = watch.monotonic()
        self._seen: tuple[float, datetime] | None = None

    @property
    def calm(self) -> float:
        """Seconds without a break."""
        return self._watch.monotonic() - self._since

    def look(self, *, is_after_slow: bool = False) -> datetime:
        """Return the moment, UTC; a gap since the last look is a break.

        A suspended machine stops the monotonic clock and not the wall; a stopped process stops neither.
        """
        monotonic, moment = self._watch.monotonic(), self._watch.now()
        if self._seen is not None:
            passed = monotonic - self._seen[0], (moment - self._seen[1]).total_seconds()
            gap = abs(passed[0] - passed[1]) if is_after_slow else max(passed)
            if gap > max(2 * settings().MONITOR_EVERY, GAP_MIN):
                self.interrupt()
                logger.warning("the monitor has not watched for %d s", gap, extra={"action": "monitor_gap"})
        self._seen = monotonic, moment
        return moment

    def interrupt(self) -> None:
        """Count the calm anew."""
        self._since = self._watch.monotonic()


def run(
    stop: threading.Event,
    *,
    celery_app: Celery | None = None,
    clock_: clock.Clock | None = None,
    steps: list[Step] | None = None,
) -> None:
    """Work until ``stop`` is set; nothing that a step raises ends it."""
    watch = clock_ or clock.DatabaseClock()
    ear = foreign.Ear(lambda: celery_app or dispatch.app()) if steps is None else None
    chosen = default_steps(celery_app, ear=ear) if steps is None else steps
    beside: list[foreign.Ear | Courier] = [ear, Courier(watch)] if ear is not None else []
    for thread in beside:
        thread.start()
    vigil = Vigil(watch)
    logger.info("the monitor has started", extra={"action": "monitor_start"})
    try:
        while not stop.is_set():
            round_of(chosen, watch, vigil=vigil)
            stop.wait(settings().MONITOR_EVERY)
    finally:
        for thread in beside:
            thread.stop()
        connections[DEFAULT_DB_ALIAS].close()
        logger.info("the monitor has ended", extra={"action": "monitor_stop"})


def round_of(steps: list[Step], watch: clock.Clock, *, vigil: Vigil | None = None) -> None:
    """Do each step that is due once; what one raises is logged and does not stop the others.

    Without a ``vigil`` of earlier rounds this is the first one.
    """
    vigil = vigil or Vigil(watch)
    for step in steps:
        moment = watch.monotonic()
        if moment < step.next_at:
            continue
        step.next_at = moment + step.every
        try:
            _do(step, vigil)
        except Exception as error:
            if isinstance(error, OperationalError | InterfaceError):
                vigil.interrupt()
            logger.exception("%s failed", step.name, extra={"action": "monitor_error", "step": step.name})
            connections[DEFAULT_DB_ALIAS].close()


def _do(step: Step, vigil: Vigil) -> None:
    connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()
    moment = vigil.look()
    if vigil.calm < step.calm:
        return
    step.action(moment)
    if step.is_slow:
        vigil.look(is_after_slow=True)


def default_steps(celery_app: Celery | None = None, *, ear: foreign.Ear | None = None) -> list[Step]:
    """Return what a monitor does. What waits in the spool comes before anything is declared lost.

    ``ear``: what listens for workers that do not load our app; None when nothing does.
    """
    limits = settings()

    def measure(now: datetime) -> None:
        measure_queues(celery_app or dispatch.app(), now=now)

    def look(now: datetime) -> None:
        look_for_messages(celery_app or dispatch.app(), now=now)

    def listen(now: datetime) -> None:
        if ear is not None:
            foreign.store(ear.take(), now=now)

    alarms = Alarms(queue_of=lambda asked: routes.queue_for(asked, celery_app or dispatch.app()))
    return [
        Step("replaying the spool", _replay),
        Step("hearing foreign workers", listen),
        Step("declaring workers dead", workers.declare_dead, calm=limits.WORKER_OFFLINE_AFTER),
        Step("declaring runs lost", losses.mark_lost, calm=limits.LOST_AFTER),
        Step("repeating cancellations", cancellations.repeat, every=REPEAT_EVERY, is_slow=True),
        Step("measuring the queues", measure, is_slow=True),
        Step("looking at beats and queues", alarms.look_at_processes, calm=limits.BEAT_STALE_AFTER),
        Step("looking at schedules", alarms.look_at_schedules, calm=limits.BEAT_STALE_AFTER),
        Step("telling people", alarms.tell),
        Step("purging old messages", purge, every=CLEAN_EVERY),
        Step("looking for lost messages", look, is_slow=True),
        Step("scanning the invariants", invariants.Scans().scan, every=invariants.EVERY),
        Step("purging old runs", _purge_runs, every=SURPLUS_EVERY),
        Step("purging runs of other code", housekeeping.purge_unscheduled, every=CLEAN_EVERY),
        Step("purging surplus runs", Surplus().purge, every=SURPLUS_EVERY),
        Step("purging old changes", housekeeping.purge_changes, every=CLEAN_EVERY),
        Step("purging old processes", housekeeping.purge_processes, every=CLEAN_EVERY),
    ]


def measure_queues(celery_app: Celery, *, now: datetime) -> None:
    """Measure every queue that somebody consumes, sends to or has asked for, and the app's default one."""
    needed = outages.queues_needed(lambda asked: routes.queue_for(asked, celery_app))
    default = str(celery_app.conf.task_default_queue)
    names = sorted(name for name in {*queues.known(), *needed, default} if len(name) <= queues.NAME_MAX)
    for found in depths.measure(celery_app, names):
        if found.depth is None:
            queues.unmeasured(found.name, error=found.error, now=now)
        else:
            queues.measured(found.name, depth=found.depth, consumers=found.consumers, now=now)


def look_for_messages(celery_app: Celery, *, now: datetime) -> int:
    """Say of each sent run that nobody picks up what is known of its message; return how many the broker has lost."""
    redelivery = routes.redelivery_of(celery_app)

    def queue_of(run: Run) -> str:
        return routes.queue_of(run, celery_app)

    n_gone = pickup.note(now, queue_of=queue_of, redelivery=redelivery)
    return n_gone + part_messages.note(now, queue_of=queue_of, redelivery=redelivery)


def _purge_runs(now: datetime) -> int:
    # Little at a time and often: a round that deletes for a minute would notice nothing else meanwhile.
    return housekeeping.purge_runs(now, most=PURGED_A_MINUTE)


def _replay(_now: datetime) -> int:
    return spool.default().replay(history.record)
