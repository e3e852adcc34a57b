"""What an error of the database means to people, and how to ask on a page of a host without harm to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.utils.translation import gettext as _

T = TypeVar("T")
AWAY: tuple[type[DatabaseError] | type[InterfaceError], ...] = (
    OperationalError,
    InterfaceError,
    ProgrammingError,
)
"""No connection, a broken one, a lock that was not given in time; also tables that no migration has made yet."""
NOT_THERE = frozenset({"42P01", "42703"})
"""PostgreSQL's codes for a table and a column that are not there; its sentences are in the server's language."""
NUMBERS_NOT_THERE = frozenset({1146, 1054})
"""MariaDB's numbers for the same."""
WORDS = re.compile(r"no such table|no such column|has no column named|unknown column", re.IGNORECASE)
"""What SQLite and MariaDB say of tables that are not of this version."""


def trouble_of(error: Exception) -> tuple[bool, str]:
    """Return whether migrations are to be run, and what is wrong in a sentence.

    Raises the error itself where a statement was wrong and the database is not behind.
    """
    if is_behind(error):
        return True, _("The tables of the database are not those of this version: migrations are to be run.")
    if isinstance(error, ProgrammingError):
        raise error
    return False, _("The database does not answer, or is too busy to answer in time.")


def is_behind(error: Exception) -> bool:
    """Return whether a table or a column is not there: this version's migrations have not been run."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)  # psycopg 3, psycopg2
    number = error.args[0] if error.args else None
    return code in NOT_THERE or number in NUMBERS_NOT_THERE or WORDS.search(str(error)) is not None


def in_savepoint(ask: Callable[[], T]) -> T:
    """Ask so that a question that fails leaves the host's transaction as it was.

    Only inside of one: begun for our sake it might take a lock for writing, as SQLite's immediate transactions do.
    """
    if not connection.in_atomic_block:
        return ask()
    with transaction.atomic():
        return ask()
