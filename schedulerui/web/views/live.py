"""What pages ask for every few seconds: 204 while nothing looks different, else only what does."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import trigger_client_event

from schedulerui import clock
from schedulerui.access import is_limited, visible
from schedulerui.presenters import moments
from schedulerui.presenters.rail import Known, rail_of
from schedulerui.web.decorators import gate
from schedulerui.web.responses import unchanged


@gate("view", methods=("GET", "HEAD"))
def live_health(request: HttpRequest) -> HttpResponse:
    """Answer the beat card and the rail's numbers when they say something else than ``since``; the last tick in a header. One query."""
    now = clock.now()
    rail = rail_of(Known.by(partial(visible, request.user), is_all=not is_limited()), now=now)
    if request.GET.get("since") == rail.digest:
        response = unchanged()
    else:
        response = render(request, "schedulerui/layout/_health.html", {"rail": rail, "now": now})
    seen_at = moments.iso(rail.beat.seen_at) if rail.beat.seen_at else ""
    return trigger_client_event(response, "schedulerui:beat", {"seen_at": seen_at})
