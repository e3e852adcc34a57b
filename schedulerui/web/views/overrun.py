"""The warning that needs the history of a schedule, fetched after the page: the preview itself asks no database."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.presenters.overrun import overrun_of, shortest_gap
from schedulerui.web.decorators import gate
from schedulerui.web.forms import RuleForm
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.upcoming import preview_of


@gate("view", methods=("GET", "HEAD"))
def overrun(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer a sentence, or nothing, about the stored rule, or about the one in the form that asks."""
    schedule = sound_schedule_or_404(request, pk, verb="view")
    now = clock.now()
    if "kind" in request.GET:
        gap = preview_of(RuleForm(request.GET, current=schedule), now=now).shortest
    else:
        gap = shortest_gap(schedule, now=now)
    context = {"sentence": overrun_of(schedule, gap=gap)}
    return render(request, "schedulerui/schedules/_overrun.html", context)
