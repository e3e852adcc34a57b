"""Switch a schedule on and off: two verbs that say what shall be, so that repeating one changes nothing."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.presenters import digest
from schedulerui.presenters.schedules import schedule_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.responses import actor_of, back_from, see_other, with_message, with_notice


@gate("operate", methods=("POST",))
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch on; already on: the present row."""
    return _toggle(request, pk, enabled=True)


@gate("operate", methods=("POST",))
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause; already paused: the present row."""
    return _toggle(request, pk, enabled=False)


def _toggle(request: HttpRequest, pk: int, *, enabled: bool) -> HttpResponse:
    sound_schedule_or_404(request, pk, verb="operate")
    now = clock.now()
    verb = schedules.enable if enabled else schedules.disable
    done = verb(pk, actor=actor_of(request), now=now)
    text = _sentence(done.schedule.name, enabled=enabled, changed=done.changed)
    if not htmx_of(request):
        with_message(request, text)
        return see_other(request, back_from(request, anchor=f"schedule-{pk}"))
    return with_notice(_fragment(request, pk, now=now), text)


def _fragment(request: HttpRequest, pk: int, *, now: datetime) -> HttpResponse:
    """Answer what the switch stands in: a row of the list, or the actions of the schedule's page."""
    current = Schedule.objects.select_related("state").get(pk=pk)
    row = schedule_row(current, now=now)
    on_page = request.POST.get("place") == "page"
    context = {
        "row": row,
        "schedule": current,
        "rights": rights_of(request.user),
        "now": now,
        "v": digest(row.enabled, row.version),
    }
    template = "schedulerui/schedules/_actions.html" if on_page else "schedulerui/schedules/_row.html"
    return render(request, template, context)


def _sentence(name: str, *, enabled: bool, changed: bool) -> str:
    if not changed:
        words = _("%(name)s was already on.") if enabled else _("%(name)s was already paused.")
    elif enabled:
        words = _("%(name)s is on. Beat sees it within a second or two.")
    else:
        words = _("%(name)s is paused. Beat sees it within a second or two.")
    return words % {"name": name}
