"""What becomes of runs whose worker is gone: a body that ran is lost, a message that only waited there is with the broker again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from schedulerui.conf import settings
from schedulerui.facts import RunState, progress
from schedulerui.models import Attempt, Run, Worker
from schedulerui.operations import deliveries, part_losses
from schedulerui.operations.history import lock, record
from schedulerui.operations.outcomes import follow
from schedulerui.operations.reports import Report

LOST_BATCH = 500
"""Most attempts declared lost in one round."""


def mark_lost(now: datetime, *, limit: int = LOST_BATCH) -> int:
    """Look after what was on worker instances unheard of for ``LOST_AFTER`` seconds; return how many runs moved.

    A body that had started is lost. A message that the worker had only received was not acknowledged: the broker hands it over
    again, so the run is sent and not started. A later delivery opens either again, and a late result corrects it.
    """
    moved = part_losses.mark_lost(now, limit=limit) + part_losses.give_up_stale(now, limit=limit)
    for attempt in list(_orphans(now - timedelta(seconds=settings().LOST_AFTER))[:limit]):
        if attempt.state == RunState.STARTED:
            moved += record(_obituary(attempt, now))
        else:
            moved += _hand_back(attempt, now)
    return moved


def handed_back(attempt: int, delivery: int) -> int:
    """Return the progress of a run whose delivery was lost before it started: beyond everything of it but a result."""
    return progress(RunState.LOST, attempt=attempt, delivery=delivery) - 1


def _orphans(before: datetime) -> QuerySet[Attempt]:
    """Return the attempts without an end whose worker instance has not been heard of since ``before``."""
    heard = Worker.objects.filter(seen_at__gte=before).values("instance")
    told_at = Q(started_at__lt=before) | Q(started_at__isnull=True, received_at__lt=before)
    running = Attempt.objects.filter(told_at, state__in=[RunState.RECEIVED, RunState.STARTED])
    return (
        running.filter(worker_instance__isnull=False)
        .exclude(worker_instance__in=heard)
        .select_related("run")
        .order_by("id")
    )


def _hand_back(attempt: Attempt, now: datetime) -> bool:
    """Close the delivery and show the run as sent; returns whether the run moved."""
    reason = (
        f"{attempt.worker or 'its worker'} died before it started this; the broker will hand it over again"
    )
    with transaction.atomic():
        run = lock(str(attempt.run.task_id))
        # Read again: a delivery that was told late may have taken its number.
        rows = list(Attempt.objects.filter(run=attempt.run_id, attempt=attempt.attempt).order_by("delivery"))
        mine = next((row for row in rows if row.pk == attempt.pk and row.state == RunState.RECEIVED), None)
        if run is None or mine is None:
            return False
        Attempt.objects.filter(pk=mine.pk).update(state=RunState.LOST, finished_at=now, reason=reason[:500])
        return _give_back(run, mine, known=deliveries.result_before(rows, mine), reason=reason)


def _give_back(run: Run, attempt: Attempt, *, known: Attempt | None, reason: str) -> bool:
    """Show the run as sent, or as ended if a delivery before this one has; returns whether it moved."""
    reached = handed_back(attempt.attempt, attempt.delivery)
    if run.progress >= reached:
        return False
    if known is not None:
        deliveries.stand(run, known, delivery=attempt.delivery)
        return True
    Run.objects.filter(pk=run.pk).update(
        state=RunState.SENT,
        progress=reached,
        attempt=attempt.attempt,
        delivery=attempt.delivery,
        received_at=None,
        finished_at=None,
        worker="",
        worker_instance=None,
        reason=reason[:500],
    )
    follow(run, RunState.SENT, runtime=None, is_again=False)
    return True


def _obituary(attempt: Attempt, now: datetime) -> Report:
    return Report(
        task_id=str(attempt.run.task_id),
        state=RunState.LOST,
        moment=now,
        attempt=attempt.attempt,
        delivery=attempt.delivery,
        instance=attempt.worker_instance,
        received_at=attempt.received_at,
        worker=attempt.worker,
        reason=f"{attempt.worker or 'its worker'} was gone before it told the end",
    )
