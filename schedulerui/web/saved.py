"""Filters that a person keeps under a name."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from schedulerui.models import SavedView

PAGES = ("schedules", "runs")
MOST_VIEWS = 50
"""Views that one person keeps of one list."""
NOT_KEPT = frozenset({"older", "newer", "since", "have", "newest", "count"})
"""Keys of an address that say where one is in a list, not which list it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRow:
    """A saved view as its menu shows it."""

    pk: int
    name: str
    address: str
    """The query string that opens it."""
    is_current: bool


def views_of(request: HttpRequest, page: str) -> list[ViewRow]:
    """Return what the person has saved of a list, by name; one query."""
    here = kept(request.GET.urlencode())
    found = SavedView.objects.filter(user_id=owner_of(request), page=page).order_by("name")[:MOST_VIEWS]
    return [
        ViewRow(pk=view.pk, name=view.name, address=f"?{view.query}", is_current=view.query == here)
        for view in found
    ]


def owner_of(request: HttpRequest) -> int:
    """Return the key of the person who asks; the gate lets nobody through who has none."""
    return int(request.user.pk or 0)


def kept(query: str) -> str:
    """Return the part of a query string that a view keeps, in an order of its own so that equal ones are equal."""
    given = QueryDict(query.lstrip("?"))
    chosen = QueryDict(mutable=True)
    for key in sorted(given):
        if key not in NOT_KEPT and given[key].strip():
            chosen[key] = given[key]
    return chosen.urlencode()
