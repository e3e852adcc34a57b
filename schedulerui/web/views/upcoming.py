"""What is to come of one schedule: its next fifty times one by one, and a month of it by days. Computed from its rule alone."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.models import Schedule
from schedulerui.presenters.calendar import Month, month_asked, month_of
from schedulerui.presenters.coming import N_LISTED, coming_of, marked
from schedulerui.presenters.moments import zone_of
from schedulerui.presenters.schedules import schedule_row
from schedulerui.web.decorators import gate
from schedulerui.web.found import schedule_or_404


@gate("view", methods=("GET", "HEAD"))
def upcoming(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the page; ``month`` says which one. The schedule is all that it asks for."""
    found = schedule_or_404(request, pk)
    now = clock.now()
    coming = coming_of(found, now=now, n=N_LISTED)
    context = {
        "schedule": found,
        "row": schedule_row(found, now=now),
        "rights": rights_of(request.user),
        "now": now,
        "coming": coming,
        "times": marked(found, coming.occurrences),
        "most": N_LISTED,
        "month": None if coming.problem else _month(request, found, now=now),
    }
    return render(request, "schedulerui/pages/schedule_upcoming.html", context)


def _month(request: HttpRequest, found: Schedule, *, now: datetime) -> Month:
    today = now.astimezone(zone_of(found.tz)).date()
    return month_of(found, month_asked(request.GET.get("month", ""), today=today), now=now)
