"""The last lines that a task logs, kept beside its body: one bounded tail for each body that runs in this process.

A context variable says whose line it is: each thread, greenlet and coroutine has its own, and what ``asyncio`` starts inherits
it. Celery's and our own lines are not the task's.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.operations.masking import masked

LINE_MAX = 2_000
"""Most characters of one line."""
TOLD_EVERY = 5.0
"""Seconds after which the lines of a body that still runs are told, with its next one: as often as its page asks."""
NOT_OF_TASKS = (
    "celery.app.",
    "celery.worker.",
    "celery.pool",
    "celery.utils.",
    "schedulerui.",
    "django.db.backends",
)
LOGGERS = ("", "celery.task")
"""Celery's task logger does not hand its lines on to the root."""


class Tail:
    """The last lines of one body, at most ``LOG_TAIL_LINES`` and ``LOG_TAIL_LIMIT`` characters."""

    __slots__ = ("_lines", "_n_chars", "_told", "before", "n_dropped", "tell")

    def __init__(self, *, before: Tail | None, tell: Callable[[], None] | None = None) -> None:
        self._lines: deque[str] = deque()
        self._n_chars = 0
        self._told = clock.monotonic()
        self.before = before
        self.tell = tell
        self.n_dropped = 0

    def add(self, line: str) -> None:
        limits = settings()
        self._lines.append(line)
        self._n_chars += len(line) + 1
        while self._lines and (
            len(self._lines) > limits.LOG_TAIL_LINES or self._n_chars > limits.LOG_TAIL_LIMIT
        ):
            self._n_chars -= len(self._lines.popleft()) + 1
            self.n_dropped += 1

    def tell_if_due(self) -> None:
        """Have the lines so far told, unless they were a moment ago."""
        now = clock.monotonic()
        if self.tell is not None and now - self._told >= TOLD_EVERY:
            self._told = now
            self.tell()

    def text(self) -> str:
        """Return the lines, and before them how many were left out."""
        lines = list(self._lines)
        if self.n_dropped:
            lines.insert(0, f"[... {self.n_dropped} earlier lines are not kept ...]")
        return "\n".join(lines)


_tail: ContextVar[Tail | None] = ContextVar("schedulerui_tail", default=None)


class TailHandler(logging.Handler):
    """Hands each line to the tail of the body that logs it; never raises into it."""

    def emit(self, record: logging.LogRecord) -> None:
        tail = _tail.get()
        if tail is None or record.name.startswith(NOT_OF_TASKS):
            return
        try:
            # Masked as one text: a list of secrets, and a key as files have it, go on over several lines.
            lines = [line[:LINE_MAX] for line in _words(record).splitlines()]
            for line in masked("\n".join(lines)).splitlines() or [""]:
                tail.add(line)
        except Exception:  # noqa: BLE001 - a line that cannot be made is left out; the task goes on
            tail.n_dropped += 1
        tail.tell_if_due()


_handler = TailHandler()
_formatter = logging.Formatter()


def begin(*, tell: Callable[[], None] | None = None) -> Tail | None:
    """Keep what this thread logs from now on; None, and nothing kept, while one of the two limits is 0.

    ``tell`` is called now and then while lines come, in the thread that logs: it must neither wait nor raise.
    """
    limits = settings()
    if limits.LOG_TAIL_LINES <= 0 or limits.LOG_TAIL_LIMIT <= 0:
        return None
    _install()
    begun = Tail(before=_tail.get(), tell=tell)
    _tail.set(begun)
    return begun


def end(begun: Tail | None) -> None:
    """Stop keeping; a body that ran inside another one gives it back its own tail."""
    if begun is not None:
        _tail.set(begun.before)
        begun.tell = None


def text_of(begun: Tail | None) -> str:
    """Return what the body has logged so far; empty where nothing is kept."""
    return "" if begun is None else begun.text()


def _install() -> None:
    """Attach the handler, also again after somebody configured logging anew."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if _handler not in logger.handlers and not (name and logger.propagate):
            logger.addHandler(_handler)


def _words(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, tz=UTC)
    words = f"{at:%H:%M:%S}.{int(record.msecs):03d} {record.levelname} {record.name}: {record.getMessage()}"
    if record.exc_info:
        words += "\n" + _formatter.formatException(record.exc_info)
    return words
