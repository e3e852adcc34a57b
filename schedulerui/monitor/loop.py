"""The monitor's rounds: any number of monitors may run, each step is conditional and does no harm twice.

A step that fails is logged and tried again in its next round; the others go on. So the monitor outlives any outage of the
database or the broker without being restarted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from celery import Celery
from django.db import DEFAULT_DB_ALIAS, connections

from schedulerui import clock, dispatch
from schedulerui.conf import settings
from schedulerui.monitor import depths
from schedulerui.operations import history, housekeeping, queues, spool, workers

logger = logging.getLogger(__name__)

CLEAN_EVERY = 600.0
"""Seconds between two purges."""


@dataclass(slots=True)
class Step:
    """Something done now and then; ``every`` is seconds, 0 for each round."""

    name: str
    action: Callable[[datetime], object]
    every: float = 0.0
    next_at: float = field(default=0.0, init=False)


def run(
    stop: threading.Event,
    *,
    celery_app: Celery | None = None,
    clock_: clock.Clock | None = None,
    steps: list[Step] | None = None,
) -> None:
    """Work until ``stop`` is set; nothing that a step raises ends it."""
    watch = clock_ or clock.DatabaseClock()
    chosen = default_steps(celery_app) if steps is None else steps
    logger.info("the monitor has started", extra={"action": "monitor_start"})
    try:
        while not stop.is_set():
            round_of(chosen, watch)
            stop.wait(settings().MONITOR_EVERY)
    finally:
        connections[DEFAULT_DB_ALIAS].close()
        logger.info("the monitor has ended", extra={"action": "monitor_stop"})


def round_of(steps: list[Step], watch: clock.Clock) -> None:
    """Do each step that is due once; what one raises is logged and does not stop the others."""
    for step in steps:
        moment = watch.monotonic()
        if moment < step.next_at:
            continue
        step.next_at = moment + step.every
        try:
            connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()
            step.action(watch.now())
        except Exception:
            logger.exception("%s failed", step.name, extra={"action": "monitor_error", "step": step.name})
            connections[DEFAULT_DB_ALIAS].close()


def default_steps(celery_app: Celery | None = None) -> list[Step]:
    """Return what a monitor does. What waits in the spool comes before anything is declared lost."""
    return [
        Step("replaying the spool", _replay),
        Step("declaring workers dead", workers.declare_dead),
        Step("declaring runs lost", history.mark_lost),
        Step("measuring the queues", lambda now: measure_queues(celery_app or dispatch.app(), now=now)),
        Step("purging old runs", housekeeping.purge_runs, every=CLEAN_EVERY),
        Step("purging old processes", housekeeping.purge_processes, every=CLEAN_EVERY),
    ]


def measure_queues(celery_app: Celery, *, now: datetime) -> None:
    """Measure every queue that somebody consumes, sends to or has asked for, and the app's default one."""
    names = sorted({*queues.known(), str(celery_app.conf.task_default_queue)})
    for found in depths.measure(celery_app, names):
        if found.depth is None:
            queues.unmeasured(found.name, error=found.error, now=now)
        else:
            queues.measured(found.name, depth=found.depth, consumers=found.consumers, now=now)


def _replay(_now: datetime) -> int:
    return spool.default().replay(history.record)
