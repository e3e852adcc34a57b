"""An index that finds words inside names: PostgreSQL has one in an extension, which not everybody may create."""

from __future__ import annotations

from django.db import DatabaseError, connection, transaction

EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
INDEXES = {
    "su_schedule_words": "(upper(name) gin_trgm_ops, upper(task) gin_trgm_ops)",
    "su_schedule_tags": "(tags gin_trgm_ops)",
}
"""Name to what it holds, in the form in which Django asks: ``icontains`` compares capitals."""


class NotAvailable(Exception):
    """This database has no such index; the message is a sentence."""


def create() -> list[str]:
    """Make the indexes that are missing, without holding up writers; return their names.

    Must not be called inside a transaction. Raises NotAvailable on another database than PostgreSQL, and where the extension
    is missing and this user may not create it.
    """
    if connection.vendor != "postgresql":
        message = f"{connection.vendor} has no index for words inside a text: they are looked for row by row."
        raise NotAvailable(message)
    _extend()
    made = []
    with connection.cursor() as cursor:
        for name, columns in INDEXES.items():
            # What an interrupted build leaves behind is not valid, holds up writes and would pass for the index.
            cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
            found = cursor.fetchone()
            if found and found[0]:
                continue
            if found:
                cursor.execute(f"DROP INDEX {name}")
            cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON schedulerui_schedule USING gin {columns}")
            made.append(name)
        if made:  # how common a word is, is known of an index only once it has been looked through
            cursor.execute("ANALYZE schedulerui_schedule")
    return made


def _extend() -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(EXTENSION)
    except DatabaseError as error:
        message = (
            "The extension pg_trgm is not there and this user may not create it. "
            f"An administrator of the database can: {EXTENSION}"
        )
        raise NotAvailable(message) from error
