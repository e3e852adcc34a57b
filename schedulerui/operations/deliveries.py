"""Which delivery of an attempt a report speaks of, and in which order the deliveries came, whatever order they are told in."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from schedulerui.facts import FINISHED, MAX_DELIVERY, RESULTS, RunState, progress
from schedulerui.models import Attempt, Run
from schedulerui.operations import columns
from schedulerui.operations.outcomes import follow
from schedulerui.operations.reports import Report, clean

DUPLICATE = "a duplicate of the message was dropped: the run had begun already"
"""The reason of an attempt that the guard task class dropped."""

CLOCKS = timedelta(seconds=1)
"""How far two workers' clocks may be apart before their moments say which was first."""


def find(rows: list[Attempt], report: Report) -> Attempt | None:
    """Return the attempt's row that the report speaks of: the delivery that it names, else the newest."""
    if report.received_at is not None:
        same = (
            row
            for row in rows
            if (row.worker_instance, row.received_at) == (report.instance, report.received_at)
        )
        return next(same, None)
    if report.delivery is not None:
        return next((row for row in rows if row.delivery == report.delivery), None)
    # A worker that has never had the message as its own, since it knows no such task, says nothing of what another one has.
    mine = [row for row in rows if report.instance is None or row.worker_instance in {None, report.instance}]
    return mine[-1] if mine else None


def begin(run: Run, number: int, rows: list[Attempt], report: Report) -> Attempt:
    """Insert the row of a delivery that nobody has told of before; ``rows``: those of the same attempt, in their order.

    One that was received before another that is known, and is told of after it, takes its place before it: a start that a
    full disk or a slow database held up must not open a run again that its next delivery has ended. Under the lock of the
    run's row, whose columns are set on the object too.
    """
    delivery = _place([row for row in rows if row.reason != DUPLICATE], rows, report)
    if any(row.delivery == delivery for row in rows):
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


def result_before(rows: list[Attempt], attempt: Attempt) -> Attempt | None:
    """Return the last delivery of the same attempt, before this one, that told a result."""
    return next(
        (
            row
            for row in reversed(rows)
            if row.attempt == attempt.attempt
            and row.delivery < attempt.delivery
            and row.state in RESULTS
            and row.reason != DUPLICATE
        ),
        None,
    )


def stand(run: Run, row: Attempt, *, delivery: int) -> None:
    """Let the run be what one of its deliveries made of it, counted as its ``delivery``-th; under the lock of its row.

    What that one returned is not kept beside it.
    """
    state = RunState(row.state)
    Run.objects.filter(pk=run.pk).update(
        state=state,
        progress=progress(state, attempt=row.attempt, delivery=delivery),
        attempt=row.attempt,
        delivery=delivery,
        worker=row.worker,
        worker_instance=row.worker_instance,
        finished_at=row.finished_at if state in FINISHED else None,
        runtime=row.runtime,
        reason=row.reason,
        exception=row.exception,
        traceback=row.traceback,
    )
    if state in FINISHED:
        follow(run, state, runtime=row.runtime, is_again=True)


def _place(told: list[Attempt], rows: list[Attempt], report: Report) -> int:
    """Return which delivery it is: before those that came later, else the first free number after what is told.

    What was dropped is no delivery that another one follows. What comes to another worker after a loss is the message handed
    over again, by whichever worker's clock.
    """
    is_lost = bool(told) and told[-1].state == RunState.LOST
    later = [row for row in told if _is_later(row, report, is_lost=is_lost)]
    if later and rows[-1].delivery < MAX_DELIVERY:
        return later[0].delivery
    taken = {row.delivery for row in rows}
    delivery = told[-1].delivery + 1 if told else 1
    while delivery in taken:
        delivery += 1
    return delivery


def _is_later(row: Attempt, report: Report, *, is_lost: bool) -> bool:
    """Whether a known delivery came after the one that is told of."""
    told_at = columns.received(report) or report.moment
    if row.received_at is None:
        return False
    if row.worker_instance == report.instance:
        return row.received_at > told_at
    return not is_lost and row.received_at > told_at + CLOCKS


def _make_room(run: Run, number: int, rows: list[Attempt]) -> None:
    """Count these deliveries, and the run if it is at one of them, one further."""
    for row in reversed(rows):  # the last one first: no two have the same number in between
        Attempt.objects.filter(pk=row.pk).update(delivery=F("delivery") + 1)
    if run.attempt == number and run.delivery >= rows[0].delivery:
        run.delivery, run.progress = run.delivery + 1, run.progress + 100
        Run.objects.filter(pk=run.pk).update(delivery=run.delivery, progress=run.progress)
    log = columns.moved_on(run.log, number, [row.delivery for row in rows])
    if log != run.log:
        run.log = log
        Run.objects.filter(pk=run.pk).update(log=log)
