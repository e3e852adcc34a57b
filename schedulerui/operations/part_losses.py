"""What becomes of parts whose worker is gone, and of those that nobody has picked up for too long."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from schedulerui.conf import settings
from schedulerui.facts import WITH_WORKER, RunState
from schedulerui.models import Part, Worker
from schedulerui.operations import part_messages, parts
from schedulerui.operations.history import record
from schedulerui.operations.reports import Report


def mark_lost(now: datetime, *, limit: int) -> int:
    """Look after the parts on worker instances unheard of for LOST_AFTER seconds; return how many moved.

    A body that had started is lost. One that was only received goes on waiting: the broker hands it over again.
    """
    moved = 0
    for part in list(_orphans(now - timedelta(seconds=settings().LOST_AFTER))[:limit]):
        worker = part.worker or "its worker"
        if part.state == RunState.STARTED:
            moved += record(_obituary(part, now, reason=f"{worker} was gone before it told the end"))
        else:
            moved += parts.hand_back(part.task_id, worker=worker, now=now)
    return moved


def give_up_stale(now: datetime, *, limit: int) -> int:
    """Declare parts lost that were sent STALE_QUEUED_AFTER seconds ago and that no worker has received; return how many."""
    before = now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
    moved = 0
    for run in part_messages.begun(sent_before=before).filter(state__in=WITH_WORKER).order_by("pk")[:limit]:
        for message in part_messages.sent_parts(run):
            if message.as_run.sent_at is not None and message.as_run.sent_at < before:
                moved += record(_obituary(message.part, now, reason="no worker has received it for too long"))
    return moved


def _orphans(before: datetime) -> QuerySet[Part]:
    heard = Worker.objects.filter(seen_at__gte=before).values("instance")
    told_at = Q(started_at__lt=before) | Q(started_at__isnull=True, received_at__lt=before)
    running = Part.objects.filter(told_at, state__in=[RunState.RECEIVED, RunState.STARTED])
    gone = running.filter(worker_instance__isnull=False).exclude(worker_instance__in=heard)
    return gone.only("task_id", "state", "worker", "worker_instance").order_by("id")


def _obituary(part: Part, now: datetime, *, reason: str) -> Report:
    return Report(
        task_id=part.task_id,
        state=RunState.LOST,
        moment=now,
        instance=part.worker_instance,
        worker=part.worker,
        reason=reason,
    )
