"""The list of schedules, its results alone for htmx, and its changed rows for the poll."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.conf import settings
from schedulerui.models import Schedule
from schedulerui.presenters.schedules import LIST_COLUMNS, ScheduleRow, schedule_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.filters import ORDERS, ScheduleFilter, order_of
from schedulerui.web.live import Part, answer, carried
from schedulerui.web.paging import capped_count

MOST_ROWS_SENT = 20
"""Changed rows sent one by one; more, and the table's body is sent as a whole."""
LAST_PAGE = 2_000
ROW_ID = re.compile(r"schedule-([0-9]{1,18})")
ROW = "schedulerui/schedules/_row.html"


@gate("view", methods=("GET", "HEAD"))
def schedules(request: HttpRequest) -> HttpResponse:
    """Answer the page; to htmx the results alone. Two queries."""
    template = (
        "schedulerui/schedules/_results.html" if htmx_of(request) else "schedulerui/pages/schedules.html"
    )
    return render(request, template, _context(request, now=clock.now()))


@gate("view", methods=("GET", "HEAD"))
def live_schedules(request: HttpRequest) -> HttpResponse:
    """Answer the rows in view that changed, 204 when none did. One query."""
    now = clock.now()
    have = carried(request)
    ids = [int(match[1]) for match in map(ROW_ID.fullmatch, have) if match]
    found = {row.pk: row for row in rows_of(Schedule.objects.filter(pk__in=ids), now=now)}
    rows = [found[pk] for pk in ids if pk in found]
    context = {"rights": rights_of(request.user), "now": now}
    parts = [
        Part(id=f"schedule-{row.pk}", digest=row.digest, template=ROW, context={**context, "row": row})
        for row in rows
    ]
    if sum(have[part.id] != part.digest for part in parts) > MOST_ROWS_SENT:
        body = Part(
            id="schedule-rows",
            digest="all",
            template="schedulerui/schedules/_rows.html",
            context={**context, "rows": rows},
        )
        return answer(request, [body])
    return answer(request, parts, gone=[f"schedule-{pk}" for pk in ids if pk not in found])


def rows_of(queryset: Any, *, now: datetime) -> list[ScheduleRow]:
    """Return the rows of a queryset with their states; one query."""
    return [
        schedule_row(schedule, now=now) for schedule in queryset.select_related("state").only(*LIST_COLUMNS)
    ]


def _context(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    found = ScheduleFilter(request.GET, queryset=Schedule.objects.all())
    sort = order_of(request.GET.get("sort", ""))
    size, number = settings().PAGE_SIZE, _page_number(request.GET.get("page", ""))
    start = (number - 1) * size
    rows = rows_of(found.narrowed.order_by(*ORDERS[sort])[start : start + size + 1], now=now)
    count, is_capped = capped_count(found.narrowed)
    return {
        "filter": found,
        "rows": rows[:size],
        "sort": sort,
        "query": found.query(),
        "count": count,
        "is_capped": is_capped,
        "number": number,
        "previous": number - 1,
        "next": number + 1 if len(rows) > size and number < LAST_PAGE else 0,
        "rights": rights_of(request.user),
        "here": request.get_full_path(),
        "now": now,
    }


def _page_number(text: str) -> int:
    """Return the page of an address, the first for one that does not exist."""
    is_number = text.isascii() and text.isdecimal() and len(text) < len(str(LAST_PAGE)) + 1
    return min(max(int(text), 1), LAST_PAGE) if is_number else 1
