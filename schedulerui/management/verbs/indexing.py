"""`index`: let PostgreSQL find words inside names and tags by an index."""

from __future__ import annotations

from schedulerui.operations import word_index


def make() -> str:
    """Make what is missing and say so; a database that has no such index is no failure."""
    try:
        made = word_index.create()
    except word_index.NotAvailable as why:
        return str(why)
    return f"Made: {', '.join(made)}." if made else "All indexes are there."
