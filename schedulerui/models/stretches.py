"""How many runs were due in each of many stretches of time: one statement, written as each database answers it fastest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from schedulerui.models.written import Statement

MOST_SELECTS = 40
"""Stretches up to which PostgreSQL plans a select for each sooner than it puts each run into its stretch."""


def counted(table: str, edges: Sequence[datetime], groups: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return for each group of states how many runs were due in each stretch between two edges (ascending, at least two).

    A group without states counts any. One query.
    """
    counts = [[0] * (len(edges) - 1) for _group in groups]
    if connection.vendor == "postgresql" and len(edges) - 1 > MOST_SELECTS:
        for state, place, n in _rows(_by_bucket(table, edges, groups)):
            for group, states in enumerate(groups):
                if state in states or not (state or states):
                    counts[group][place] += n
        return counts
    for group, place, n in _rows(_by_range(table, edges, groups)):
        counts[int(group)][int(place)] = int(n)
    return counts


def _rows(statement: Statement) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return list(cursor.fetchall())


def _by_bucket(table: str, edges: Sequence[datetime], groups: Sequence[Sequence[str]]) -> Statement:
    """Return a walk through the index for all runs, and one for those of the states: no heap is read, and little is planned."""
    name = connection.ops.quote_name(table)
    place = "width_bucket(due_at, %s::timestamptz[])"
    within = f"COUNT(*) FROM {name} WHERE due_at >= %s AND due_at < %s"
    values = [list(edges[1:-1]), edges[0], edges[-1]]
    states = sorted({state for group in groups for state in group})
    text = f"SELECT '' AS state, {place} AS place, {within} GROUP BY place"
    if not states:
        return text, values
    one_of = ", ".join(["%s"] * len(states))
    of_states = f"SELECT state, {place} AS place, {within} AND state IN ({one_of}) GROUP BY state, place"
    return f"{text} UNION ALL {of_states}", [*values, *values, *states]


def _by_range(table: str, edges: Sequence[datetime], groups: Sequence[Sequence[str]]) -> Statement:
    """Return a select of a range of an index for each stretch.

    States by one select for each group, which is planned once and not for each stretch. All runs by one for each: the planner of
    PostgreSQL takes a stretch that it does not know for a large one, and compiles the query.
    """
    name, moment = connection.ops.quote_name(table), connection.ops.adapt_datetimefield_value
    stretches = list(enumerate(itertools.pairwise(edges)))
    known = ["SELECT %s AS place, %s AS first_at, %s AS end_at", *["SELECT %s, %s, %s"] * (len(edges) - 2)]
    values: list[Any] = [each for n, (first, end) in stretches for each in (n, moment(first), moment(end))]
    within = f"SELECT COUNT(*) FROM {name} WHERE due_at >= first_at AND due_at < end_at"  # noqa: S608 - our own table's name
    one = f"SELECT %s, %s, COUNT(*) FROM {name} WHERE due_at >= %s AND due_at < %s"  # noqa: S608 - as above
    parts: list[str] = []
    for group, states in enumerate(groups):
        if states:
            of = ", ".join(["%s"] * len(states))
            parts.append(f"SELECT %s, place, ({within} AND state IN ({of})) FROM stretches")  # noqa: S608 - as above
            values += [group, *states]
            continue
        parts += [one] * len(stretches)
        for n, (first, end) in stretches:
            values += [group, n, moment(first), moment(end)]
    return f"WITH stretches AS ({' UNION ALL '.join(known)}) {' UNION ALL '.join(parts)}", values
