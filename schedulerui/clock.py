"""The one place that reads the wall clock; everybody else is handed a moment."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from django.db import DEFAULT_DB_ALIAS, connections


class Clock(Protocol):
    """A source of moments: wall time in UTC, and seconds that never go back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        return now()

    def monotonic(self) -> float:
        return time.monotonic()


class DatabaseClock:
    """The database server's clock, so that beats on several machines agree; SQLite has none and uses this machine's."""

    _expressions = {"postgresql": "clock_timestamp()", "mysql": "UTC_TIMESTAMP(6)"}

    def __init__(self, *, using: str = DEFAULT_DB_ALIAS) -> None:
        self._using = using

    def now(self) -> datetime:
        """Return the database's moment in UTC; raises django.db.Error when it cannot be asked."""
        expression = self.expression()
        if not expression:
            return now()
        with connections[self._using].cursor() as cursor:
            cursor.execute(f"SELECT {expression}")
            moment: datetime = cursor.fetchone()[0]
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def expression(self) -> str:
        """Return the SQL that is the database's moment in UTC, for a query that asks more; empty when this machine's counts."""
        return self._expressions.get(connections[self._using].vendor, "")

    def monotonic(self) -> float:
        return time.monotonic()


def now() -> datetime:
    """Return this machine's wall time as an aware moment in UTC."""
    return datetime.now(tz=UTC)


def monotonic() -> float:
    """Return seconds that never go back; only differences mean something."""
    return time.monotonic()
