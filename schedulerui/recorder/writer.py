"""The thread that writes reports, one per process, with its own connection; a task waits for it only so long.

While the database is away or locked, reports go to the spool at once, and no task waits: the first that had to wait its full
patience, or the first write that failed, says so for all. The thread tries again every second and replays what was spooled.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DEFAULT_DB_ALIAS, connections

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.operations import history, spool
from schedulerui.operations.reports import Report

logger = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""Reports that wait in memory; more go to the spool."""
RETRY_EVERY = 1.0
"""Seconds between two tries while the database is away."""
IDLE = 10.0
"""Seconds without a report after which the connection is closed."""


@dataclass(slots=True)
class _Item:
    report: Report
    done: threading.Event = field(default_factory=threading.Event)
    is_written: bool = False


class Writer:
    """Takes reports from the threads that run tasks; started by the first one."""

    def __init__(
        self,
        *,
        apply: Callable[[Report], object] = history.record,
        probe: Callable[[], object] = history.probe,
        waiting: spool.Spool | None = None,
    ) -> None:
        self._apply = apply
        self._probe = probe
        self._spool = waiting
        self._queue: queue.Queue[_Item | None] = queue.Queue(WAITING_MAX)
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_away = False
        self._tried = 0.0
        self._current: _Item | None = None

    @property
    def is_away(self) -> bool:
        """Whether reports go to the spool at present."""
        return self._is_away

    def submit(self, report: Report, *, patience: float) -> bool:
        """Take a report and return when it is written, at most ``patience`` seconds later; at once for 0.

        Returns whether it is known to be written. Otherwise it is queued in memory, or safe in the spool.
        """
        self._start()
        item = _Item(report)
        try:
            if not self._is_away:
                self._queue.put_nowait(item)
                if patience <= 0:
                    return False
                if item.done.wait(patience):
                    return item.is_written
                self._is_away = True
        except queue.Full:
            pass
        # It may be written a second time by the thread that is stuck with it; history takes it once.
        self._keep(report)
        return False

    def close(self, *, within: float) -> None:
        """End the thread after what it has; what is not written ``within`` seconds goes to the spool."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        deadline = clock.monotonic() + within
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=within)
        thread.join(max(0.0, deadline - clock.monotonic()))
        if thread.is_alive():
            self._keep_waiting()

    def _keep_waiting(self) -> None:
        """Spool what the thread is stuck with and what waits behind it, and let it end when it comes free."""
        stuck = self._current
        if stuck is not None:
            self._keep(stuck.report)
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    self._keep(item.report)
        self._queue.put_nowait(None)

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="schedulerui-recorder", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                try:
                    item = self._queue.get(timeout=RETRY_EVERY if self._is_away else IDLE)
                except queue.Empty:
                    self._rest()
                    continue
                if item is None:
                    return
                self._current = item
                self._write(item)
                self._current = None
                self._catch_up()
        finally:
            connections[DEFAULT_DB_ALIAS].close()

    def _rest(self) -> None:
        if self._is_away:
            self._catch_up()
        else:
            connections[DEFAULT_DB_ALIAS].close()

    def _write(self, item: _Item) -> None:
        try:
            if self._is_away:
                self._keep(item.report)
                return
            prepare_connection()
            self._apply(item.report)
            item.is_written = True
        except spool.AWAY as error:
            self._go_away(error)
            self._keep(item.report)
        except Exception:
            logger.exception(
                "a report is dropped", extra={"action": "report_drop", "task_id": item.report.task_id}
            )
        finally:
            item.done.set()

    def _catch_up(self) -> None:
        """Replay what was spooled, once a second at most while the database is away."""
        if not self._is_away or clock.monotonic() - self._tried < RETRY_EVERY:
            return
        self._tried = clock.monotonic()
        try:
            prepare_connection()
            # Somebody else may hold all that is spooled: an empty replay does not say that one can write.
            self._probe()
            self._folder().replay(self._apply)
            self._is_away = False
        except spool.AWAY as error:
            self._go_away(error)
        except Exception:
            logger.exception("the spool cannot be replayed", extra={"action": "spool_error"})
            self._is_away = False

    def _go_away(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning("the database is away: %s", error, extra={"action": "recorder_away"})
        self._is_away = True
        self._tried = clock.monotonic()
        connections[DEFAULT_DB_ALIAS].close()

    def _keep(self, report: Report) -> None:
        try:
            self._folder().append(report)
        except (OSError, spool.SpoolError):
            logger.exception("a report is lost", extra={"action": "spool_error", "task_id": report.task_id})

    def _folder(self) -> spool.Spool:
        if self._spool is None:
            self._spool = spool.default()
        return self._spool


def prepare_connection() -> None:
    """Open this thread's connection; on SQLite a lock is waited for only a part of the recorder's patience."""
    connection = connections[DEFAULT_DB_ALIAS]
    # Kept between reports (CONN_MAX_AGE is about requests) and closed when idle; a broken one is closed when it raises.
    if connection.connection is None:
        connection.ensure_connection()
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {int(settings().RECORDER_PATIENCE * 600)}")


_writers: dict[int, Writer] = {}
# By process id: threads do not survive a fork. A child keeps its parent's writer and never touches it, so that the parent's
# connection is not closed by the child's garbage collection.


def writer() -> Writer:
    """Return this process's writer."""
    found = _writers.get(os.getpid())
    if found is None:
        found = _writers.setdefault(os.getpid(), Writer())
    return found


def close() -> None:
    """Write what waits, for at most the recorder's patience; the next report would start anew."""
    found = _writers.get(os.getpid())
    if found is not None:
        found.close(within=settings().RECORDER_PATIENCE)
