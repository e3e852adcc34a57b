"""Pages of a list that only grows at its head: by key, so that page 1,900 costs what page 1 costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from schedulerui.web.forms.fields import MAX_YEAR, MIN_YEAR
from schedulerui.web.found import key_of

Row = TypeVar("Row", bound=Model)
COUNT_CAP = 10_000
WALK_CAP = 1_000
"""Rows up to which those are counted that no index finds."""
COMMON_CAP = 250
"""The same for words of which it is known that very many rows have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """Rows newest first, and the cursors of the pages beside this one (empty: there is none)."""

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""
    is_bad_cursor: bool = False
    is_past_end: bool = False
    """Whether a page was asked for that has no rows, as when they were deleted since."""

    @property
    def is_first(self) -> bool:
        return not self.newer

    @property
    def is_all(self) -> bool:
        """Whether there are no rows beside these."""
        return not (self.newer or self.older or self.is_bad_cursor or self.is_past_end)


def page_of(queryset: QuerySet[Row], *, moment: str, request: HttpRequest, size: int) -> Page[Row]:
    """Return one page of ``queryset``, ordered by ``moment`` and id, newest first; one query."""
    older, newer = request.GET.get("older", ""), request.GET.get("newer", "")
    cursor = older or newer
    if not cursor:
        return _cut(list(queryset.order_by(f"-{moment}", "-id")[: size + 1]), moment, size, has_newer=False)
    key = _parse(cursor)
    if key is None:
        return Page(rows=[], is_bad_cursor=True)
    at, pk = key
    if older:
        bound = Q(
            **{f"{moment}__lte": at}
        )  # what an index can begin at: SQLite begins at none of two alternatives
        beyond = Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "id__lt": pk})
        rows = list(queryset.filter(bound, beyond).order_by(f"-{moment}", "-id")[: size + 1])
        return _cut(rows, moment, size, has_newer=True) if rows else Page(rows=[], is_past_end=True)
    bound = Q(**{f"{moment}__gte": at})
    beyond = Q(**{f"{moment}__gt": at}) | Q(**{moment: at, "id__gt": pk})
    rows = list(queryset.filter(bound, beyond).order_by(moment, "id")[: size + 1])
    shown = rows[:size][::-1]
    return Page(
        rows=shown,
        newer=_cursor(shown[0], moment) if len(rows) > size else "",
        older=_cursor(shown[-1], moment) if shown else "",
        is_past_end=not shown,
    )


def first_page(rows: Sequence[Row], *, moment: str, size: int) -> Page[Row]:
    """Return the first page of rows that were read newest first: all there are, or more than a page holds."""
    return _cut(list(rows[: size + 1]), moment, size, has_newer=False)


def first_page_counted(
    queryset: QuerySet[Row], *, moment: str, size: int, most: int, fetch: QuerySet[Row]
) -> tuple[Page[Row], int, bool]:
    """Return the first page, how many rows there are and whether more than ``most``, in one walk; two queries.

    For conditions that no index answers: a page and a count would walk twice. ``fetch`` reads the rows by their keys.
    """
    keys = list(queryset.order_by(f"-{moment}", "-id").values_list("pk", flat=True)[: most + 1])
    by_key = {row.pk: row for row in fetch.filter(pk__in=keys[: size + 1])} if keys else {}
    rows = [by_key[key] for key in keys[: size + 1] if key in by_key]
    return _cut(rows, moment, size, has_newer=False), min(len(keys), most), len(keys) > most


def capped_count(
    queryset: QuerySet[Any], *, is_exact: bool = False, most: int = COUNT_CAP
) -> tuple[int, bool]:
    """Return how many rows there are, and whether there are more than were counted; one query.

    ``is_exact``: count them all, however long that takes.
    """
    if is_exact:
        return queryset.order_by().count(), False
    n_found = queryset.order_by()[: most + 1].count()
    return min(n_found, most), n_found > most


def _cut(rows: list[Row], moment: str, size: int, *, has_newer: bool) -> Page[Row]:
    shown = rows[:size]
    return Page(
        rows=shown,
        newer=_cursor(shown[0], moment) if shown and has_newer else "",
        older=_cursor(shown[-1], moment) if len(rows) > size else "",
    )


def _cursor(row: Model, moment: str) -> str:
    return f"{getattr(row, moment).isoformat()}_{row.pk}"


def _parse(cursor: str) -> tuple[datetime, int] | None:
    text, _, named = cursor.rpartition("_")
    at, pk = moment_of(text.replace(" ", "+")), key_of(named)
    return (at, pk) if at is not None and pk is not None else None


def moment_of(text: str) -> datetime | None:
    """Return the moment of a cursor; None for text that is none, or none that a database holds."""
    try:
        given = datetime.fromisoformat(text)
        at = given.astimezone(UTC) if given.tzinfo else None
    except (ValueError, OverflowError):  # near the first and the last day of all, UTC is out of reach
        return None
    return at if at is not None and MIN_YEAR <= at.year <= MAX_YEAR else None
