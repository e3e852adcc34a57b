"""The list of schedules, and the rows of it that changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import rights_of, visible
from schedulerui.conf import settings
from schedulerui.models import Schedule
from schedulerui.models.damaged import readable
from schedulerui.presenters.schedules import LIST_COLUMNS, schedule_row
from schedulerui.presenters.unseen import mark_of, newest_tick, switched_at
from schedulerui.web.bulk import offered
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.filters import ORDER_WORDS, ORDERS, ScheduleFilter, order_of
from schedulerui.web.keyset import keyset_page
from schedulerui.web.live import Part, answer, carried, in_view_and_new, newest_key, newest_of, news
from schedulerui.web.paging import COUNT_CAP, WALK_CAP, capped_count
from schedulerui.web.saved import views_of

MANY = 500
"""Schedules of a state from which on they are sooner found by the order of the list than each by its key."""
MOST_ROWS_SENT = 20
"""Changed rows sent one by one; more, and the table's body is sent as a whole."""
ROW_ID = re.compile(r"schedule-([0-9]{1,18})")
ROW = "schedulerui/schedules/_row.html"


@gate("view", methods=("GET", "HEAD"))
def schedules(request: HttpRequest) -> HttpResponse:
    """Answer the page; to htmx the results alone. At most six queries."""
    now = clock.now()
    context = _context(request, now=now)
    if htmx_of(request):
        return render(request, "schedulerui/schedules/_results.html", context)
    context["saved"] = views_of(request, "schedules")
    return render(request, "schedulerui/pages/schedules.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_schedules(request: HttpRequest) -> HttpResponse:
    """Answer the rows in view that changed and how many are new, 204 when nothing did. One query."""
    now = clock.now()
    have = carried(request)
    ids = [int(match[1]) for match in map(ROW_ID.fullmatch, have) if match]
    sort = order_of(request.GET.get("sort", ""))
    switched = {name: at for name, digest in have.items() if (at := switched_at(digest))}
    found = {
        row.pk: schedule_row(row, now=now, sort=sort, mark=_mark(row, switched, now=now))
        for row in _asked(request, ids, now=now, with_tick=bool(switched))
    }
    rows = [found[pk] for pk in ids if pk in found]
    n_new = len(found.keys() - set(ids))
    context = {"rights": rights_of(request.user), "now": now}
    parts = [
        Part(id=f"schedule-{row.pk}", digest=row.digest, template=ROW, context={**context, "row": row})
        for row in rows
    ]
    if sum(have[part.id] != part.digest for part in parts) > MOST_ROWS_SENT:
        body = "schedulerui/schedules/_rows.html"
        parts = [Part(id="schedule-rows", digest="all", template=body, context={**context, "rows": rows})]
    gone = [f"schedule-{pk}" for pk in ids if pk not in found]
    return answer(request, [*parts, *news(request, n_new)], gone=gone)


def _mark(schedule: Schedule, switched: Mapping[str, datetime], *, now: datetime) -> str:
    """Return the mark of a schedule that was switched and waits for a beat; empty for all others."""
    at = switched.get(f"schedule-{schedule.pk}")
    return mark_of(at, seen_at=getattr(schedule, "tick", None), now=now) if at else ""


def _asked(request: HttpRequest, ids: list[int], *, now: datetime, with_tick: bool) -> list[Schedule]:
    """Return the schedules in view, and those that came since and match the filter; each with beat's newest ``tick`` if asked."""
    rows = Schedule.objects.select_related("state").only(*LIST_COLUMNS)
    allowed = visible(request.user, rows.annotate(tick=newest_tick()) if with_tick else rows)
    newest, fresh = newest_of(request), None
    if newest is not None:
        fresh = ScheduleFilter(request.GET, queryset=allowed, now=now).narrowed.filter(pk__gt=newest)
    return in_view_and_new(allowed, ids, fresh)


def _context(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    allowed = visible(request.user, Schedule.objects.all())
    found = ScheduleFilter(request.GET, queryset=allowed, now=now)
    rights = rights_of(request.user)
    sort, narrowed = order_of(request.GET.get("sort", "")), found.narrowed
    most = WALK_CAP if found.words else COUNT_CAP
    count, is_capped = capped_count(narrowed, is_exact=request.GET.get("count") == "exact", most=most)
    if found.words and count >= WALK_CAP:  # a page of so many is sooner found by the order than by the word
        found.take_words_for_common()
    if count >= MANY and not is_capped:
        found.take_states_by_key()
    page = keyset_page(
        found.narrowed.select_related("state").only(*LIST_COLUMNS),
        order=ORDERS[sort],
        request=request,
        size=settings().PAGE_SIZE,
        n_all=None if is_capped else count,
        fetch=readable,
    )
    return {
        "filter": found,
        "page": page,
        "rows": [schedule_row(schedule, now=now, sort=sort) for schedule in page.rows],
        "sort": sort,
        "orders": ORDER_WORDS,
        "query": found.query(),
        "count": count,
        "is_capped": is_capped,
        "newest": newest_key(Schedule) if page.is_first else None,
        "rights": rights,
        "bulk_actions": offered(rights),
        "here": request.get_full_path(),
        "now": now,
        "poll_every": settings().POLL_EVERY,
        "celery_app": settings().CELERY_APP.rpartition(".")[0],
    }
