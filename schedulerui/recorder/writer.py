"""The thread that writes reports, one per process, with its own connection; a task waits for it only so long.

The start is written while the body runs, or left out where the end, which tells it too, is there before. The end is waited for by
the next task of the same thread before its body begins, which is hardly ever a wait; a task that acknowledges late waits for
its start and its end itself, before its message is gone. That a message came is written only where its body has not begun a moment later.

While the database is away or locked, reports go to the spool at once, and no task waits: the first that had to wait its full
patience, or the first write that failed, says so for all. The thread tries again every second and replays what was spooled.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.facts import RANK, RunState
from schedulerui.operations import history, spool
from schedulerui.operations.reports import Report
from schedulerui.recorder.connection import close_connection, connected

logger = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""Reports that wait in memory; more go to the spool."""
RETRY_EVERY = 1.0
"""Seconds between two tries while the database is away."""
IDLE = 10.0
"""Seconds without a report after which the connection is closed."""


LOOK_AHEAD = 50
"""Waiting reports among which a later one of the same delivery is looked for."""
EARLIER = frozenset({RunState.RECEIVED, RunState.STARTED})
"""States whose reports say nothing that a later one of the same delivery does not say."""


@dataclass(slots=True)
class Taken:
    """A report on its way to the database."""

    report: Report
    done: threading.Event = field(default_factory=threading.Event)
    is_written: bool = False
    due: float = 0.0
    """Monotonic moment before which it is not written."""
    is_moot: Callable[[], bool] = bool
    """Whether it need not be written any more, asked when it is due; ``bool()`` is False."""


class Writer:
    """Takes reports from the threads that run tasks; started by the first one."""

    def __init__(
        self,
        *,
        apply: Callable[[Report], object] = history.record,
        probe: Callable[[], object] = history.probe,
        waiting: spool.Spool | None = None,
    ) -> None:
        self._apply = connected(apply)
        self._probe = connected(probe)
        self._spool = waiting
        self._queue: queue.Queue[Taken | None] = queue.Queue(WAITING_MAX)
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_away = False
        self._tried = 0.0
        self._later: deque[Taken] = deque()
        self._current: Taken | None = None

    @property
    def is_away(self) -> bool:
        """Whether reports go to the spool at present."""
        return self._is_away

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that only what must be told is worth a place: ends wait for what is before them."""
        return self.is_away or self._queue.qsize() >= LOOK_AHEAD

    def submit(self, report: Report, *, patience: float) -> bool:
        """Take a report and return when it is written, at most ``patience`` seconds later; at once for 0.

        Returns whether it is known to be written. Otherwise it is queued in memory, or safe in the spool.
        """
        taken = self.take(report)
        return self.wait_for(taken, patience=patience) if patience > 0 else False

    def take(self, report: Report) -> Taken | None:
        """Take a report to be written soon; None when it is safe in the spool already."""
        self._start()
        item = Taken(report)
        if not self._is_away:
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(item)
                return item
        self._keep(report)
        return None

    def wait_for(self, taken: Taken | None, *, patience: float) -> bool:
        """Wait until a report is written, or for as long as the patience lasts: then the database counts as away."""
        if taken is None:
            return False
        if taken.done.wait(patience):
            return taken.is_written
        self._is_away = True
        # It may be written a second time by the thread that is stuck with it; history takes it once.
        self._keep(taken.report)
        return False

    def submit_later(self, report: Report, *, after: float, is_moot: Callable[[], bool]) -> None:
        """Take a report that nobody waits for, to be written in ``after`` seconds unless it is moot by then."""
        self._start()
        item = Taken(report, due=clock.monotonic() + after, is_moot=is_moot)
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._keep(report)

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
        for known in ([stuck] if stuck is not None else []) + list(self._later):
            self._keep(known.report)
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
                self._write_due()
                try:
                    item = self._queue.get(timeout=self._patience())
                except queue.Empty:
                    self._rest()
                    continue
                if item is None:
                    self._write_due(at_once=True)
                    return
                if item.due > clock.monotonic():
                    self._later.append(item)
                    continue
                self._take(item)
        finally:
            close_connection()

    def _take(self, item: Taken) -> None:
        if self._is_told_by_a_later_one(item.report):
            item.done.set()
            return
        self._current = item
        self._write(item)
        self._current = None
        self._catch_up()

    def _write_due(self, *, at_once: bool = False) -> None:
        """Write what was to wait for a moment and is not moot now; all of it at the end."""
        while self._later and (at_once or self._later[0].due <= clock.monotonic()):
            item = self._later.popleft()
            if not item.is_moot():
                self._take(item)

    def _patience(self) -> float:
        """Return for how long to wait for the next report."""
        usual = RETRY_EVERY if self._is_away else IDLE
        return usual if not self._later else max(0.0, min(usual, self._later[0].due - clock.monotonic()))

    def _is_told_by_a_later_one(self, report: Report) -> bool:
        """Whether a report that waits in the queue says all that this one says."""
        if report.state not in EARLIER or report.received_at is None:
            return False
        with self._queue.mutex:
            waiting = [item.report for item in islice(self._queue.queue, LOOK_AHEAD) if item is not None]
        delivery = (report.task_id, report.attempt, report.instance, report.received_at)
        return any(
            (later.task_id, later.attempt, later.instance, later.received_at) == delivery
            and RANK[later.state] > RANK[report.state]
            for later in waiting
        )

    def _rest(self) -> None:
        if self._is_away:
            self._catch_up()
        elif not self._later:
            close_connection()

    def _write(self, item: Taken) -> None:
        try:
            if self._is_away:
                self._keep(item.report)
                return
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
        close_connection()

    def _keep(self, report: Report) -> None:
        try:
            self._folder().append(report)
        except (OSError, spool.SpoolError):
            logger.exception("a report is lost", extra={"action": "spool_error", "task_id": report.task_id})

    def _folder(self) -> spool.Spool:
        if self._spool is None:
            self._spool = spool.default()
        return self._spool


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
