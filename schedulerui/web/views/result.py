"""What Celery's result backend keeps of a run, as text, for those who may see values."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from schedulerui import dispatch, results
from schedulerui.models import Run
from schedulerui.operations.masking import masked
from schedulerui.presenters.blocks import blocks_of_texts, texts_of_stored
from schedulerui.web.decorators import gate
from schedulerui.web.found import run_or_404
from schedulerui.web.responses import text_file


@gate("view_values", methods=("GET", "HEAD"))
def run_result(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Answer the stored result, one text of it as a file for ``as``, or the sentence that says why there is none to show."""
    found = run_or_404(request, uuid, verb="view_values")
    context: dict[str, object] = {"run": found, "name": found.schedule_name or found.task, "blocks": []}
    try:
        stored = _read(found)
    except (results.NoResult, dispatch.NoCeleryApp) as refusal:
        context["sentence"] = masked(str(refusal))  # a library may say the address that it could not use
    else:
        texts = texts_of_stored(stored.value, stored.traceback)
        key = request.GET.get("as", "")
        if texts.get(key):
            return text_file(f"run-{found.uuid}-stored-{key}.txt", texts[key])
        context |= {"state": stored.state, "blocks": blocks_of_texts(texts)}
    return render(request, "schedulerui/pages/run_result.html", context)


def _read(found: Run) -> results.Stored:
    if not found.task_id:
        raise results.NoResult(_("This run never had a task."))
    return results.read(found.task_id, celery_app=dispatch.app())
