"""What is old goes, in batches small enough that nobody waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

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
    purged = 0
    while purged < most:
        n_gone = _purge_batch(before, limit=min(batch, most - purged))
        purged += n_gone
        if n_gone < batch:
            break
    return purged


def purge_unscheduled(_now: datetime, *, batch: int = BATCH, most: int = 50 * BATCH) -> int:
    """Delete finished runs of tasks that no schedule sent beyond the newest ``RECORD_ALL_MAX``; return how many, at most ``most``."""
    theirs = Run.objects.finished().filter(trigger=Trigger.TASK)
    limit = settings().RECORD_ALL_MAX
    purged = 0
    while purged < most:
        beyond = theirs.newest_first()[limit : limit + min(batch, most - purged)]
        ids = list(beyond.values_list("pk", flat=True))
        purged += _purge(ids) if ids else 0
        if len(ids) < batch:
            break
    return purged


def purge_changes(now: datetime, *, batch: int = BATCH, most: int = 50 * BATCH) -> int:
    """Delete lines of the audit log older than ``KEEP_CHANGES_FOR_DAYS`` days, none if that is 0; return how many, at most ``most``."""
    days = settings().KEEP_CHANGES_FOR_DAYS
    purged = 0
    while days and purged < most:
        old = Change.objects.filter(at__lt=now - timedelta(days=days)).order_by("at", "id")
        ids = list(old.values_list("pk", flat=True)[: min(batch, most - purged)])
        purged += Change.objects.filter(pk__in=ids).delete()[0] if ids else 0
        if len(ids) < batch:
            break
    return purged


def purge_processes(now: datetime) -> int:
    """Delete the rows of beats, workers and queues that have not been heard of for a day; return how many."""
    n_beats = beats.purge(now=now, older_than=PROCESSES_KEPT)
    n_workers = workers.purge(now=now, older_than=PROCESSES_KEPT)
    return n_beats + n_workers + queues.purge(now=now, keep=queues.known(), older_than=PROCESSES_KEPT)


def _purge_batch(before: datetime, *, limit: int) -> int:
    old = Run.objects.finished().filter(due_at__lt=before).order_by("due_at", "id")
    ids = list(old.values_list("pk", flat=True)[:limit])
    return _purge(ids) if ids else 0


def _purge(ids: list[int]) -> int:
    with transaction.atomic():
        # Conditional again: a redelivered message may have brought one of them back to life meanwhile.
        gone = Run.objects.finished().filter(pk__in=ids)
        Run.objects.filter(blocked_by__in=ids).update(blocked_by=None)
        Attempt.objects.filter(run__in=gone.values("pk")).delete()
        deleted, by_model = gone.delete()
    return by_model.get(Run._meta.label, deleted)  # noqa: SLF001 - Django's documented introspection
