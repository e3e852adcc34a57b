"""The overview: is all well, what needs a person, what runs, what ran, what comes."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import is_limited, rights_of, visible
from schedulerui.models import Alert, Notification, Run, Schedule, ScheduleState
from schedulerui.presenters.overview import Shown, sections, version
from schedulerui.web.decorators import gate
from schedulerui.web.live import Part, answer, carried
from schedulerui.web.responses import unchanged

VERSION = "overview-version"


@gate("view", methods=("GET", "HEAD"))
def overview(request: HttpRequest) -> HttpResponse:
    """Answer the page."""
    now, shown = clock.now(), _shown(request)
    context = {
        "parts": _parts(shown, now),
        "version": version(shown, now=now),
        "rights": rights_of(request.user),
        "now": now,
    }
    return render(request, "schedulerui/pages/overview.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_overview(request: HttpRequest) -> HttpResponse:
    """Answer the sections that changed; 204 when the version says that none did, which is one query."""
    now, shown = clock.now(), _shown(request)
    present = version(shown, now=now)
    if carried(request).get(VERSION) == present:
        return unchanged()
    told = Part(
        id=VERSION,
        digest=present,
        template="schedulerui/overview/_version.html",
        context={"version": present},
    )
    return answer(request, [*_parts(shown, now).values(), told])


def _shown(request: HttpRequest) -> Shown:
    user = request.user
    if not is_limited():
        return Shown()
    return Shown(
        schedules=visible(user, Schedule.objects.all()),
        states=visible(user, ScheduleState.objects.all()),
        runs=visible(user, Run.objects.all()),
        alerts=visible(user, Alert.objects.all()),
        messages=visible(user, Notification.objects.all(), through="alert__schedule"),
    )


def _parts(shown: Shown, now: datetime) -> dict[str, Part]:
    return {
        section.name: Part(
            id=f"overview-{section.name}",
            digest=section.digest,
            template=f"schedulerui/overview/_{section.name}.html",
            context={"section": section, "now": now},
        )
        for section in sections(now=now, shown=shown)
    }
