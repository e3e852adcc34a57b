"""How deep the queues are: measurements by the monitor, kept with their age; a failed one never overwrites the last that worked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from schedulerui.conf import settings
from schedulerui.models import Queue, Schedule, Worker
from schedulerui.operations.reports import clean

NAME_MAX = 200
ERROR_MAX = 500
KEEP = timedelta(hours=24)
"""For how long the row of a queue that is measured no more is kept."""


def known() -> list[str]:
    """Return the names of queues that somebody consumes, sends to or has asked for in the settings."""
    names: set[str] = set(settings().QUEUES)
    for queues in Worker.objects.filter(stopped_at__isnull=True).values_list("queues", flat=True):
        names.update(str(name) for name in _listed(queues))
    names.update(Schedule.objects.exclude(queue="").order_by().values_list("queue", flat=True).distinct())
    return sorted(name for name in names if 0 < len(name) <= NAME_MAX)


def measured(name: str, *, depth: int, consumers: int | None, now: datetime) -> None:
    """Write a measurement; ``consumers`` is None where the broker does not tell."""
    Queue.objects.update_or_create(
        name=name, defaults={"depth": depth, "consumers": consumers, "measured_at": now, "error": ""}
    )


def unmeasured(name: str, *, error: str, now: datetime) -> None:
    """Write why a queue could not be measured; depth and age stay those of the last measurement that worked."""
    sentence = clean(error, limit=ERROR_MAX)
    if not Queue.objects.filter(name=name).update(error=sentence):
        Queue.objects.get_or_create(name=name, defaults={"measured_at": now, "error": sentence})


def purge(*, now: datetime, keep: Iterable[str], older_than: timedelta = KEEP) -> int:
    """Delete queues that nobody names any more and that were last measured before ``older_than``; return how many."""
    gone = Queue.objects.filter(measured_at__lt=now - older_than).exclude(name__in=list(keep))
    deleted, _ = gone.delete()
    return deleted


def _listed(queues: object) -> list[object]:
    return queues if isinstance(queues, list) else []
