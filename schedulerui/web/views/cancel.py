"""Cancel a run: a page that says what can still be done, and a form that does it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from schedulerui import clock
from schedulerui.access import may
from schedulerui.facts import FINISHED, RunState
from schedulerui.models import Run
from schedulerui.operations import cancellations
from schedulerui.presenters.runs import run_row
from schedulerui.web.decorators import SENTENCES, error_page, gate
from schedulerui.web.found import run_or_404
from schedulerui.web.responses import actor_of, see_other, with_message


@transaction.non_atomic_requests  # the wish is committed before workers hear of it: a broker that is away loses nothing
@gate("operate", methods=("GET", "HEAD", "POST"))
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask, then cancel; to end a body that runs needs the right to control workers."""
    found = run_or_404(request, uuid, verb="operate")
    may_terminate = may(request.user, "control_workers", found.schedule)
    if request.method != "POST":
        context = {
            "run": found,
            "row": run_row(found),
            "is_over": RunState(found.state) in FINISHED,
            "is_running": found.state == RunState.STARTED,
            "may_terminate": may_terminate,
            "now": clock.now(),
        }
        return render(request, "schedulerui/pages/run_cancel.html", context)
    terminate = request.POST.get("terminate") == "yes"
    if terminate and not may_terminate:
        return error_page(request, 403, sentence=SENTENCES["control_workers"])
    try:
        done = cancellations.cancel(found.pk, terminate=terminate, actor=actor_of(request), now=clock.now())
    except Run.DoesNotExist as missing:
        raise Http404 from missing
    with_message(request, done.sentence, kind="ok" if done.changed else "warn")
    return see_other(request, reverse("schedulerui:run", args=[uuid]))
