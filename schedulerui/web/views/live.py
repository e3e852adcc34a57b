"""What pages ask for every few seconds: 204 while nothing looks different, else only what does."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import trigger_client_event

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.presenters import moments
from schedulerui.presenters.beats import beat_card
from schedulerui.web.decorators import gate
from schedulerui.web.responses import unchanged


@gate("view", methods=("GET", "HEAD"))
def live_health(request: HttpRequest) -> HttpResponse:
    """Answer the beat card when it says something else than ``since``; the last tick goes in a header. One query."""
    now = clock.now()
    card = beat_card(now=now)
    if request.GET.get("since") == card.digest:
        response = unchanged()
    else:
        context = {"beat": card, "poll_every": settings().POLL_EVERY, "now": now}
        response = render(request, "schedulerui/layout/_beat.html", context)
    seen_at = moments.iso(card.seen_at) if card.seen_at else ""
    return trigger_client_event(response, "schedulerui:beat", {"seen_at": seen_at})
