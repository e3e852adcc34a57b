"""Several short lists in one question: a page that shows ten of this and ten of that need not ask for each apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def keys_of(lists: Mapping[str, QuerySet[Any]]) -> dict[str, list[int]]:
    """Return the keys of the rows of each list, in the order of each; one query however many lists there are.

    Each is a sliced queryset with an order. As tables of their own, because SQLite takes no limit in a part of a union.
    """
    found: dict[str, list[int]] = {name: [] for name in lists}
    parts: list[str] = []
    values: list[Any] = []
    for name, rows in lists.items():
        try:
            text, params = rows.values_list("pk").query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"SELECT %s, short.* FROM ({text}) short")  # noqa: S608 - Django's own text, its values apart
        values += [name, *params]
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), values)
            for name, key in cursor.fetchall():
                found[name].append(int(key))
    return found
