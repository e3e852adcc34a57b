"""Answers to polls: only the parts of a page that look different from what the browser has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from schedulerui.web.found import key_of
from schedulerui.web.responses import unchanged

Row = TypeVar("Row", bound=Model)
MOST_CARRIED = 500
"""Parts that one poll may name; more are not looked at."""
MOST_NEW = 100
"""New rows that a poll counts; more are "99+"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One element of a page: its id, what changes with its looks, and how to draw it anew."""

    id: str
    digest: str
    template: str
    context: Mapping[str, Any]


def carried(request: HttpRequest) -> dict[str, str]:
    """Return what the browser has: id to digest, from ``have=id:digest,id:digest``."""
    pairs = (pair.partition(":") for pair in request.GET.get("have", "").split(",")[:MOST_CARRIED])
    return {name: digest for name, colon, digest in pairs if colon and name}


def newest_of(request: HttpRequest) -> int | None:
    """Return the key of the newest row when the page was made; None where the page shows no new rows."""
    return key_of(request.GET.get("newest", ""))


def newest_key(model: type[Model]) -> int:
    """Return the key of the newest row, 0 where there is none; one query."""
    found: int | None = model._default_manager.aggregate(newest=Max("pk"))["newest"]  # noqa: SLF001 - Django's documented name
    return found or 0


def in_view_and_new(rows: QuerySet[Row], ids: Sequence[int], fresh: QuerySet[Row] | None) -> list[Row]:
    """Return the rows in view and at most ``MOST_NEW`` of the fresh ones; one query, two where there are more fresh ones.

    Two selects in one statement: one that has either condition walks through the whole table on SQLite.
    """
    here = rows.filter(pk__in=ids).order_by()
    if fresh is None:
        return list(here)
    most = len(ids) + MOST_NEW
    found = list(here.union(fresh.order_by(), all=True)[:most])
    if len(found) < most:
        return found
    # No database promises which select it reads first: those in view must not be missing.
    return list({row.pk: row for row in [*here, *found]}.values())


def news(request: HttpRequest, n_new: int) -> list[Part]:
    """Return the part that tells how many rows came since the page was made; nothing where the page has no place for it."""
    if newest_of(request) is None:
        return []
    context = {"n_new": n_new, "most": MOST_NEW - 1}
    return [Part(id="news", digest=str(n_new), template="schedulerui/components/_news.html", context=context)]


def answer(request: HttpRequest, parts: Iterable[Part], *, gone: Iterable[str] = ()) -> HttpResponse:
    """Answer the parts that changed, out of band, and remove those ``gone``; 204 when there is nothing to say."""
    have = carried(request)
    changed = [part for part in parts if have.get(part.id) != part.digest]
    leaving = [name for name in gone if name in have]
    if not changed and not leaving:
        return unchanged()
    bodies = [render_to_string(part.template, {**part.context, "oob": True}, request) for part in changed]
    if leaving:
        bodies.append(render_to_string("schedulerui/components/_gone.html", {"ids": leaving}, request))
    return HttpResponse("\n".join(bodies))
