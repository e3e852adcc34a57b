"""Several short lists in one question: a page that shows ten of this and ten of that need not ask for each apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from schedulerui.models.written import Statement, written

Lists = Mapping[str, QuerySet[Any]]


def keys_of(lists: Callable[[datetime], Lists], *, now: datetime, name: str = "") -> Mapping[str, list[int]]:
    """Return the keys of the rows of each list, in the order of each, none for any other; one query however many lists there are.

    Each is a sliced queryset with an order. As tables of their own, because SQLite takes no limit in a part of a union.
    ``name``: what the statement is kept as, where the lists are the same for everybody.
    """
    found: defaultdict[str, list[int]] = defaultdict(list)
    text, values = written(name, lambda at: _statement(lists(at)), now=now)
    if text:
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            for each, key in cursor.fetchall():
                found[each].append(int(key))
    return found


def _statement(lists: Lists) -> Statement:
    """Return the statement that asks for all of them; empty where none can have rows."""
    parts: list[str] = []
    values: list[Any] = []
    for name, rows in lists.items():
        try:
            text, params = rows.values_list("pk").query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"SELECT %s, short.* FROM ({text}) short")  # noqa: S608 - Django's own text, its values apart
        values += [name, *params]
    return " UNION ALL ".join(parts), values
