"""The usual case in few statements: what one delivery tells, in its order, of the first attempt of a run.

As long as a run's row says that, it says what its only attempt's row must be, and nothing needs to be read under a lock: the
update is made on the condition that the run still is what was read. Whatever is not so is merged the long way, in ``history``.
"""

from __future__ import annotations

from django.db import transaction

from schedulerui.facts import RANK, RunState, progress
from schedulerui.models import Attempt, Run
from schedulerui.operations import columns, statements
from schedulerui.operations.outcomes import follow
from schedulerui.operations.reports import Report, clean

READ = (
    "schedule_id",
    "state",
    "progress",
    "attempt",
    "delivery",
    "received_at",
    "started_at",
    "worker_instance",
    "log",
    "nominal_at",
    "due_at",
    "cancel_requested_at",
    "cancel_requested_by",
)
EMPTY: dict[str, object] = {"pid": None, "received_at": None, "started_at": None}
"""Columns of an attempt that a report may leave out."""
UNTOLD = frozenset({progress(RunState.PENDING), progress(RunState.SENT)})
"""Nobody has told of the run: it has no attempts."""
ON_ITS_WAY = frozenset(progress(state) for state in (RunState.RECEIVED, RunState.STARTED))
"""Its first delivery has been told of and not its end: it has one attempt."""


def look(task_id: str) -> Run | None:
    """Return what ``merge`` needs to know of a run; None for a task id that is none of ours."""
    return Run.objects.filter(task_id=task_id).only(*READ).first()


def merge(run: Run, report: Report) -> bool:
    """Merge the report if this is the usual case; False when it is not, or not any more, and nothing was written."""
    if report.attempt != 0 or report.delivery is not None:
        return False
    if run.progress in UNTOLD:
        return _write(run, report, is_first=True)
    same = (run.worker_instance, run.received_at) == (report.instance, report.received_at)
    is_further = RANK[report.state] > RANK[RunState(run.state)]
    if run.progress in ON_ITS_WAY and same and report.received_at is not None and is_further:
        return _write(run, report, is_first=False)
    return False


def tell_log(run: Run, report: Report) -> bool:
    """Keep what a body has logged so far; False when the report is no such one, or its body is not what the run is at."""
    if report.state is not RunState.STARTED or not report.log or run.state != RunState.STARTED:
        return False
    if (run.attempt, run.worker_instance) != (report.attempt, report.instance) or not _is_at(run, report):
        return False
    attempt = Attempt(run_id=run.pk, attempt=run.attempt, delivery=run.delivery)
    log = columns.log(run, attempt, report)
    return bool(statements.update(Run, log, where={"id": run.pk, "progress": run.progress}))


def _is_at(run: Run, report: Report) -> bool:
    """Whether the run is at the delivery that the report names: one worker may have two of a message."""
    if run.received_at == report.received_at and (run.attempt, run.delivery) == (0, 1):
        return True
    at = {"run": run.pk, "attempt": run.attempt, "delivery": run.delivery}
    return Attempt.objects.filter(**at, received_at=report.received_at).exists()


def _write(run: Run, report: Report, *, is_first: bool) -> bool:
    attempt = Attempt(run_id=run.pk, attempt=0, delivery=1)
    worker = {"worker": clean(report.worker, limit=columns.WORKER_MAX), "worker_instance": report.instance}
    told = columns.told(report, started_at=run.started_at or report.started_at, run=run)
    of_run = {
        **told,
        **dict(columns.missing_times(run, report)),
        **columns.log(run, attempt, report),
        **worker,
        "progress": progress(report.state),
        "attempt": 0,
        "delivery": 1,
    }
    with transaction.atomic():
        if not statements.update(Run, of_run, where={"id": run.pk, "progress": run.progress}):
            return False
        _write_attempt(attempt, report, told, is_first=is_first)
        runtime = told["runtime"]
        follow(run, report.state, runtime=runtime if isinstance(runtime, float) else None, is_again=False)
    return True


def _write_attempt(attempt: Attempt, report: Report, told: dict[str, object], *, is_first: bool) -> None:
    values = {key: value for key, value in told.items() if key != "result"}
    if report.state is RunState.RETRYING:
        values["finished_at"] = report.moment
    values |= dict(columns.missing_times(attempt, report))
    if report.pid is not None:
        values["pid"] = report.pid
    mine = {"run": attempt.run_id, "attempt": 0, "delivery": 1}
    if is_first:
        worker = clean(report.worker, limit=columns.WORKER_MAX)
        statements.insert(
            Attempt, {**EMPTY, **mine, "worker": worker, "worker_instance": report.instance, **values}
        )
        return
    # The received moment is there already; the start may be, and is the same.
    values.pop("received_at", None)
    statements.update(Attempt, values, where=mine)
