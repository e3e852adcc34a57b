"""One of a run's values whole, as a file: what its page shows the beginning of."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from schedulerui.presenters.blocks import GIVEN, text_of
from schedulerui.web.decorators import gate
from schedulerui.web.found import run_or_404
from schedulerui.web.responses import text_file


@gate("view_values", methods=("GET", "HEAD"))
def run_value(request: HttpRequest, uuid: UUID, key: str) -> HttpResponse:
    """Answer the value with secrets covered, to be saved and never shown by the browser; 404 where the run has none."""
    found = run_or_404(request, uuid, verb="view_values")
    try:
        text = text_of(found, key)
    except KeyError:
        raise Http404 from None
    if not text:
        raise Http404
    return text_file(f"run-{found.uuid}-{key}.{'json' if key in GIVEN else 'txt'}", text)
