"""Pages of a list that can be sorted by several columns: each by the last row of the one before, so that all cost the same.

Rows without a value in the sorted column come last, by a query of their own: no database then sorts the whole table to put
them there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from schedulerui.web.found import key_of
from schedulerui.web.paging import Page, Row, moment_of

Value = datetime | str | int | float
NO_VALUE = "-"
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,20})?(e-?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A column to sort by, and the key that decides between equals."""

    column: str
    kind: type[Value]
    tie: str = "id"
    """The primary key as the index beside the column holds it."""
    is_descending: bool = False
    is_nullable: bool = False
    over: int | None = None
    """Rows whose number is not above it are in no index of the column, and come last as those without any."""

    @property
    def without(self) -> Q:
        """What rows are that come last."""
        asked = Q(**{f"{self.column}__isnull": True})
        return asked if self.over is None else asked | Q(**{f"{self.column}__lte": self.over})

    @property
    def valued(self) -> Q:
        """What the others are."""
        if self.over is not None:
            return Q(**{f"{self.column}__gt": self.over})
        return Q(**{f"{self.column}__isnull": False})

    def has(self, value: Value | None) -> bool:
        """Return whether a row with this value comes among those that are sorted."""
        return value is not None and (self.over is None or (isinstance(value, int) and value > self.over))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page ends: the row's value, None where it has none, and its key."""

    value: Value | None
    pk: int


def keyset_page(
    queryset: QuerySet[Row],
    *,
    order: Order,
    request: HttpRequest,
    size: int,
    n_all: int | None = None,
    fetch: Callable[[QuerySet[Row]], list[Row]] = list,
) -> Page[Row]:
    """Return one page in this order; one query, and one more where rows without a value may belong to it.

    ``n_all``: how many rows there are, where that is known. ``fetch`` reads rows of which some may be damaged.
    """
    older, newer = request.GET.get("older", ""), request.GET.get("newer", "")
    text, is_back = older or newer, bool(newer and not older)
    cursor = _read(text, order) if text else None
    if text and cursor is None:
        return Page(rows=[], is_bad_cursor=True)
    enough = size + 1 if n_all is None or cursor else min(size + 1, n_all)
    rows: list[Row] = []
    for part in _parts(queryset, order, cursor, is_back=is_back):
        rows += fetch(part[: enough - len(rows)])
        if len(rows) >= enough:
            break
    shown = rows[:size][::-1] if is_back else rows[:size]
    return _page(shown, order, has_more=len(rows) > size, is_back=is_back, is_first=cursor is None)


def _page(shown: list[Row], order: Order, *, has_more: bool, is_back: bool, is_first: bool) -> Page[Row]:
    has_newer = has_more if is_back else not is_first
    has_older = bool(is_back or has_more)
    return Page(
        rows=shown,
        newer=_written(shown[0], order) if shown and has_newer else "",
        older=_written(shown[-1], order) if shown and has_older else "",
        is_past_end=not shown and not is_first,
    )


def _parts(
    queryset: QuerySet[Row], order: Order, cursor: Cursor | None, *, is_back: bool
) -> Iterator[QuerySet[Row]]:
    """Return the queries for rows beyond the cursor, nearest first: those with a value, then those without, or the reverse."""
    up = order.is_descending == is_back
    sign = "" if up else "-"
    beyond = "gt" if up else "lt"
    tie_beyond = Q() if cursor is None else Q(**{f"{order.tie}__{beyond}": cursor.pk})
    without = queryset.filter(order.without).order_by(f"{sign}id")
    valued = queryset.filter(order.valued) if order.is_nullable else queryset
    valued = valued.order_by(f"{sign}{order.column}", f"{sign}{order.tie}")
    if cursor is not None and cursor.value is None:
        yield without.filter(**{f"id__{beyond}": cursor.pk})
        if is_back:
            yield valued
        return
    if cursor is not None:
        same = Q(**{order.column: cursor.value}) & tie_beyond
        bound = Q(**{f"{order.column}__{beyond}e": cursor.value})  # what an index can begin at
        valued = valued.filter(bound, Q(**{f"{order.column}__{beyond}": cursor.value}) | same)
    yield valued
    if order.is_nullable and not is_back:
        yield without


def _written(row: Model, order: Order) -> str:
    value: Any = row
    for name in order.column.split("__"):
        value = getattr(value, name, None)
    if not order.has(value):
        return f"{NO_VALUE}_{row.pk}"
    return f"={value.isoformat() if isinstance(value, datetime) else value}_{row.pk}"


def _read(text: str, order: Order) -> Cursor | None:
    shown, _, named = text.rpartition("_")
    pk = key_of(named)
    if pk is None:
        return None
    if shown == NO_VALUE:
        return Cursor(value=None, pk=pk) if order.is_nullable else None
    value = _value(shown[1:], order) if shown.startswith("=") else None
    return None if value is None else Cursor(value=value, pk=pk)


def _value(text: str, order: Order) -> Value | None:
    if order.kind is datetime:
        return moment_of(text.replace(" ", "+"))
    if order.kind is int:
        return key_of(text)
    if order.kind is float:
        return float(text) if NUMBER.fullmatch(text) else None
    return text if "\x00" not in text and text.isprintable() else None
