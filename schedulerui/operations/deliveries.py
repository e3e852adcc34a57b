"""Which delivery of an attempt a report speaks of, and in which order the deliveries came, whatever order they are told in."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from schedulerui.facts import MAX_DELIVERY, RunState
from schedulerui.models import Attempt, Run
from schedulerui.operations import columns
from schedulerui.operations.reports import Report, clean

CLOCKS = timedelta(seconds=1)
"""How far two workers' clocks may be apart before their moments say which was first."""


def find(rows: list[Attempt], report: Report) -> Attempt | None:
    """Return the attempt's row that the report speaks of: the delivery that it names, else the newest."""
    if report.delivery is not None:
        return next((row for row in rows if row.delivery == report.delivery), None)
    if report.received_at is not None:
        same = (
            row
            for row in rows
            if (row.worker_instance, row.received_at) == (report.instance, report.received_at)
        )
        return next(same, None)
    return rows[-1] if rows else None


def begin(run: Run, number: int, rows: list[Attempt], report: Report) -> Attempt:
    """Insert the row of a delivery that nobody has told of before; ``rows``: those of the same attempt, in their order.

    One that was received before another that is known, and is told of after it, takes its place before it: a start that a
    full disk or a slow database held up must not open a run again that its next delivery has ended. Under the lock of the
    run's row, whose columns are set on the object too. What comes after a loss is the message handed over again, by whichever
    worker's clock.
    """
    delivery = 1 + len(rows)
    later = [row for row in rows if _is_later(row, report)]
    if later and rows[-1].state != RunState.LOST and rows[-1].delivery < MAX_DELIVERY:
        delivery = later[0].delivery
        _make_room(run, number, [row for row in rows if row.delivery >= delivery])
    return Attempt.objects.create(
        run=run,
        attempt=number,
        delivery=delivery,
        state=RunState.RECEIVED,
        worker=clean(report.worker, limit=columns.WORKER_MAX),
        worker_instance=report.instance,
        received_at=columns.received(report),
    )


def _is_later(row: Attempt, report: Report) -> bool:
    """Whether a known delivery came after the one that is told of."""
    told_at = columns.received(report)
    if told_at is None or row.received_at is None:
        return False
    apart = timedelta(0) if row.worker_instance == report.instance else CLOCKS
    return row.received_at > told_at + apart


def _make_room(run: Run, number: int, rows: list[Attempt]) -> None:
    """Count these deliveries, and the run if it is at one of them, one further."""
    for row in reversed(rows):  # the last one first: no two have the same number in between
        Attempt.objects.filter(pk=row.pk).update(delivery=F("delivery") + 1)
    if run.attempt == number and run.delivery >= rows[0].delivery:
        run.delivery, run.progress = run.delivery + 1, run.progress + 100
        Run.objects.filter(pk=run.pk).update(delivery=run.delivery, progress=run.progress)
