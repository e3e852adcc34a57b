"""One schedule as code: to read, to copy, to keep beside the project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui.access import may
from schedulerui.presenters.as_code import call_of, entry_of
from schedulerui.presenters.blocks import block
from schedulerui.web.decorators import gate
from schedulerui.web.found import schedule_or_404


@gate("view", methods=("GET", "HEAD"))
def as_code(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the page; arguments are in it for those who may see values, with secrets covered."""
    found = schedule_or_404(request, pk)
    with_values = may(request.user, "view_values", found)
    context = {
        "schedule": found,
        "with_values": with_values,
        "call": block("call", call_of(found, with_values=with_values)),
        "entry": block("entry", entry_of(found, with_values=with_values)),
    }
    return render(request, "schedulerui/pages/schedule_as_code.html", context)
