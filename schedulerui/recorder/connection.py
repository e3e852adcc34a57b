"""The connection of the recorder's threads: kept while they write, and never waiting for a lock for long."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from schedulerui.conf import settings
from schedulerui.recorder.forks import unforked

P = ParamSpec("P")
T = TypeVar("T")


def prepare_connection() -> None:
    """Open this thread's connection; a lock is waited for only a part of the recorder's patience."""
    connection = connections[DEFAULT_DB_ALIAS]
    # Kept between reports (CONN_MAX_AGE is about requests) and closed when idle; a broken one is closed when it raises.
    if connection.connection is not None:
        return
    connection.ensure_connection()
    milliseconds = int(settings().RECORDER_PATIENCE * 600)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        elif connection.vendor == "postgresql":
            cursor.execute(f"SET lock_timeout = {milliseconds}")
        elif connection.vendor == "mysql":
            # Whole seconds, one at least.
            seconds = max(1, milliseconds // 1000)
            cursor.execute(f"SET lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")


def close_connection() -> None:
    """Close this thread's connection."""
    with unforked():
        connections[DEFAULT_DB_ALIAS].close()


def connected(step: Callable[P, T]) -> Callable[P, T]:
    """Return the step with this thread's connection prepared, and no fork of this process while it is at work."""

    @wraps(step)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with unforked():
            prepare_connection()
            return step(*args, **kwargs)

    return call
