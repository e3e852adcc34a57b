"""What may come next in the filter of a list, for the combobox."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import visible
from schedulerui.models import Run, Schedule
from schedulerui.web.completion import suggestions
from schedulerui.web.decorators import gate
from schedulerui.web.filters import ScheduleFilter
from schedulerui.web.history_filters import RunFilter
from schedulerui.web.list_filter import ListFilter

LONGEST = 400


@gate("view", methods=("GET", "HEAD"))
def complete(request: HttpRequest) -> HttpResponse:
    """Answer the options for the text ``q`` with the caret ``at``, of the list ``of``; one query at most."""
    text = request.GET.get("q", "")[:LONGEST]
    at = request.GET.get("at", "")
    caret = int(at) if at.isascii() and at.isdecimal() and len(at) < len(str(LONGEST)) + 1 else len(text)
    schedules, now = visible(request.user, Schedule.objects.all()), clock.now()
    found: ListFilter
    if request.GET.get("of") == "runs":
        found = RunFilter(QueryDict(), queryset=Run.objects.none(), now=now)
    else:
        found = ScheduleFilter(QueryDict(), queryset=Schedule.objects.none(), now=now)
    lines = suggestions(found, text=text, caret=min(caret, len(text)), schedules=schedules)
    return render(request, "schedulerui/components/_complete.html", {"lines": lines})
