"""The task names that the form offers: what living workers registered, what this process knows, what schedules use."""

from __future__ import annotations

from itertools import chain

from schedulerui.access import Visitor, visible
from schedulerui.dispatch import NoCeleryApp, registered_tasks
from schedulerui.models import Schedule
from schedulerui.operations import workers
from schedulerui.operations.registered import OWN

N_WORKERS = 20
N_SCHEDULED = 500


def known_tasks() -> set[str]:
    """Return the tasks that some worker or this process can run; two sources, one query."""
    newest = workers.living().order_by("-seen_at")[:N_WORKERS]
    told = chain.from_iterable(newest.values_list("tasks", flat=True))
    return {name for name in map(str, told) if not name.startswith(OWN)} | set(_registered())


def offered_tasks(user: Visitor) -> list[str]:
    """Return what the task field suggests: the known ones, and those of schedules that ``user`` may know of; two queries."""
    used = (
        visible(user, Schedule.objects.all())
        .order_by("task")
        .values_list("task", flat=True)
        .distinct()[:N_SCHEDULED]
    )
    return sorted(known_tasks() | set(used))


def is_registered(task: str) -> bool:
    """Return whether this process can run the task, as each process can Celery's own."""
    return task.startswith(OWN) or task in _registered()


def _registered() -> list[str]:
    try:
        return registered_tasks()
    except NoCeleryApp:  # the about page says so; a form can live without suggestions
        return []
