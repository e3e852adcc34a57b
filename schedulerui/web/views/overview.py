"""The overview: is all well, what needs a person, what runs, what ran, what comes."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.presenters.overview import sections
from schedulerui.web.decorators import gate
from schedulerui.web.live import Part, answer


@gate("view", methods=("GET", "HEAD"))
def overview(request: HttpRequest) -> HttpResponse:
    """Answer the page."""
    now = clock.now()
    context = {"parts": _parts(now), "rights": rights_of(request.user), "now": now}
    return render(request, "schedulerui/pages/overview.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_overview(request: HttpRequest) -> HttpResponse:
    """Answer the sections that changed, 204 when none did."""
    return answer(request, _parts(clock.now()).values())


def _parts(now: datetime) -> dict[str, Part]:
    return {
        section.name: Part(
            id=f"overview-{section.name}",
            digest=section.digest,
            template=f"schedulerui/overview/_{section.name}.html",
            context={"section": section, "now": now},
        )
        for section in sections(now=now)
    }
