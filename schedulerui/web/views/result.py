"""What Celery's result backend keeps of a run, as text, for those who may see values."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from schedulerui import dispatch, results
from schedulerui.models import Run
from schedulerui.presenters.blocks import Block, block, json_block, traceback_block
from schedulerui.web.decorators import gate
from schedulerui.web.found import run_or_404


@gate("view_values", methods=("GET", "HEAD"))
def run_result(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Answer the stored result, or the sentence that says why there is none to show."""
    found = run_or_404(request, uuid, verb="view_values")
    context: dict[str, object] = {"run": found, "name": found.schedule_name or found.task, "blocks": []}
    try:
        stored = _read(found)
        context |= {"state": stored.state, "blocks": _blocks(stored)}
    except (results.NoResult, dispatch.NoCeleryApp) as refusal:
        context["sentence"] = str(refusal)
    return render(request, "schedulerui/pages/run_result.html", context)


def _read(found: Run) -> results.Stored:
    if not found.task_id:
        raise results.NoResult(_("This run never had a task."))
    return results.read(found.task_id, celery_app=dispatch.app())


def _blocks(stored: results.Stored) -> list[Block]:
    value = stored.value
    shown = block("result", value) if isinstance(value, str) else json_block("result", value)
    return [shown, traceback_block(stored.traceback)] if stored.traceback else [shown]
