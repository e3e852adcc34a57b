"""What the form is told beside the preview; two queries, however many schedules there are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.web.decorators import gate
from schedulerui.web.forms import RuleForm
from schedulerui.web.found import key_of
from schedulerui.web.hints import hints_of
from schedulerui.web.upcoming import preview_of


@gate("view", methods=("GET", "HEAD"))
def hints(request: HttpRequest) -> HttpResponse:
    """Answer the hints as a fragment, for the form's fields in the query; ``schedule`` is the key of the one it edits."""
    now = clock.now()
    asked = request.GET.get("task", ""), request.GET.get("queue", "")
    preview = preview_of(RuleForm(request.GET), now=now)
    found = hints_of(request, preview, asked=asked, but=key_of(request.GET.get("schedule", "")), now=now)
    context = {"hints": found, "now": now, "is_fragment": True}
    return render(request, "schedulerui/schedules/_hints.html", context)
