"""The run's life as worker signals tell it: one transition, conditional on ``facts.progress`` growing.

Reports come late, twice and in any order, from the worker's main process and from its children. Each is merged under the lock
of its run's row: the attempt it speaks of is found or made, the run moves if the report is further along than what is known,
and nothing ever moves back. The first result of a delivery stands; ``lost`` gives way to any result.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F

from schedulerui.facts import FINISHED, RANK, RESULTS, RunState, progress
from schedulerui.models import Attempt, Run
from schedulerui.operations import columns, deliveries, parts, usual
from schedulerui.operations.deliveries import DUPLICATE
from schedulerui.operations.outcomes import append_outcome, follow
from schedulerui.operations.reports import Report, clean
from schedulerui.operations.unscheduled import adopt

__all__ = ["Report", "append_outcome", "lock", "probe", "record"]

TOLD: frozenset[RunState] = frozenset(
    {
        RunState.RECEIVED,
        RunState.STARTED,
        RunState.RETRYING,
        RunState.LOST,
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.REVOKED,
        RunState.EXPIRED,
        RunState.IGNORED,
        RunState.REJECTED,
    }
)
"""States that a report may bring."""


def record(report: Report) -> bool:
    """Merge one report; return whether it moved the run. A task id of no run and no part changes nothing, for two queries.

    Raises ValueError for a state that no worker can tell, django.db.DatabaseError when the database cannot be written.
    """
    if report.state not in TOLD:
        message = f"{report.state} is not told by workers"
        raise ValueError(message)
    known = usual.look(report.task_id)
    if known is None and report.unscheduled is None:
        return bool(parts.record(report))
    if known is None:
        known = usual.look(report.task_id) if adopt(report) else None
    if known is None:
        return False
    if usual.tell_log(known, report):
        return False
    return usual.merge(known, report) or _merge(report)


def _merge(report: Report) -> bool:
    """Merge a report of which anything may be true, under the lock of its run's row."""
    with transaction.atomic():
        run = lock(report.task_id)
        if run is None:
            return False
        number = run.attempt if report.attempt is None else report.attempt
        told = list(Attempt.objects.filter(run=run).order_by("attempt", "delivery"))
        rows = [row for row in told if row.attempt == number]
        attempt = deliveries.find(rows, report) or deliveries.begin(run, number, rows, report)
        if attempt.reason == DUPLICATE:
            return False  # its arrival, told late: the guard has dropped it, and it must not move the run
        also = columns.log(run, attempt, report) if _merge_attempt(attempt, report, run=run) else {}
        is_again = any(row.pk != attempt.pk and RunState(row.state) in FINISHED for row in told)
        known = deliveries.result_before(rows, attempt) if report.state is RunState.LOST else None
        if known is not None and run.progress < _reached(attempt, report):
            deliveries.stand(run, known, delivery=attempt.delivery)
            return True
        return _merge_run(run, attempt, report, is_again=is_again, also=also)


def probe() -> None:
    """Write nothing, in a way that waits or fails as a report would; raises django.db.DatabaseError."""
    with transaction.atomic():
        Run.objects.filter(pk=0).update(progress=F("progress"))
        Attempt.objects.filter(pk=0).update(delivery=F("delivery"))


def lock(task_id: str) -> Run | None:
    """Return the run with its row locked until the transaction ends."""
    runs = Run.objects.filter(task_id=task_id)
    if not connection.features.has_select_for_update:
        # SQLite: a transaction that reads first and then writes is refused at once when somebody wrote in between; one that
        # writes first waits for its turn.
        runs.update(progress=F("progress"))
    return runs.select_for_update().defer("args", "kwargs", "headers", "options").first()


def _merge_attempt(attempt: Attempt, report: Report, *, run: Run) -> bool:
    """Write what the report says of its delivery; returns whether that moved."""
    changes: dict[str, object] = dict(columns.missing_times(attempt, report))
    if report.pid is not None and attempt.pid is None:
        changes["pid"] = report.pid
    if report.instance is not None and attempt.worker_instance is None:
        changes |= {
            "worker_instance": report.instance,
            "worker": clean(report.worker, limit=columns.WORKER_MAX),
        }
    is_further = RANK[RunState(attempt.state)] < RANK[report.state]
    if is_further:
        told = columns.told(report, started_at=report.started_at or attempt.started_at, run=run)
        del told["result"]
        changes |= told
        if report.state is RunState.RETRYING:
            changes["finished_at"] = report.moment
    if changes:
        Attempt.objects.filter(pk=attempt.pk).update(**changes)
    return is_further


def _merge_run(run: Run, attempt: Attempt, report: Report, *, is_again: bool, also: dict[str, str]) -> bool:
    """Move the run by one conditional update; returns whether it moved. Times that nobody had told yet, and logs, are filled in anyway."""
    anyway: dict[str, object] = {**dict(columns.missing_times(run, report)), **also}
    # A result is the end of what was lost, also if it comes of a delivery before the one that was.
    place = run if _turns_up(run, attempt, report) else attempt
    reached = _reached(place, report)
    told = columns.told(report, started_at=run.started_at or report.started_at, run=run)
    changes = {
        **anyway,
        **told,
        "progress": reached,
        "attempt": place.attempt,
        "delivery": place.delivery,
        **({"worker": clean(report.worker, limit=columns.WORKER_MAX)} if report.worker else {}),
        **({"worker_instance": report.instance} if report.instance else {}),
    }
    if not Run.objects.filter(pk=run.pk, progress__lt=reached).update(**changes):
        if anyway:
            Run.objects.filter(pk=run.pk).update(**anyway)
        return False
    runtime = told["runtime"]
    follow(
        run,
        report.state,
        runtime=runtime if isinstance(runtime, float) else None,
        is_again=is_again or RunState(run.state) in FINISHED,
    )
    return True


def _reached(place: Run | Attempt, report: Report) -> int:
    return progress(report.state, attempt=place.attempt, delivery=place.delivery)


def _turns_up(run: Run, attempt: Attempt, report: Report) -> bool:
    """Whether the report is a result of an earlier delivery of an attempt that is lost, or handed back to the broker."""
    is_gone = run.progress % 100 in {RANK[RunState.LOST], RANK[RunState.LOST] - 1}
    is_earlier = run.attempt == attempt.attempt and run.delivery > attempt.delivery
    return is_gone and is_earlier and report.state in RESULTS
