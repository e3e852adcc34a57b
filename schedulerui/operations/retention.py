"""Retention by count: a schedule that runs every second must not fill the history that others need."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from schedulerui.conf import settings
from schedulerui.models import Attempt, Part, Run, Schedule

LOOKED_AT = 500
"""Schedules looked at in one round, by id: the next round goes on behind them."""
BATCH = 1_000
"""Runs deleted in one transaction."""


class Surplus:
    """Goes round all schedules, a part in each round; any number of monitors may."""

    def __init__(self) -> None:
        self._behind = 0

    def purge(self, _now: datetime, *, batch: int = BATCH, most: int = 20 * BATCH) -> int:
        """Delete what finished before the newest ``KEEP_RUNS_PER_SCHEDULE`` finished runs of a schedule; return how many."""
        kept = settings().KEEP_RUNS_PER_SCHEDULE
        if not kept:
            return 0
        ids = list(
            Schedule.objects.filter(pk__gt=self._behind)
            .order_by("pk")
            .values_list("pk", flat=True)[:LOOKED_AT]
        )
        self._behind = ids[-1] if len(ids) == LOOKED_AT else 0
        purged = 0
        for pk in ids:
            while purged < most:
                n_gone = _purge_batch(pk, kept=kept, limit=min(batch, most - purged))
                purged += n_gone
                if n_gone < batch:
                    break
        return purged


def _purge_batch(schedule_id: int, *, kept: int, limit: int) -> int:
    newest = Run.objects.finished().filter(schedule=schedule_id).newest_first()
    ids = list(newest.values_list("pk", flat=True)[kept : kept + limit])
    if not ids:
        return 0
    with transaction.atomic():
        # Conditional again: a redelivered message may have brought one of them back to life meanwhile.
        gone = Run.objects.finished().filter(pk__in=ids)
        Run.objects.filter(blocked_by__in=ids).update(blocked_by=None)
        Run.objects.filter(retry_of__in=ids).update(retry_of=None)
        for model in (Attempt, Part):
            model.objects.filter(run__in=gone.values("pk")).delete()
        deleted, by_model = gone.delete()
    return by_model.get(Run._meta.label, deleted)  # noqa: SLF001 - Django's documented introspection
