"""What a person should know before running a schedule by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.models import Run, Schedule
from schedulerui.operations import workers
from schedulerui.operations.registered import is_missing, tasks_of

N_WORKERS = 50

Told = list[tuple[list[str], list[str]]]
"""For each worker: its tasks, its queues."""


def warnings_of(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return sentences, the most important first; two queries."""
    n_active = Run.objects.active().filter(schedule=schedule)[:100].count()
    told = told_by_workers(now=now)
    found = []
    if n_active:
        found.append(
            ngettext(
                "%(n)d run of it is already under way.", "%(n)d runs of it are already under way.", n_active
            )
            % {"n": n_active}
        )
    if not told:
        found.append(_("No worker is online: the run waits in the queue until one comes."))
    found.extend(of_workers(told, task="" if schedule.canvas else schedule.task, queue=schedule.queue))
    found.extend(_of_parts(told, schedule))
    if not schedule.enabled:
        found.append(_("The schedule is off: it runs this once anyway."))
    return found


def _of_parts(told: Told, schedule: Schedule) -> Iterator[str]:
    """Yield which tasks of a canvas no worker that is online knows."""
    known = {str(name) for names, _queues in told for name in names}
    for task in tasks_of(schedule.task, schedule.canvas) if schedule.canvas else ():
        if is_missing(task, known):
            yield _("No worker that is online knows the task %(task)s of its canvas.") % {"task": task}


def told_by_workers(*, now: datetime) -> Told:
    """Return the tasks and the queues of each worker that is online, as it tells them; one query."""
    return list(workers.online(now=now).order_by("-seen_at").values_list("tasks", "queues")[:N_WORKERS])


def of_workers(told: Told, *, task: str, queue: str) -> Iterator[str]:
    """Yield what the workers that are online do not know of a message; nothing of what they do not tell."""
    tasks = {str(name) for names, _queues in told for name in names}
    queues = {str(name) for _names, names in told for name in names}
    if task and is_missing(task, tasks):
        yield _("No worker that is online knows this task.")
    if queue and queues and queue not in queues:
        yield _("No worker that is online takes from the queue %(queue)s.") % {"queue": queue}
