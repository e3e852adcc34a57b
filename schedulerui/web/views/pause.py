"""Pause a schedule until a moment and for a reason: a dialog, or a page where there is no script."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import trigger_client_event

from schedulerui import clock
from schedulerui.models import Schedule
from schedulerui.operations import pauses
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.presenters.beats import beat_card
from schedulerui.presenters.moments import zone_of
from schedulerui.presenters.policies import pause_of
from schedulerui.presenters.unseen import mark_of
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.forms.pause import PauseForm
from schedulerui.web.found import schedule_or_404
from schedulerui.web.responses import actor_of, back_from, back_to, see_other, with_message, with_notice
from schedulerui.web.views.toggle import where_it_stands


@gate("operate", methods=("GET", "HEAD", "POST"))
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask until when and why; POST pauses, or changes the pause that there is."""
    schedule = schedule_or_404(request, pk, verb="operate")
    now, zone = clock.now(), zone_of(schedule.tz)
    if request.method != "POST":
        initial = {"reason": schedule.pause_reason}
        return _ask(request, schedule, PauseForm(initial=initial, zone=zone, now=now), now=now)
    form = PauseForm(request.POST, zone=zone, now=now)
    if not form.is_valid():
        return _ask(request, schedule, form, now=now)
    return _pause(request, schedule, form, now=now)


def _ask(request: HttpRequest, schedule: Schedule, form: PauseForm, *, now: datetime) -> HttpResponse:
    values = request.POST if request.method == "POST" else request.GET
    context = {
        "schedule": schedule,
        "form": form,
        "show_errors": form.is_bound,
        "paused": pause_of(schedule, now=now),
        "place": "page" if values.get("place") == "page" else "row",
        "back": request.POST.get("back", "") or back_to(request),
        "now": now,
    }
    template = (
        "schedulerui/schedules/_pause_dialog.html" if htmx_of(request) else "schedulerui/pages/pause.html"
    )
    return render(request, template, context, status=422 if form.is_bound and not htmx_of(request) else 200)


def _pause(request: HttpRequest, schedule: Schedule, form: PauseForm, *, now: datetime) -> HttpResponse:
    reason = form.cleaned_data["reason"]
    try:
        done = pauses.pause(schedule.pk, until=form.until_at, reason=reason, actor=actor_of(request), now=now)
    except InvalidSchedule as error:
        for name, sentences in error.errors.items():
            form.add_error(name if name in form.fields else None, sentences)
        return _ask(request, schedule, form, now=now)
    except Schedule.DoesNotExist as missing:
        raise Http404 from missing
    text = f"{done.schedule.name}: {pause_of(done.schedule, now=now)}"
    if not htmx_of(request):
        with_message(request, text)
        return see_other(request, back_from(request, anchor=f"schedule-{schedule.pk}"))
    return with_notice(_fragment(request, schedule.pk, now=now), text)


def _fragment(request: HttpRequest, pk: int, *, now: datetime) -> HttpResponse:
    """Answer an empty dialog, and out of band where the schedule stands: its row, or the actions of its page."""
    mark = mark_of(now, seen_at=beat_card(now=now).seen_at, now=now)
    answer = where_it_stands(request, pk, now=now, mark=mark, oob=True)
    return trigger_client_event(answer, "schedulerui:wake")
