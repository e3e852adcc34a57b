"""One schedule: its facts, its next times, its runs, its last changes; and what of them changed, for the poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from schedulerui import clock
from schedulerui.access import Rights, may, rights_of, visible
from schedulerui.models import Change, Run, Schedule
from schedulerui.models.damaged import UNREADABLE
from schedulerui.operations.registered import is_missing
from schedulerui.presenters import digest, told
from schedulerui.presenters.canvas import tree_of
from schedulerui.presenters.changes import change_row
from schedulerui.presenters.coming import coming_of
from schedulerui.presenters.overrun import usual_words
from schedulerui.presenters.policies import policies_of
from schedulerui.presenters.runs import LIST_COLUMNS as RUN_COLUMNS
from schedulerui.presenters.runs import is_over, run_row
from schedulerui.presenters.schedules import ScheduleRow, schedule_row
from schedulerui.presenters.strip import N_RUNS as N_OF_STRIP
from schedulerui.presenters.strip import strip_of
from schedulerui.presenters.values import on_one_line
from schedulerui.web.decorators import gate
from schedulerui.web.found import schedule_or_404
from schedulerui.web.live import Part, answer, carried
from schedulerui.web.paging import Page, first_page, page_of
from schedulerui.web.responses import unchanged
from schedulerui.web.tasks_known import known_tasks

N_RUNS = 25
N_CHANGES = 5


@gate("view", methods=("GET", "HEAD"))
def schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the page; four queries and one more for who may see changes."""
    rights = rights_of(request.user)
    found = schedule_or_404(request, pk)
    context = _context(request, found, rights)
    context["changes"] = _changes(found, rights)
    known = known_tasks()
    context["canvas_tree"] = tree_of(found.canvas, known=known) if found.canvas else None
    context["is_task_unknown"] = not found.canvas and is_missing(found.task, known)
    return render(request, "schedulerui/pages/schedule.html", context)


@gate("view", methods=("GET", "HEAD"))
def live_schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the sections that changed, two queries; 204 when none did, which is one."""
    found = _with_stamp(request, pk)
    if found is not None:
        have, row = carried(request), schedule_row(found, now=clock.now())
        digests = _digests(found, row, runs_digest=digest(told.stamp(found)))
        if all(have.get(f"schedule-{name}") == value for name, value in digests.items()):
            return unchanged()
    else:
        found = schedule_or_404(request, pk)
    context = _context(request, found, rights_of(request.user))
    return answer(request, context["parts"].values())


def _with_stamp(request: HttpRequest, pk: int) -> Schedule | None:
    """Return a schedule with the stamp of its newest runs; None for what is damaged, or not for this person; one query."""
    newest = Run.objects.filter(schedule=pk).newest_first()[:N_OF_STRIP]
    rows = visible(request.user, Schedule.objects.select_related("state").annotate(**told.sums(newest)))
    try:
        found = rows.filter(pk=pk).first()
    except UNREADABLE:
        return None
    return found if found is not None and may(request.user, "view", found) else None


def _context(request: HttpRequest, found: Schedule, rights: Rights) -> dict[str, Any]:
    now = clock.now()
    row = schedule_row(found, now=now)
    page, newest = _runs(request, found)
    shown = {
        "schedule": found,
        "row": row,
        "rights": rights,
        "now": now,
        "here": request.get_full_path(),
        "policies": policies_of(found),
        "arguments": on_one_line(found.args, found.kwargs) if may(request.user, "view_values", found) else "",
        "coming": coming_of(found, now=now),
        "page": page,
        "usual": usual_words(run.runtime for run in newest if is_over(run)),
        # Drawn only where it has changed: most polls find that nothing has.
        "strip": SimpleLazyObject(lambda: strip_of(newest, now=now, tz=found.tz)) if newest else None,
        "rows": [run_row(run, grace=found.grace) for run in page.rows],
    }
    return {**shown, "parts": _parts(shown, runs_digest=digest(told.stamp_of(newest or page.rows)))}


def _runs(request: HttpRequest, found: Schedule) -> tuple[Page[Run], list[Run]]:
    """Return the page of runs that is asked for and, with the first page, the newest for the strip; one query."""
    runs = Run.objects.filter(schedule=found).only(*RUN_COLUMNS)
    if "older" in request.GET or "newer" in request.GET:
        return page_of(runs, moment="due_at", request=request, size=N_RUNS), []
    newest = list(runs.newest_first()[:N_OF_STRIP])
    return first_page(newest, moment="due_at", size=N_RUNS), newest


def _digests(found: Schedule, row: ScheduleRow, *, runs_digest: str) -> dict[str, str]:
    return {
        "actions": digest(row.enabled, row.version),
        "facts": row.digest,
        "runs": digest(runs_digest, row.why_no_next, found.grace),
        "coming": digest(row.version, row.next_run_at, found.skips),
    }


def _parts(shown: Mapping[str, Any], *, runs_digest: str) -> dict[str, Part]:
    digests = _digests(shown["schedule"], shown["row"], runs_digest=runs_digest)
    return {
        name: Part(
            id=f"schedule-{name}",
            digest=value,
            template=f"schedulerui/schedules/_{name}.html",
            context={**shown, "v": value},
        )
        for name, value in digests.items()
    }


def _changes(found: Schedule, rights: Rights) -> list[object] | None:
    """Return the newest changes for those who may see them; None for the others."""
    if not rights.view_audit:
        return None
    newest = Change.objects.filter(schedule=found).order_by("-at", "-id")[:N_CHANGES]
    return [change_row(change, with_values=rights.view_values) for change in newest]
