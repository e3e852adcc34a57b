"""The worker's heartbeat: a thread of the main process that writes its row every few seconds, and a goodbye at the end."""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Callable
from datetime import datetime
from importlib import metadata
from typing import Any

import celery
import django
from celery.worker import state as worker_state

import schedulerui
from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.operations import cancellations, history, spool, workers
from schedulerui.recorder.connection import close_connection, connected
from schedulerui.recorder.identity import Identity

logger = logging.getLogger(__name__)


class Heart:
    """Beats from the moment the worker is ready until it stops; a beat that cannot be written is left out."""

    def __init__(self, identity: Identity, consumer: Any) -> None:
        self._identity = identity
        self._consumer = consumer
        self._stopping = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="schedulerui-heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, within: float) -> None:
        """Say goodbye, waiting at most ``within`` seconds for it."""
        self._stopping.set()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._try(self._beat)
                self._stopping.wait(settings().HEARTBEAT_EVERY)
            self._try(connected(self._goodbye))
        finally:
            close_connection()

    def _beat(self) -> None:
        connected(self._say)()
        waiting = spool.default()
        if not waiting.is_empty():
            waiting.replay(connected(history.record))

    def _say(self) -> None:
        now = clock.DatabaseClock().now()
        offset = (clock.now() - now).total_seconds()
        workers.heartbeat(observe(self._identity, self._consumer, clock_offset=offset), now=now)
        forget_unwanted(now)

    def _goodbye(self) -> None:
        workers.goodbye(self._identity.instance, now=clock.DatabaseClock().now())

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
            self._is_failing = False
        except Exception:
            if not self._is_failing:
                logger.exception("the heartbeat cannot be written", extra={"action": "heartbeat_error"})
            self._is_failing = True
            close_connection()


def forget_unwanted(now: datetime) -> None:
    """Have this worker give up what was cancelled, as if it had heard the order itself: one killed since then has forgotten."""
    worker_state.revoked.update(cancellations.unwanted(now))


def observe(identity: Identity, consumer: Any, *, clock_offset: float | None = None) -> workers.Heartbeat:
    """Return what the main process knows of itself now; what a pool or transport does not tell is None."""
    pool = getattr(consumer, "pool", None)
    qos = getattr(consumer, "qos", None)
    return workers.Heartbeat(
        instance=identity.instance,
        hostname=identity.hostname,
        pid=identity.pid,
        started_at=identity.started_at,
        pool=type(pool).__module__.rpartition(".")[2] if pool is not None else "",
        pool_size=_number(lambda: pool.num_processes if pool is not None else None),
        prefetch=_number(lambda: qos.value if qos is not None else None),
        queues=_queues(consumer),
        active=len(worker_state.active_requests),
        reserved=_number(lambda: len(worker_state.reserved_requests) - len(worker_state.active_requests)),
        processed=worker_state.all_total_count[0],
        load=_load(),
        clock_offset=clock_offset,
        tasks=tuple(sorted(str(name) for name in consumer.app.tasks if not str(name).startswith("celery."))),
        software=software(),
    )


def software() -> dict[str, str]:
    """Return the versions that matter when a worker does something else than its neighbour."""
    try:
        tzdata = metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        tzdata = "of the system"
    return {
        "python": platform.python_version(),
        "celery": str(celery.__version__),
        "django": django.get_version(),
        "schedulerui": schedulerui.__version__,
        "tzdata": tzdata,
    }


def _queues(consumer: Any) -> tuple[str, ...]:
    # None for a moment while the consumer reconnects; the next beat tells.
    consuming = getattr(consumer, "task_consumer", None)
    return tuple(sorted(queue.name for queue in consuming.queues)) if consuming is not None else ()


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):  # not every system knows
        return None


def _number(ask: Callable[[], Any]) -> int | None:
    try:
        return max(0, int(ask()))
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return None
