"""What a beat's database session is told: nobody waits for the rows of a beat that stands still in the middle of a claim."""

from __future__ import annotations

from typing import Any

from django.db import connection

IDLE = {
    "postgresql": "SET idle_in_transaction_session_timeout = {milliseconds}",
    "mariadb": "SET SESSION idle_transaction_timeout = {seconds}",
}
"""Ends a session that is in a transaction and asks nothing for so long; MySQL and SQLite know no such limit."""


class Sessions:
    """Tells each new session of this thread once, however often the connection is lost."""

    def __init__(self, *, idle: float) -> None:
        """``idle`` is the most seconds that a transaction may stand still: a part of the lease, after which nothing is sent."""
        self._idle = max(idle, 1.0)
        self._told: Any = None

    def tell(self) -> None:
        """Set the limit if the session is a new one; raises django.db.Error when there is none to be had."""
        connection.ensure_connection()
        if connection.connection is self._told:
            return
        is_mariadb = connection.vendor == "mysql" and getattr(connection, "mysql_is_mariadb", False)
        statement = IDLE.get("mariadb" if is_mariadb else connection.vendor)
        if statement is not None:
            with connection.cursor() as cursor:
                cursor.execute(
                    statement.format(milliseconds=int(self._idle * 1000), seconds=max(int(self._idle), 1))
                )
        self._told = connection.connection
