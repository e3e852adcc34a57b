"""What a report writes into the columns of a run and of an attempt, and which times and lines it adds to what is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schedulerui.conf import settings
from schedulerui.facts import FINISHED, RunState
from schedulerui.models import Attempt, Run
from schedulerui.operations.outcomes import LONGEST
from schedulerui.operations.reports import CUT, Report, clean

REASON_MAX = 500
WORKER_MAX = 255


def told(report: Report, *, started_at: datetime | None, run: Run | None = None) -> dict[str, object]:
    """Return what the report says of the present: every field, so that nothing of an earlier state is left standing.

    ``run``: whose wish it may have been.
    """
    limits = settings()
    is_end = report.state in FINISHED
    # A worker's word is hostile, a spooled one too: no comparison holds for NaN.
    is_sound = report.runtime is not None and 0 <= report.runtime <= LONGEST
    runtime = report.runtime if is_sound else None
    if runtime is None and is_end and started_at is not None and report.state is not RunState.LOST:
        runtime = max(0.0, (report.moment - started_at).total_seconds())
    return {
        "state": str(report.state),
        "finished_at": report.moment if is_end else None,
        "runtime": runtime,
        "reason": clean(_reason(report, run, started_at), limit=REASON_MAX),
        "result": clean(report.result, limit=limits.RESULT_LIMIT),
        "exception": clean(report.exception, limit=limits.RESULT_LIMIT),
        "traceback": clean(report.traceback, limit=limits.TRACEBACK_LIMIT),
    }


def _reason(report: Report, run: Run | None, started_at: datetime | None) -> str:
    """Say who wished it: a worker that was told not to begin does not know, and our row does."""
    is_unbegun = report.state is RunState.REVOKED and started_at is None
    if not is_unbegun or run is None or run.cancel_requested_at is None:
        return report.reason
    return f"cancelled by {run.cancel_requested_by or 'somebody'} before it started"


def log(run: Run, attempt: Attempt, report: Report) -> dict[str, str]:
    """Return what the other attempts logged, and under a line of its own what this one did; the end is what is kept.

    Kept also when the run is further along: the next attempt is often received before the end of the last one is told. What
    a body tells while it runs stands under a line that says so, until its end tells all of it.
    """
    if not report.log:
        return {}
    limit = settings().LOG_TAIL_LIMIT
    name = f"attempt {attempt.attempt + 1}, delivery {attempt.delivery}"
    so_far = f"=== {name}, so far ==="
    before, text = _without(run.log, so_far), clean(report.log, limit=len(report.log))
    if report.state is RunState.STARTED:
        # Its line must be found again.
        text = f"{so_far}\n{text[-max(1, limit - len(so_far) - len(CUT) - 1) :]}"
    elif before or attempt.attempt or attempt.delivery > 1:
        text = f"=== {name} ===\n{text}"
    text = f"{before}\n{text}" if before else text
    return {"log": text if len(text) <= limit else CUT.lstrip() + text[len(text) - limit :]}


def moved_on(log: str, attempt: int, deliveries: list[int]) -> str:
    """Return a log whose deliveries of one attempt, in their order, are counted one further."""
    if log and attempt == 0 and 1 in deliveries and not log.startswith("=== attempt "):
        log = f"=== attempt 1, delivery 1 ===\n{log}"  # it stood alone
    for delivery in reversed(deliveries):
        for end in (" ===", ", so far ==="):
            here = f"=== attempt {attempt + 1}, delivery "
            log = log.replace(f"{here}{delivery}{end}", f"{here}{delivery + 1}{end}")
    return log


def _without(log: str, heading: str) -> str:
    """Return a log without what stands under this heading, up to the next attempt's."""
    before, _found, mine = f"\n{log}".partition(f"\n{heading}\n")
    _mine, following, after = f"\n{mine}".partition("\n=== attempt ")
    return f"{before}{following}{after}".strip("\n")


def missing_times(row: Run | Attempt, report: Report) -> Iterator[tuple[str, datetime]]:
    """Yield the times that nobody had told yet, or later ones."""
    received_at, started_at = received(report), report.started_at
    if report.state is RunState.STARTED:
        started_at = started_at or report.moment
    if received_at is not None and (row.received_at is None or received_at < row.received_at):
        yield "received_at", received_at
    if started_at is not None and (row.started_at is None or started_at < row.started_at):
        yield "started_at", started_at


def received(report: Report) -> datetime | None:
    """Return when the worker had the message, as far as the report says."""
    return report.received_at or (report.moment if report.state is RunState.RECEIVED else None)
