"""Words inside names: how a column is asked for one, and which schedules have them all."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection
from django.db.models import F, Q, Value
from django.db.models.functions import StrIndex, Upper
from django.db.models.lookups import GreaterThan

from schedulerui.models import Schedule
from schedulerui.web.query_language import MOST_TERMS, Term

MOST_NAMED = 2_000
"""Schedules that a search among runs looks for by their keys; words that more of them have are looked for in the runs."""
INDEXED = 3
"""Letters from which on the index of words finds one."""


def holds(columns: Sequence[str], word: str, *, is_common: bool = False) -> Q:
    """Ask for rows that have a word in one of the columns, in capitals or not; ``is_common``: most likely in many of them."""
    is_postgres = connection.vendor == "postgresql"
    # Two digits are too short for the index of words, and are the same in capitals: to compare them as they are is faster.
    is_plain = is_postgres and len(word) < INDEXED and _is_plain(word)
    asked = Q()
    for column in columns:
        if is_common and is_postgres:
            # It takes LIKE for rare, reads all the rows in reach and sorts them; a number it takes for common, and stops early.
            text, sought = (
                (F(column), Value(word)) if _is_plain(word) else (Upper(F(column)), Upper(Value(word)))
            )
            asked |= Q(GreaterThan(StrIndex(text, sought), 0))
        else:
            asked |= Q(**{f"{column}__{'contains' if is_plain else 'icontains'}": word})
    return asked


def all_hold(columns: Sequence[str], words: Sequence[Term], *, is_common: bool = False) -> Q:
    """Ask for rows that have every word in one of the columns, and none of those with a minus."""
    asked = Q()
    # Those first that cost the least to compare: the others are asked of fewer rows.
    for word in sorted(words[:MOST_TERMS], key=lambda word: not _is_plain(word.value)):
        each = holds(columns, word.value, is_common=is_common)
        asked &= ~each if word.is_negated else each
    return asked


def _is_plain(word: str) -> bool:
    """Return whether a word is the same in capitals and without."""
    return word.upper() == word.lower()


def schedules_with(words: Sequence[Term]) -> list[int] | None:
    """Return the keys of the schedules whose name or task has the words; None when they are too many; one query."""
    found = Schedule.objects.filter(all_hold(("name", "task"), words)).order_by().values_list("pk", flat=True)
    keys = list(found[: MOST_NAMED + 1])
    return keys if len(keys) <= MOST_NAMED else None
