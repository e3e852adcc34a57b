"""Signals wait while a message and the note of it belong together."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""What Celery's handlers of beat end the process by, with an exit that is raised between any two instructions."""


@contextmanager
def held() -> Iterator[None]:
    """Hold these signals back from this thread; they arrive at the end. Costs two system calls."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
