"""Asking one worker what it does, and making it do something: never in the way of a page, never more than one worker."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock, dispatch, remote
from schedulerui.access import may, may_know_all, visible
from schedulerui.models import Run, Worker
from schedulerui.operations import controls
from schedulerui.operations.masking import masked
from schedulerui.presenters.remote import details_of, task_ids_of
from schedulerui.web.decorators import SENTENCES, error_page, gate
from schedulerui.web.responses import actor_of, see_other, with_message
from schedulerui.web.views.workers import worker_page


@gate("view", methods=("GET", "HEAD"))
def details(request: HttpRequest, instance: UUID) -> HttpResponse:
    """Answer what the worker says of itself now, or why it says nothing; within a few seconds."""
    found = get_object_or_404(Worker, instance=instance)
    context: dict[str, object] = {"worker": found, "now": clock.now()}
    try:
        told = remote.inspect(found.hostname)
    except dispatch.DispatchError as error:
        context["problem"] = _("The broker could not be reached: %(error)s") % {"error": masked(str(error))}
    else:
        if told.is_silent:
            context["problem"] = _("It did not answer within %(n)g s.") % {"n": remote.DEADLINE}
        else:
            with_values = may(request.user, "view_values")
            task_ids = task_ids_of(told.answers)
            runs = _runs_of(request, task_ids)
            context["details"] = details_of(
                told.answers,
                with_values=with_values,
                runs={task_id: str(run.uuid) for task_id, run in runs.items()},
                readable=_readable(request, task_ids, runs),
            )
            context["with_values"] = with_values
    return render(request, "schedulerui/workers/_details.html", context)


def _runs_of(request: HttpRequest, task_ids: list[str]) -> dict[str, Run]:
    known = visible(request.user, Run.objects.filter(task_id__in=task_ids)).select_related("schedule")
    return {str(run.task_id): run for run in known.defer("result", "traceback", "log", "canvas")}


def _readable(request: HttpRequest, task_ids: list[str], runs: Mapping[str, Run]) -> frozenset[str]:
    """Return the tasks whose arguments may be shown.

    Where some schedules are hidden, so are the arguments of whatever is not known to be another's.
    """
    known = task_ids if may_know_all(request.user) else list(runs)
    return frozenset(
        task_id for task_id in known if task_id not in runs or may(request.user, "view_values", runs[task_id])
    )


@gate("control_workers", methods=("POST",))
def control(request: HttpRequest, instance: UUID) -> HttpResponse:
    """Give the worker the command ``verb``; its end asks for the worker's name in ``confirm``, typed."""
    found = get_object_or_404(Worker, instance=instance)
    if not may(request.user, "control_workers", found):
        return error_page(request, 403, sentence=SENTENCES["control_workers"])
    verb = request.POST.get("verb", "")
    arguments = {name: str(value) for name, value in request.POST.items()}
    try:
        outcome = controls.control(instance, verb, arguments, actor=actor_of(request), now=clock.now())
    except controls.InvalidCommand as error:
        problem = {"verb": verb, "field": error.field, "text": str(error), "given": arguments}
        return worker_page(request, found, problem=problem, status=422)
    except controls.NotAlive as error:
        with_message(request, str(error), kind="fail")
    else:
        with_message(request, outcome.sentence, kind="ok" if outcome.obeyed else "fail")
    return see_other(request, reverse("schedulerui:worker", args=[instance]))
