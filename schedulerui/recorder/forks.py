"""Keeps a worker from forking a pool process in the middle of a write to SQLite.

SQLite keeps its locks on a file in memory that a fork copies. A pool process that is forked while another thread of the main
process writes, for the report of the process that it replaces, would take that thread's lock for one of its own that never
ends: each of its reports would find the database locked, for as long as it lives.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

LONGEST = 2.0
"""Seconds for which a fork waits for a write at most."""


class _Gate:
    """Counts the threads that write; whoever forks waits until there are none, and lets none begin meanwhile."""

    def __init__(self) -> None:
        self._nobody = threading.Condition()
        self._n_inside = 0

    def enter(self) -> None:
        with self._nobody:
            self._n_inside += 1

    def leave(self) -> None:
        with self._nobody:
            self._n_inside = max(0, self._n_inside - 1)
            self._nobody.notify_all()

    def before_fork(self) -> None:
        self._nobody.acquire()
        self._nobody.wait_for(lambda: self._n_inside == 0, timeout=LONGEST)

    def after_fork(self) -> None:
        self._nobody.release()

    def after_fork_in_child(self) -> None:
        # The threads that were inside are not here.
        self._nobody, self._n_inside = threading.Condition(), 0


_gate = _Gate()
os.register_at_fork(
    before=_gate.before_fork,
    after_in_parent=_gate.after_fork,
    after_in_child=_gate.after_fork_in_child,
)


@contextmanager
def unforked() -> Iterator[None]:
    """Let this process not fork before what is inside is done, or two seconds have passed; without effect but on SQLite."""
    if connections[DEFAULT_DB_ALIAS].vendor != "sqlite":
        yield
        return
    _gate.enter()
    try:
        yield
    finally:
        _gate.leave()
