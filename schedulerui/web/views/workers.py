"""Workers, beats and queues as they last told of themselves, and one worker instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from schedulerui import clock, dispatch
from schedulerui.access import is_limited, may, visible
from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.models import Beat, Queue, Run, Schedule, Worker
from schedulerui.monitor import routes
from schedulerui.operations.outages import QueueOf
from schedulerui.operations.registered import UnknownTasks, unknown_tasks
from schedulerui.presenters import digest, processes, told
from schedulerui.presenters.pulse import pulse
from schedulerui.presenters.remembered import N_CHEAP, Look, Remembered
from schedulerui.presenters.runs import LIST_COLUMNS, run_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.forms.control import control_forms
from schedulerui.web.responses import unchanged

N_PROCESSES = 200
N_RUNNING = 50
MISSING: Remembered[UnknownTasks] = Remembered("missing", is_cheap=lambda found: found.n_schedules <= N_CHEAP)


@gate("view", methods=("GET", "HEAD"))
def workers(request: HttpRequest) -> HttpResponse:
    """Answer the page; to htmx its body alone, or 204 while nobody told anything since ``since``, which is one query."""
    now = clock.now()
    since, is_htmx = pulse(now=now), bool(htmx_of(request))
    if is_htmx and request.GET.get("since") == since:
        return unchanged()
    context = _context(request, now=now, since=since)
    template = "schedulerui/workers/_body.html" if is_htmx else "schedulerui/pages/workers.html"
    return render(request, template, context)


def _context(request: HttpRequest, *, now: datetime, since: str) -> dict[str, Any]:
    found = list(Worker.objects.order_by("-seen_at", "-id")[:N_PROCESSES])
    unknown = _unknown(request, processes.known_tasks(found, now=now), now=now, since=since)
    rows = processes.worker_rows(found, now=now, needed=unknown.needed)
    beats = processes.beat_rows(Beat.objects.order_by("host", "pid")[:N_PROCESSES], now=now)
    queues = processes.queue_rows(Queue.objects.order_by("name")[:N_PROCESSES], now=now)
    return {
        "workers": rows,
        "n_alive": sum(row.is_alive for row in rows),
        "last_heard_at": max((row.seen_at for row in rows), default=None),
        "beats": beats,
        "queues": queues,
        "missing": [each.task for each in unknown.tasks],
        "celery_app": settings().CELERY_APP.rpartition(".")[0],
        "now": now,
        "since": since,
        "poll_every": settings().POLL_EVERY,
    }


def _unknown(request: HttpRequest, known: frozenset[str], *, now: datetime, since: str) -> UnknownTasks:
    """Return the tasks that schedules send, parts of canvases among them, and that no worker knows; none while none told any."""
    if not known:
        return UnknownTasks()
    shown = visible(request.user, Schedule.objects.all())
    look = Look(now=now, scope=str(request.user.pk) if is_limited() else "")
    return MISSING.get(lambda: unknown_tasks(shown, known=known, queue_of=_queue_of()), look, stamp=since)


def _queue_of() -> QueueOf | None:
    """Return what tells where a message goes, as the app's routes say; None where there is no app to ask."""
    try:
        celery_app = dispatch.app()
    except dispatch.NoCeleryApp:
        return None
    return partial(routes.queue_for, celery_app=celery_app)


@gate("view", methods=("GET", "HEAD"))
def worker(request: HttpRequest, instance: UUID) -> HttpResponse:
    """Answer one instance with what it runs now; to htmx its body alone, or 204 while it looks as ``since`` says."""
    if not htmx_of(request):
        return worker_page(request, get_object_or_404(Worker, instance=instance))
    later = _successors(hostname=OuterRef("hostname"), started_at=OuterRef("started_at"))
    sums = told.sums(_active(request, instance))
    rows: Any = Worker.objects.annotate(successor=Subquery(later.values("instance")[:1]), **sums)
    found = get_object_or_404(rows, instance=instance)
    now, successor = clock.now(), Worker(instance=found.successor) if found.successor else None
    row = processes.worker_row(found, now=now, successor=successor)
    if request.GET.get("since") == digest(row, told.stamp(found)):
        return unchanged()
    return render(request, "schedulerui/workers/_worker.html", _worker_context(request, found))


def worker_page(
    request: HttpRequest, found: Worker, *, problem: Mapping[str, object] | None = None, status: int = 200
) -> HttpResponse:
    """Answer the page about one instance; ``problem``: the command that could not be given, at its field."""
    context = _worker_context(request, found)
    may_control = context["worker"].is_alive and may(request.user, "control_workers", found)
    context |= {"may_control": may_control, "controls": control_forms(problem or {}) if may_control else []}
    return render(request, "schedulerui/pages/worker.html", context, status=status)


def _successors(*, hostname: Any, started_at: Any) -> QuerySet[Worker]:
    """Return the later instances of a name, the next one first."""
    return Worker.objects.filter(hostname=hostname, started_at__gt=started_at).order_by("started_at")


def _active(request: HttpRequest, instance: UUID) -> QuerySet[Run]:
    """Return the newest runs that an instance has and the person may know of."""
    states = [str(state) for state in (RunState.RECEIVED, RunState.STARTED)]
    known = visible(request.user, Run.objects.filter(worker_instance=instance, state__in=states))
    return known.order_by("-due_at", "-id")[:N_RUNNING]


def _worker_context(request: HttpRequest, found: Worker) -> dict[str, Any]:
    now = clock.now()
    later = _successors(hostname=found.hostname, started_at=found.started_at)
    row = processes.worker_row(found, now=now, successor=later.first())
    runs = list(_active(request, found.instance).only(*LIST_COLUMNS))
    return {
        "worker": row,
        "tasks": sorted(str(task) for task in found.tasks),
        "rows": [run_row(run) for run in runs],
        "has_flower": bool(settings().FLOWER_URL) and may(request.user, "view_values"),
        "now": now,
        "since": digest(row, told.stamp_of(runs)),
        "poll_every": settings().POLL_EVERY,
    }
