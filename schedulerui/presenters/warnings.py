"""What a person should know before running a schedule by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.models import Run, Schedule, Worker

N_WORKERS = 50


def warnings_of(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return sentences, the most important first; two queries."""
    n_active = Run.objects.active().filter(schedule=schedule)[:100].count()
    seen_after = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    workers = Worker.objects.filter(seen_at__gte=seen_after, stopped_at=None, died_at=None)
    found = []
    if n_active:
        found.append(
            ngettext(
                "%(n)d run of it is already under way.", "%(n)d runs of it are already under way.", n_active
            )
            % {"n": n_active}
        )
    found.extend(_of_workers(schedule, list(workers.values_list("tasks", "queues")[:N_WORKERS])))
    if not schedule.enabled:
        found.append(_("The schedule is off: it runs this once anyway."))
    return found


def _of_workers(schedule: Schedule, told: list[tuple[list[str], list[str]]]) -> Iterable[str]:
    if not told:
        yield _("No worker is online: the run waits in the queue until one comes.")
        return
    tasks = {str(name) for names, _queues in told for name in names}
    queues = {str(name) for _names, names in told for name in names}
    if tasks and schedule.task not in tasks:
        yield _("No worker that is online knows this task.")
    if schedule.queue and queues and schedule.queue not in queues:
        yield _("No worker that is online takes from the queue %(queue)s.") % {"queue": schedule.queue}
