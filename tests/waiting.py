"""Waiting for a condition with a deadline: the only place of the tests that lets time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

Answer = TypeVar("Answer")
_NEVER = Event()


def eventually(
    condition: Callable[[], Answer],
    *,
    within: float,
    every: float = 0.05,
    describe: str | Callable[[], str] = "",
    ignoring: type[Exception] | tuple[type[Exception], ...] = (),
) -> Answer:
    """Ask `condition` every `every` seconds until its answer is true, and return that answer.

    `describe` says what was awaited (a callable is asked at the end only, so it may show the last state).
    Exceptions of the kinds in `ignoring` count as "not yet". Raises AssertionError after `within` seconds, with the
    last answer or exception; the condition is asked at least once, and once more at the deadline.
    """
    deadline = time.monotonic() + within
    n_asked = 0
    while True:
        is_last = time.monotonic() >= deadline
        n_asked += 1
        error: Exception | None = None
        answer: Answer | None = None
        try:
            answer = condition()
        except ignoring as seen:
            error = seen
        if answer:
            return answer
        if is_last:
            raise AssertionError(_failure(condition, describe, within, n_asked, error or answer)) from error
        _NEVER.wait(min(every, max(0.0, deadline - time.monotonic())))


def _failure(
    condition: Callable[[], object],
    describe: str | Callable[[], str],
    within: float,
    n_asked: int,
    last: object,
) -> str:
    text = describe() if callable(describe) else describe
    awaited = text or getattr(condition, "__qualname__", repr(condition))
    return f"not within {within:g} s (asked {n_asked} times): {awaited}; the last answer was {last!r}"
