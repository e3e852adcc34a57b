"""One run: what has become of it, when, where, with what; asks again until it is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import MD5
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock, dispatch, results
from schedulerui.access import may, visible
from schedulerui.conf import settings
from schedulerui.facts import WITH_WORKER, RunState
from schedulerui.models import Attempt, Part, Run
from schedulerui.monitor import routes
from schedulerui.operations import part_messages
from schedulerui.operations.pickup import is_ours, locate
from schedulerui.presenters import digest, told
from schedulerui.presenters.blocks import blocks_of
from schedulerui.presenters.canvas import part_rows, words_of
from schedulerui.presenters.pickup import PickupRow, part_row, pickup_row
from schedulerui.presenters.runs import attempt_rows, is_decision, is_over, lateness, run_row, sentence
from schedulerui.presenters.timeline import timeline_of
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.found import run_or_404
from schedulerui.web.responses import unchanged

N_ATTEMPTS = 100
VERSION = (
    "pk", "progress", "state", "publishes", "reason", "canvas", "sent_at", "received_at", "started_at", "finished_at",
    "attempts__pk", "attempts__state", "attempts__received_at", "attempts__finished_at", "log_so_far",
)  # fmt: skip
"""What changes when the page of a run looks different; a line for each attempt."""


@gate("view", methods=("GET", "HEAD"))
def run(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Answer the page; to htmx its body alone, or 204 while it looks as ``since`` says."""
    now, is_htmx = clock.now(), bool(htmx_of(request))
    since = _since(request, uuid, now=now)
    if is_htmx and request.GET.get("since") == since:
        return unchanged()
    found = run_or_404(request, uuid)
    attempts = list(found.attempts.all()[:N_ATTEMPTS])
    parts = list(found.parts.all()) if found.canvas else []
    pickup = _pickup(found, now)
    context = (
        _context(request, found, attempts, now=now)
        | _of_canvas(request, found, parts)
        | {
            "since": since,
            "pickup": pickup,
            "reason": "" if pickup and is_ours(found.reason) else found.reason,
            "may_operate": bool(
                pickup and pickup.offers_resend and may(request.user, "operate", found.schedule)
            ),
        }
    )
    template = "schedulerui/runs/_run.html" if is_htmx else "schedulerui/pages/run.html"
    return render(request, template, context)


def _of_canvas(request: HttpRequest, found: Run, parts: list[Part]) -> dict[str, Any]:
    if not found.canvas:
        return {}
    with_values = may(request.user, "view_values", found)
    rows = part_rows(found, parts, with_values=with_values)
    return {
        "parts": rows,
        "canvas_words": words_of(found.canvas),
        "has_stored_result": False,
        "has_flower": False,
    }


def _since(request: HttpRequest, uuid: UUID, *, now: datetime) -> str:
    """Return what changes exactly when the page looks different; one query. Raises Http404."""
    known = visible(request.user, Run.objects.filter(uuid=uuid)).order_by(
        "attempts__attempt", "attempts__delivery"
    )
    parts = told.sums(Part.objects.filter(run__uuid=uuid).order_by())
    of_message = told.of_pickup(now=now)
    rows: Any = known.annotate(log_so_far=MD5("log"), **parts, **of_message).values(
        *VERSION, *parts, *of_message
    )
    found = list(rows[:N_ATTEMPTS])
    if not found:
        raise Http404
    first, state = found[0], RunState(found[0]["state"])
    is_on_its_way = state is RunState.SENT or (first["canvas"] and state in WITH_WORKER)
    dropped = () if is_on_its_way else tuple(of_message)
    version = [tuple(value for name, value in row.items() if name not in dropped) for row in found]
    return digest(version, now.replace(second=0, microsecond=0) if is_on_its_way else None)


def _pickup(found: Run, now: datetime) -> PickupRow | None:
    """Return where the message of a sent run is; None for any other, and where the app cannot tell its queues."""
    if found.state != RunState.SENT and not (found.canvas and found.state in WITH_WORKER):
        return None
    try:
        celery_app = dispatch.app()
    except dispatch.NoCeleryApp:
        return None
    redelivery = routes.redelivery_of(celery_app)
    if found.canvas:
        return _pickup_of_part(found, celery_app, redelivery=redelivery, now=now)
    where = locate(found, queue=routes.queue_of(found, celery_app), redelivery=redelivery, now=now)
    return pickup_row(found, where, now=now) if where is not None else None


def _pickup_of_part(found: Run, celery_app: Any, *, redelivery: timedelta, now: datetime) -> PickupRow | None:
    """Return where the first part is that nobody picks up in time."""
    late = part_messages.locate(
        found, queue_of=lambda run: routes.queue_of(run, celery_app), redelivery=redelivery, now=now
    )
    if late is None:
        return None
    return part_row(found, late[0], late[1], now=now)


def _context(request: HttpRequest, found: Run, attempts: list[Attempt], *, now: datetime) -> dict[str, Any]:
    with_values = may(request.user, "view_values", found)
    earlier, later = _neighbours(found)
    return {
        "run": found,
        "row": run_row(found),
        "tz": found.schedule.tz if found.schedule else "",
        "sentence": sentence(found),
        "lateness": lateness(found),
        "is_over": is_over(found),
        "is_decision": is_decision(found),
        "may_run_again": may(request.user, "operate", found.schedule),
        "timeline": timeline_of(found),
        "attempts": attempt_rows(attempts, with_values=with_values),
        "blocks": blocks_of(found) if with_values else [],
        "with_values": with_values,
        "has_stored_result": with_values and is_over(found) and _keeps_result(found),
        "has_flower": bool(settings().FLOWER_URL and found.task_id and with_values),
        "earlier": earlier,
        "later": later,
        "now": now,
        "poll_every": settings().POLL_EVERY,
    }


def _keeps_result(found: Run) -> bool:
    try:
        return results.keeps_result(found, dispatch.app())
    except dispatch.NoCeleryApp:
        return False


def _neighbours(found: Run) -> tuple[Run | None, Run | None]:
    """Return the runs of the same schedule before and after this one; two probes of one index."""
    if found.schedule_id is None:
        return None, None
    same = Run.objects.filter(schedule_id=found.schedule_id).only("uuid", "due_at")
    earlier = (
        same.filter(due_at__lte=found.due_at)
        .exclude(due_at=found.due_at, id__gte=found.pk)
        .newest_first()
        .first()
    )
    later = (
        same.filter(due_at__gte=found.due_at)
        .exclude(due_at=found.due_at, id__lte=found.pk)
        .order_by("due_at", "id")
        .first()
    )
    return earlier, later
