"""The overview: is all well, what needs a person, what runs, what comes, what is slow or failing, what is planned."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.conf import settings
from schedulerui.presenters.overview import sections
from schedulerui.presenters.tally import Shown, Tally, tally
from schedulerui.web.decorators import gate
from schedulerui.web.live import Part, answer, carried
from schedulerui.web.responses import unchanged
from schedulerui.web.shown import shown_to

VERSION = "overview-version"


@gate("view", methods=("GET", "HEAD"))
def overview(request: HttpRequest) -> HttpResponse:
    """Answer the page."""
    now, shown = clock.now(), shown_to(request.user)
    told = tally(shown, now=now)
    context = {
        "parts": _parts(request, told, shown, now),
        "version": told.version,
        "rights": rights_of(request.user),
        "now": now,
    }
    return render(request, "schedulerui/pages/overview.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_overview(request: HttpRequest) -> HttpResponse:
    """Answer the sections that changed; 204 when the version says that none did, which is one query."""
    now, shown = clock.now(), shown_to(request.user)
    told = tally(shown, now=now)
    if carried(request).get(VERSION) == told.version:
        return unchanged()
    version = Part(
        id=VERSION,
        digest=told.version,
        template="schedulerui/overview/_version.html",
        context={"version": told.version},
    )
    return answer(request, [*_parts(request, told, shown, now).values(), version])


def _parts(request: HttpRequest, told: Tally, shown: Shown, now: datetime) -> dict[str, Part]:
    shared = {
        "now": now,
        "rights": rights_of(request.user),
        "celery_app": settings().CELERY_APP.rpartition(".")[0],
    }
    found = sections(told, shown=shown, zone=timezone.get_current_timezone(), now=now)
    return {
        section.name: Part(
            id=f"overview-{section.name}",
            digest=section.digest,
            template=f"schedulerui/overview/_{section.name}.html",
            context={"section": section, **shared},
        )
        for section in found
    }
