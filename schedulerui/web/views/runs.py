"""The list of runs, and its table alone for pages that ask again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.models import Run, Schedule
from schedulerui.presenters import digest
from schedulerui.presenters.runs import LIST_COLUMNS, run_row, version_of
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.history_filters import RunFilter
from schedulerui.web.paging import capped_count, page_of
from schedulerui.web.responses import unchanged


@gate("view", methods=("GET", "HEAD"))
def runs(request: HttpRequest) -> HttpResponse:
    """Answer the whole page, or its results to htmx."""
    context = _context(request)
    found = context["filter"]
    count, is_capped = capped_count(found.narrowed)
    context |= {"count": count, "is_capped": is_capped, "schedule": _schedule_of(found)}
    template = "schedulerui/runs/_results.html" if htmx_of(request) else "schedulerui/pages/runs.html"
    return render(request, template, context)


@gate("view", methods=("GET", "HEAD"))
def live_runs(request: HttpRequest) -> HttpResponse:
    """Answer the table when it looks different from ``since``, else 204; one query."""
    context = _context(request)
    if request.GET.get("since") == context["since"]:
        return unchanged()
    return render(request, "schedulerui/runs/_table.html", context)


def _context(request: HttpRequest) -> dict[str, Any]:
    found = RunFilter(request.GET, queryset=Run.objects.only(*LIST_COLUMNS))
    page = page_of(found.narrowed, moment="due_at", request=request, size=settings().PAGE_SIZE)
    return {
        "filter": found,
        "page": page,
        "rows": [run_row(run) for run in page.rows],
        "since": digest(version_of(page.rows)),
        "query": found.query(),
        "now": clock.now(),
        "poll_every": settings().POLL_EVERY,
    }


def _schedule_of(found: RunFilter) -> Schedule | None:
    """Return the schedule that the list is narrowed to, for its name."""
    pk = found.form.cleaned_data.get("schedule") if not found.problems else None
    return Schedule.objects.only("name").filter(pk=pk).first() if pk else None
