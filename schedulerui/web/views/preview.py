"""What the rule in the form means, while it is being typed; asks no database."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.web.decorators import gate
from schedulerui.web.forms import RuleForm
from schedulerui.web.upcoming import preview_of


@gate("view", methods=("GET", "HEAD"))
def preview(request: HttpRequest) -> HttpResponse:
    """Answer the preview as a fragment; what is wrong with the rule is an answer too, with status 200."""
    now = clock.now()
    form = RuleForm(request.GET)
    context = {"preview": preview_of(form, now=now), "now": now, "is_fragment": True}
    return render(request, "schedulerui/schedules/_preview.html", context)
