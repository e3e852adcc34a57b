"""What is old goes, in batches small enough that nobody waits for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from schedulerui.conf import settings
from schedulerui.facts import Trigger
from schedulerui.models import Attempt, Change, Run
from schedulerui.operations import beats, queues, workers

BATCH = 1_000
"""Runs deleted in one transaction."""
PROCESSES_KEPT = timedelta(hours=24)


def purge_runs(now: datetime, *, batch: int = BATCH, most: int = 50 * BATCH) -> int:
    """Delete finished runs that were due more than ``KEEP_RUNS_FOR_DAYS`` days ago; return how many, at most ``most``.

    Active runs stay however old they are. The newest run of a schedule is purged too: its state row keeps what it told.
    """
    before = now - timedelta(days=settings().KEEP_RUNS_FOR_DAYS)
    old = Run.objects.finished().filter(due_at__lt=before).order_by("due_at", "id")
    return _purge(old, _delete_runs, batch=batch, most=most)


def purge_unscheduled(_now: datetime, *, batch: int = BATCH, most: int = 50 * BATCH) -> int:
    """Delete finished runs of tasks that no schedule sent beyond the newest ``RECORD_ALL_MAX``; return how many, at most ``most``."""
    theirs = Run.objects.finished().filter(trigger=Trigger.TASK)
    return _purge(theirs.newest_first(), _delete_runs, keep=settings().RECORD_ALL_MAX, batch=batch, most=most)


def purge_changes(now: datetime, *, batch: int = BATCH, most: int = 50 * BATCH) -> int:
    """Delete lines of the audit log older than ``KEEP_CHANGES_FOR_DAYS`` days, none if that is 0; return how many, at most ``most``."""
    days = settings().KEEP_CHANGES_FOR_DAYS
    if not days:
        return 0
    old = Change.objects.filter(at__lt=now - timedelta(days=days)).order_by("at", "id")
    return _purge(old, lambda ids: Change.objects.filter(pk__in=ids).delete()[0], batch=batch, most=most)


def purge_processes(now: datetime) -> int:
    """Delete the rows of beats, workers and queues that have not been heard of for a day; return how many."""
    n_beats = beats.purge(now=now, older_than=PROCESSES_KEPT)
    n_workers = workers.purge(now=now, older_than=PROCESSES_KEPT)
    return n_beats + n_workers + queues.purge(now=now, keep=queues.known(), older_than=PROCESSES_KEPT)


def _purge(
    rows: QuerySet[Any], delete: Callable[[list[int]], int], *, batch: int, most: int, keep: int = 0
) -> int:
    """Delete those beyond the first ``keep`` in their order, a batch at a time, until fewer are left or ``most`` are gone."""
    purged = 0
    while purged < most:
        ids = list(rows.values_list("pk", flat=True)[keep : keep + min(batch, most - purged)])
        purged += delete(ids) if ids else 0
        if len(ids) < batch:
            break
    return purged


def _delete_runs(ids: list[int]) -> int:
    with transaction.atomic():
        # Conditional again: a redelivered message may have brought one of them back to life meanwhile.
        gone = Run.objects.finished().filter(pk__in=ids)
        Run.objects.filter(blocked_by__in=ids).update(blocked_by=None)
        Attempt.objects.filter(run__in=gone.values("pk")).delete()
        deleted, by_model = gone.delete()
    return by_model.get(Run._meta.label, deleted)  # noqa: SLF001 - Django's documented introspection
