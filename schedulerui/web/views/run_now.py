"""Run now: ask once, run once, whatever is clicked twice or sent again."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import trigger_client_event

from schedulerui import clock
from schedulerui.access import may, rights_of
from schedulerui.conf import settings
from schedulerui.models import Schedule
from schedulerui.operations import runs, timers
from schedulerui.operations.errors import OperationError
from schedulerui.operations.runs import Queued
from schedulerui.presenters.beats import beat_card
from schedulerui.presenters.moments import absolute, duration, zone_of, zone_shown
from schedulerui.presenters.overrun import usual_longest
from schedulerui.presenters.policies import pause_of
from schedulerui.presenters.schedules import schedule_row, why_no_next
from schedulerui.presenters.values import on_one_line
from schedulerui.presenters.warnings import warnings_of
from schedulerui.web.decorators import error_page, gate, htmx_of
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.rates import refused_for_rate
from schedulerui.web.responses import actor_of, see_other, wants_it_beside, with_message, with_notice


@transaction.non_atomic_requests  # the run is committed before it is published: a broker that is down loses nothing
@gate("operate", methods=("GET", "HEAD", "POST"))
def run_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask with a dialog, or with a page where there is no script; POST runs it."""
    schedule = sound_schedule_or_404(request, pk, verb="operate")
    if request.method == "POST":
        return _run(request, schedule)
    return _ask(request, schedule)


def _ask(request: HttpRequest, schedule: Schedule) -> HttpResponse:
    now = clock.now()
    with_values = may(request.user, "view_values", schedule)
    context = {
        "schedule": schedule,
        "token": uuid.uuid4(),
        "warnings": warnings_of(schedule, now=now),
        "usual": usual_longest(schedule),
        "with_values": with_values,
        "may_change": may(request.user, "run_custom", schedule),
        "arguments": on_one_line(schedule.args, schedule.kwargs) if with_values else "",
        "no_next": pause_of(schedule, now=now) or why_no_next(schedule),
        "may_reset": timers.is_resettable(schedule),
        "place": "page" if request.GET.get("place") == "page" else "row",
        "now": now,
    }
    template = (
        "schedulerui/schedules/_run_dialog.html" if htmx_of(request) else "schedulerui/pages/run_now.html"
    )
    return render(request, template, context)


def _run(request: HttpRequest, schedule: Schedule) -> HttpResponse:
    try:
        token = str(uuid.UUID(request.POST.get("token", "")))
    except ValueError:
        return error_page(request, 400, sentence=_("That form is damaged. Press Run now once more."))
    now = clock.now()
    refusal = refused_for_rate(request, of=schedule.pk, token=token, now=now)
    if refusal is not None:
        return refusal
    even = wants_it_beside(request)
    try:
        queued = runs.run_now(
            schedule.pk, token=token, actor=actor_of(request), now=now, even_if_running=even
        )
    except Schedule.DoesNotExist as missing:
        raise Http404 from missing
    kind, text = sentence_of(queued, schedule.name, now=now)
    if queued.created and request.POST.get("reset") == "yes":
        text = f"{text} {_reset(request, schedule, now=now)}"
    address = reverse("schedulerui:run", args=[queued.run.uuid])
    if not htmx_of(request):
        with_message(request, text, kind=kind)
        return see_other(request, address)
    response = _fragment(request, schedule.pk)
    trigger_client_event(response, "schedulerui:wake")
    return with_notice(response, text, kind=kind, href=address, link=_("Open the run"))


def _reset(request: HttpRequest, schedule: Schedule, *, now: datetime) -> str:
    """Let the interval begin anew and return the sentence about it; a run that is made stays made."""
    try:
        after = timers.reset(schedule.pk, actor=actor_of(request), now=now)
    except OperationError as refused:
        return str(refused)
    when = after.next_run_at
    if when is None:
        return _("Its timer begins anew.")
    words = _("Its timer begins anew: the next run is at %(when)s.")
    return words % {"when": absolute(when, now, zone_shown(zone_of(after.tz)), with_seconds=True)}


def sentence_of(queued: Queued, name: str, *, now: datetime) -> tuple[str, str]:
    """Return (kind of notice, what became of the click); one query where the broker did not take it."""
    if queued.sent:
        return "ok", _("Queued one run of %(name)s.") % {"name": name}
    if queued.run.state == "waiting":
        return "warn", _("%(name)s runs when the run before it has ended.") % {"name": name}
    if queued.run.state == "unsent":
        return "fail", _("%(name)s could not be sent: %(reason)s") % {"name": name, "reason": queued.reason}
    if not queued.reason:
        return "warn", _("%(name)s is queued for dispatch.") % {"name": name}
    words = _(
        "%(name)s is queued for dispatch, for the broker did not take it (%(reason)s). "
        "Beat sends it if the broker answers within %(within)s; after that it is not sent."
    )
    within = duration(settings().MANUAL_SEND_WITHIN)
    text = words % {"name": name, "reason": queued.reason.rstrip(". "), "within": within}
    return "warn", text if beat_card(now=now).n_ticking else f"{text} {_('No beat ticks now.')}"


def _fragment(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer an empty dialog, and the row anew where the click came from the list."""
    if request.POST.get("place") == "page":
        return HttpResponse()
    now = clock.now()
    current = Schedule.objects.select_related("state").get(pk=pk)
    context = {
        "row": schedule_row(current, now=now, is_yours=True),
        "rights": rights_of(request.user),
        "now": now,
        "oob": True,
    }
    return render(request, "schedulerui/schedules/_row.html", context)
