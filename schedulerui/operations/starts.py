"""The one start of a run: taken by a conditional update, so that of two messages of one id only one has its body run."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from schedulerui.facts import RANK, RunState, progress
from schedulerui.models import Attempt, Part, Run
from schedulerui.operations import deliveries, parts
from schedulerui.operations.deliveries import DUPLICATE
from schedulerui.operations.history import lock
from schedulerui.operations.reports import Report, clean

__all__ = ["DUPLICATE", "Verdict", "begin", "drop"]

TOKEN_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the body may begin: it may when there is no reason against it."""

    reason: str = ""
    is_duplicate: bool = False


def begin(task_id: str, *, run: str, token: str, may_repeat: bool) -> Verdict:
    """Take the start of the run with this task id for ``token``; one statement where nobody has taken it.

    ``may_repeat``: the message says why it comes again. A task id that is not the run's own is a part of it, and a run that
    has no row is let through. Raises django.db.Error.
    """
    mine = Run.objects.filter(task_id=task_id)
    free = mine.filter(start_token__isnull=True, cancel_requested_at__isnull=True)
    if free.update(start_token=token[:TOKEN_MAX]):
        return Verdict()
    found = (
        Run.objects.filter(uuid=run)
        .values_list("task_id", "cancel_requested_at", "cancel_requested_by")
        .first()
    )
    if found is None:
        return Verdict()
    own_id, cancelled_at, cancelled_by = found
    if cancelled_at is not None:
        return Verdict(reason=f"cancelled by {cancelled_by or 'somebody'} before it started")
    if may_repeat or (own_id != task_id and _begin_part(task_id, token)):
        return Verdict()
    return Verdict(reason=DUPLICATE, is_duplicate=True)


def _begin_part(task_id: str, token: str) -> bool:
    """Take the start of a part; what is neither the run nor a part of it, which a task may send, is let through."""
    mine = Part.objects.filter(task_id=task_id)
    return (
        bool(mine.filter(start_token__isnull=True).update(start_token=token[:TOKEN_MAX])) or not mine.exists()
    )


def drop(report: Report, *, reason: str) -> None:
    """Write the delivery that was dropped among the attempts; the run is again what its other deliveries made of it.

    Raises django.db.Error.
    """
    with transaction.atomic():
        run = lock(report.task_id)
        if run is None:
            parts.note_duplicate(report.task_id, reason=reason)
            return
        rows = list(Attempt.objects.filter(run=run).order_by("attempt", "delivery"))
        dropped = _delivery(rows, run, report)
        Attempt.objects.filter(pk=dropped.pk).update(
            state=RunState.IGNORED, finished_at=report.moment, pid=report.pid, reason=reason[:500]
        )
        if (run.attempt, run.delivery) == (dropped.attempt, dropped.delivery):
            _restore(run, [row for row in rows if row.pk != dropped.pk and row.reason != reason])
        elif run.progress == progress(RunState.SENT):
            _restore(run, [])


def _delivery(rows: list[Attempt], run: Run, report: Report) -> Attempt:
    """Return the row of the dropped delivery, made now if its arrival was not told of."""
    told = [row for row in rows if row.attempt == report.attempt]
    for row in told:
        same = (row.worker_instance, row.received_at) == (report.instance, report.received_at)
        if same and row.state == RunState.RECEIVED and report.received_at is not None:
            return row
    # The first delivery is kept free for the one that runs, which may be told of later.
    return Attempt.objects.create(
        run=run,
        attempt=report.attempt or 0,
        delivery=max(1, *(row.delivery for row in told), 0) + 1 if told else 2,
        state=RunState.IGNORED,
        worker=clean(report.worker, limit=255),
        worker_instance=report.instance,
        received_at=report.received_at,
    )


def _restore(run: Run, others: list[Attempt]) -> None:
    """Take back that the dropped delivery had moved the run."""
    best = max(others, key=lambda row: (row.attempt, row.delivery, RANK[RunState(row.state)]), default=None)
    if best is None:
        # One further than a run that nobody has told of, so that the next report looks at what is there.
        unbegun = {"state": RunState.SENT, "progress": progress(RunState.SENT) + 1, "reason": ""}
        Run.objects.filter(pk=run.pk).update(**unbegun, attempt=0, delivery=0)
        return
    deliveries.stand(run, best, delivery=best.delivery)
