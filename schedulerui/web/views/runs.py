"""The list of runs, and the rows of it that changed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import rights_of, visible
from schedulerui.conf import settings
from schedulerui.models import Run, Schedule
from schedulerui.presenters.runs import LIST_COLUMNS, grace_of, run_row, with_grace
from schedulerui.web.bulk import RUN_ACTIONS, offered
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.history_filters import LONGEST, ORDER_WORDS, SCANNED, Looked, RunFilter
from schedulerui.web.keyset import Order, keyset_page
from schedulerui.web.live import Part, answer, carried, in_view_and_new, newest_key, newest_of, news
from schedulerui.web.paging import (
    COMMON_CAP,
    COUNT_CAP,
    WALK_CAP,
    Page,
    capped_count,
    first_page_counted,
    page_of,
)
from schedulerui.web.saved import views_of

ROW_ID = re.compile(r"run-([0-9]{1,18})")
ROW = "schedulerui/runs/_row.html"
BY_TIME = Order(column="runtime", kind=float, is_descending=True, is_nullable=True)


@gate("view", methods=("GET", "HEAD"))
def runs(request: HttpRequest) -> HttpResponse:
    """Answer the whole page, or its results to htmx. At most six queries."""
    context = _context(request, now=clock.now())
    if htmx_of(request):
        return render(request, "schedulerui/runs/_results.html", context)
    context["saved"] = views_of(request, "runs")
    return render(request, "schedulerui/pages/runs.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_runs(request: HttpRequest) -> HttpResponse:
    """Answer the rows in view that changed and how many are new, 204 when nothing did; one query."""
    now = clock.now()
    have = carried(request)
    ids = [int(match[1]) for match in map(ROW_ID.fullmatch, have) if match]
    found = {run.pk: run_row(run, grace=grace_of(run)) for run in _asked(request, ids, now=now)}
    parts = [
        Part(
            id=f"run-{pk}",
            digest=found[pk].digest,
            template=ROW,
            context={"row": found[pk], "now": now, "picks": True},
        )
        for pk in ids
        if pk in found
    ]
    gone = [f"run-{pk}" for pk in ids if pk not in found]
    return answer(request, [*parts, *news(request, len(found.keys() - set(ids)))], gone=gone)


def _asked(request: HttpRequest, ids: list[int], *, now: datetime) -> list[Run]:
    """Return the runs in view, and those that came since and match the filter."""
    allowed = with_grace(_allowed(request))
    newest, fresh = newest_of(request), None
    if newest is not None:
        fresh = RunFilter(request.GET, queryset=allowed, now=now).narrowed.filter(pk__gt=newest)
    return in_view_and_new(allowed, ids, fresh)


def _allowed(request: HttpRequest) -> QuerySet[Run]:
    """Return the runs that the person may know of, with what a line says."""
    return visible(request.user, Run.objects.only(*LIST_COLUMNS))


def _context(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    allowed = _allowed(request)
    found = RunFilter(request.GET, queryset=allowed, now=now)
    is_exact = request.GET.get("count") == "exact"
    looked = found.looked_through(is_exact=is_exact)
    page, count, is_capped = _page(request, found, looked, allowed)
    rights = rights_of(request.user)
    return {
        "filter": found,
        "page": page,
        "rows": [run_row(run, grace=grace_of(run)) for run in page.rows],
        "query": found.query(),
        "sort": LONGEST if found.is_sorted_by_time else "newest",
        "orders": ORDER_WORDS,
        "count": count,
        "is_capped": is_capped,
        "is_exact": is_exact,
        "looked_at": looked.since,
        "n_looked_at": SCANNED,
        "newest": (newest_key(Run) if looked.newest is None else looked.newest) if page.is_first else None,
        "schedule": _schedule_of(request, found),
        "rights": rights,
        "picks": True,
        "bulk_actions": offered(rights, RUN_ACTIONS),
        "here": request.get_full_path(),
        "now": now,
        "poll_every": settings().POLL_EVERY,
    }


def _page(
    request: HttpRequest, found: RunFilter, looked: Looked, allowed: QuerySet[Run]
) -> tuple[Page[Run], int, bool]:
    """Return the page, how many runs there are, and whether there are more than were counted."""
    size, is_first = settings().PAGE_SIZE, not (request.GET.get("older") or request.GET.get("newer"))
    by_time, most = found.is_sorted_by_time, COUNT_CAP
    if looked.is_walk and not by_time:
        most = max(COMMON_CAP if found.is_common else WALK_CAP, size)
    if looked.is_walk and is_first and not by_time:
        return first_page_counted(
            looked.rows, moment="due_at", size=size, most=most, fetch=with_grace(allowed)
        )
    if by_time:
        page = keyset_page(with_grace(looked.rows), order=BY_TIME, request=request, size=size)
    else:
        page = page_of(with_grace(looked.rows), moment="due_at", request=request, size=size)
    if page.is_all:  # a second walk through what no index finds would tell the same
        return page, len(page.rows), False
    return page, *capped_count(looked.rows, is_exact=request.GET.get("count") == "exact", most=most)


def _schedule_of(request: HttpRequest, found: RunFilter) -> Schedule | None:
    """Return the schedule that the list is narrowed to, for its name."""
    pk = found.form.cleaned_data.get("schedule") if not found.problems else None
    return visible(request.user, Schedule.objects.only("name")).filter(pk=pk).first() if pk else None
