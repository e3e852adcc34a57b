"""What the form is told beside the preview, which asks no database: who else fires then, what workers do not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.translation import gettext as _

from schedulerui.access import visible
from schedulerui.models import Schedule
from schedulerui.parameters import parameters_of
from schedulerui.presenters.neighbours import Neighbours, neighbours_of
from schedulerui.presenters.warnings import of_workers, told_by_workers
from schedulerui.web.tasks_known import is_registered
from schedulerui.web.upcoming import Preview

CROWD = 10
"""So many others in one minute are worth a word about spreading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Warnings about task and queue, the others that fire with the first time of the preview, and what the task takes."""

    warnings: tuple[str, ...]
    neighbours: Neighbours | None
    zone: ZoneInfo | None
    takes: str

    @property
    def is_crowd(self) -> bool:
        """Whether spreading would help."""
        return self.neighbours is not None and self.neighbours.n >= CROWD


def hints_of(
    request: HttpRequest, preview: Preview, *, asked: tuple[str, str], but: int | None, now: datetime
) -> Hints:
    """Return the hints for (task, queue) as they are typed; ``but`` is the key of the schedule in the form. Two queries."""
    task, queue = asked
    neighbours = None
    if preview.times:
        neighbours = neighbours_of(preview.times[0], visible(request.user, Schedule.objects.all()), but=but)
    return Hints(
        warnings=tuple(_warnings(task.strip(), queue.strip(), now=now)),
        neighbours=neighbours,
        zone=preview.zone,
        takes=takes_of(task.strip()),
    )


def takes_of(task: str) -> str:
    """Return what the task takes, as a call; empty when it is not known here."""
    told = parameters_of(task) if task else None
    return f"{task}{told}" if told is not None else ""


def _warnings(task: str, queue: str, *, now: datetime) -> list[str]:
    told = told_by_workers(now=now)
    found = list(of_workers(told, task=task, queue=queue))
    if task and not told and not is_registered(task):
        found.append(_("No worker is online, and no code here knows this task."))
    return found
