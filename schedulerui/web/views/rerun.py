"""Run again, and run once with other values: pages with a form, which need no script."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may
from schedulerui.facts import Overlap
from schedulerui.models import Run, Schedule
from schedulerui.operations import reruns
from schedulerui.operations.reruns import Click, Values
from schedulerui.operations.runs import Queued
from schedulerui.presenters.warnings import warnings_of
from schedulerui.web.decorators import error_page, gate
from schedulerui.web.forms.values import ValuesForm
from schedulerui.web.found import run_or_404, sound_schedule_or_404
from schedulerui.web.hints import takes_of
from schedulerui.web.rates import refused_for_rate
from schedulerui.web.responses import actor_of, see_other, wants_it_beside, with_message
from schedulerui.web.views.run_now import sentence_of

Launch = Callable[[str, Values | None], Queued]


@transaction.non_atomic_requests  # the run is committed before it is published: a broker that is down loses nothing
@gate("run_custom", methods=("GET", "HEAD", "POST"))
def run_custom(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the values, filled with the schedule's own for those who may see them; POST runs it once."""
    schedule = sound_schedule_or_404(request, pk, verb="run_custom")
    start = Values(args=list(schedule.args), kwargs=dict(schedule.kwargs), queue=schedule.queue)

    def launch(token: str, values: Values | None) -> Queued:
        return reruns.run_custom(schedule.pk, values or start, click=_click(request, token))

    context: dict[str, object] = {
        "click_of": pk,
        "name": schedule.name,
        "task": schedule.task,
        "is_canvas": bool(schedule.canvas),
        "warnings": warnings_of(schedule, now=clock.now()),
        "back": reverse("schedulerui:schedule", args=[pk]),
    }
    return _answer(request, schedule, start, launch, context)


@transaction.non_atomic_requests  # as above
@gate("operate", methods=("GET", "HEAD", "POST"))
def run_again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask once more, with a form for those who may change the values; POST runs it as a run of its own."""
    earlier = run_or_404(request, uuid, verb="operate")

    def launch(token: str, values: Values | None) -> Queued:
        return reruns.run_again(earlier.pk, values=values, click=_click(request, token))

    context: dict[str, object] = {
        "click_of": f"again:{earlier.pk}",
        "name": earlier.schedule_name or earlier.task,
        "task": earlier.task,
        "is_canvas": bool(earlier.canvas),
        "earlier": earlier,
        "warnings": warnings_of(earlier.schedule, now=clock.now()) if earlier.schedule else [],
        "back": reverse("schedulerui:run", args=[uuid]),
    }
    return _answer(request, earlier.schedule, reruns.original_values(earlier), launch, context)


def _click(request: HttpRequest, token: str) -> Click:
    return Click(
        token=token, actor=actor_of(request), now=clock.now(), even_if_running=wants_it_beside(request)
    )


def _answer(
    request: HttpRequest,
    schedule: Schedule | None,
    start: Values,
    launch: Launch,
    context: dict[str, object],
) -> HttpResponse:
    """Show the form or do what it says. Who may not see values may not change them: a form would show or blank them."""
    may_change = may(request.user, "run_custom", schedule) and may(request.user, "view_values", schedule)
    context["may_wait"] = schedule is not None and schedule.overlap != Overlap.ALLOW
    data = request.POST if request.method == "POST" else None
    form = ValuesForm(data, start=start, is_canvas=bool(context["is_canvas"])) if may_change else None
    if request.method != "POST":
        return _page(request, form, context)
    if form is not None and not form.is_valid():
        return _page(request, form, context, status=422)
    try:
        token = str(uuids.UUID(request.POST.get("token", "")))
    except ValueError:
        return error_page(request, 400, sentence=_("That form is damaged. Open the page once more."))
    refusal = refused_for_rate(request, of=context["click_of"], token=token, now=clock.now())
    if refusal is not None:
        return refusal
    try:
        queued = launch(token, form.values if form is not None else None)
    except reruns.NotRerunnable as error:
        with_message(request, str(error), kind="warn")
        return see_other(request, str(context["back"]))
    except (Schedule.DoesNotExist, Run.DoesNotExist) as missing:
        raise Http404 from missing
    kind, text = sentence_of(queued, str(context["name"]), now=clock.now())
    with_message(request, text, kind=kind)
    return see_other(request, reverse("schedulerui:run", args=[queued.run.uuid]))


def _page(
    request: HttpRequest, form: ValuesForm | None, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    shown = {
        **context,
        "form": form,
        "is_even": wants_it_beside(request),
        "takes": takes_of(str(context["task"])),
        "token": request.POST.get("token") or uuids.uuid4(),
    }
    return render(request, "schedulerui/pages/run_again.html", shown, status=status)
