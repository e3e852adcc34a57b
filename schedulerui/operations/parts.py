"""Reports about the parts of a canvas: each moves its part, and the run's state follows from all of them.

Under the lock of the run's row, so that two parts that end at once both count.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from schedulerui.canvas import leaves, unreachable
from schedulerui.conf import settings
from schedulerui.facts import FINISHED, MAX_DELIVERY, RANK, RunState, progress
from schedulerui.models import Part, Run, Worker
from schedulerui.operations import columns
from schedulerui.operations.outcomes import follow
from schedulerui.operations.reports import Report, clean

STOPPED = (
    RunState.FAILED,
    RunState.REJECTED,
    RunState.EXPIRED,
    RunState.REVOKED,
    RunState.IGNORED,
    RunState.LOST,
)
"""Ends of a part that end its run, the one that says most first."""
BEGUN = frozenset({RunState.STARTED, RunState.RETRYING, RunState.SUCCEEDED})


def record(report: Report) -> bool | None:
    """Merge a report about a part; return whether the part moved, None when the task id is no part's."""
    known = Part.objects.filter(task_id=report.task_id).values_list("run_id", flat=True).first()
    if known is None:
        return None
    with transaction.atomic():
        run = _lock(known)
        parts = list(Part.objects.filter(run_id=known).defer("traceback").order_by("position"))
        part = next((row for row in parts if row.task_id == report.task_id), None)
        if run is None or part is None:
            return None
        if not _merge_part(part, report):
            return False
        _give_up(run, parts)
        _follow_parts(run, parts, part, report)
    return True


def derive(states: Sequence[RunState]) -> RunState:
    """Return the state of a run whose parts are in these states."""
    for state in STOPPED:
        if state in states:
            return state
    if all(state is RunState.SUCCEEDED for state in states):
        return RunState.SUCCEEDED
    if any(state in BEGUN for state in states):
        return RunState.STARTED
    return RunState.RECEIVED if RunState.RECEIVED in states else RunState.SENT


def mark_lost(now: datetime, *, limit: int) -> int:
    """Declare parts lost whose worker instance is unheard of for LOST_AFTER seconds; return how many.

    One that was only received goes the same way: the broker hands it over again, and that delivery opens it.
    """
    before = now - timedelta(seconds=settings().LOST_AFTER)
    heard = Worker.objects.filter(seen_at__gte=before).values("instance")
    running = Part.objects.filter(
        worker_instance__isnull=False, state__in=[RunState.RECEIVED, RunState.STARTED], received_at__lt=before
    )
    orphans = (
        running.exclude(worker_instance__in=heard)
        .order_by("id")
        .values_list("task_id", "worker_instance", "worker")
    )
    return sum(bool(record(_obituary(*orphan, now))) for orphan in list(orphans[:limit]))


def _obituary(task_id: str, instance: uuid.UUID | None, worker: str, now: datetime) -> Report:
    reason = f"{worker or 'its worker'} was gone before it told the end"
    return Report(
        task_id=task_id, state=RunState.LOST, moment=now, instance=instance, worker=worker, reason=reason
    )


def _lock(pk: int) -> Run | None:
    runs = Run.objects.filter(pk=pk)
    if not connection.features.has_select_for_update:
        runs.update(progress=F("progress"))  # SQLite: who writes first waits for its turn
    return runs.select_for_update().defer("args", "kwargs", "headers", "options").first()


def _merge_part(part: Part, report: Report) -> bool:
    """Move the part if the report is further along; the columns are set on the object too."""
    attempt, delivery = _which(part, report)
    reached = progress(report.state, attempt=attempt, delivery=delivery)
    if reached <= part.progress:
        return False
    told = columns.told(report, started_at=report.started_at or part.started_at)
    is_new = reached // 100 != part.progress // 100
    began = report.moment if report.state is RunState.STARTED else None
    changes: dict[str, object] = {
        **told,
        "progress": reached,
        "received_at": columns.received(report) or (None if is_new else part.received_at),
        "started_at": part.started_at or report.started_at or began,
    }
    if report.worker:
        changes["worker"] = clean(report.worker, limit=columns.WORKER_MAX)
    if report.instance is not None:
        changes["worker_instance"] = report.instance
    _write(part, changes)
    return True


def _which(part: Part, report: Report) -> tuple[int, int]:
    """Return the attempt and the delivery that a report speaks of; a later time of receipt is another delivery."""
    at_present, delivery = divmod(part.progress // 100, 100)
    attempt = at_present if report.attempt is None else report.attempt
    if attempt != at_present or not delivery:
        return attempt, 1
    told_at = columns.received(report)
    if told_at is None or part.received_at is None or told_at == part.received_at:
        return attempt, report.delivery or delivery
    step = 1 if told_at > part.received_at else -1
    return attempt, min(max(delivery + step, 1), MAX_DELIVERY)


def _write(part: Part, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(part, name, value)
    Part.objects.filter(pk=part.pk).update(**changes)


def _give_up(run: Run, parts: Sequence[Part]) -> None:
    """Close the parts that wait for one that has stopped; should one come all the same, its report opens it again."""
    by_path = {part.path: part for part in parts}
    stopped = {part.path for part in parts if RunState(part.state) in STOPPED}
    for path, cause in unreachable(leaves(run.canvas), stopped) if stopped else ():
        part = by_path.get(path)
        if part is not None and part.state == RunState.WAITING:
            reason = f"not reached: {by_path[cause].task} ({cause}) ended as {by_path[cause].state}"
            state = RunState.CANCELLED
            _write(part, {"state": str(state), "progress": progress(state), "reason": reason[:500]})


def _follow_parts(run: Run, parts: Sequence[Part], part: Part, report: Report) -> None:
    state = derive([RunState(row.state) for row in parts])
    attempt = sum(row.progress // 10_000 for row in parts)
    delivery = 1 + sum(max(row.progress // 100 % 100, 1) - 1 for row in parts)
    reached = progress(state, attempt=attempt, delivery=delivery)
    times = _times(parts)
    if reached <= run.progress or RANK[state] < RANK[RunState.RECEIVED]:
        if times["started_at"] is not None and run.started_at is None:
            Run.objects.filter(pk=run.pk).update(started_at=times["started_at"])
        return
    is_end = state in FINISHED
    was_over = RunState(run.state) in FINISHED
    ended_at = _ended_at(parts, report.moment) if is_end else None
    runtime = _between(times["started_at"], ended_at)
    changes: dict[str, object] = {
        **times,
        **_said(parts, state),
        "state": str(state),
        "progress": reached,
        "attempt": attempt,
        "delivery": min(delivery, MAX_DELIVERY),
        "finished_at": ended_at,
        "runtime": runtime,
        "worker": part.worker,
        "worker_instance": part.worker_instance,
    }
    if Run.objects.filter(pk=run.pk, progress__lt=reached).update(**changes):
        follow(run, state, runtime=runtime, is_again=was_over)


def _times(parts: Sequence[Part]) -> dict[str, datetime | None]:
    return {
        name: min((moment for part in parts if (moment := getattr(part, name)) is not None), default=None)
        for name in ("received_at", "started_at")
    }


def _ended_at(parts: Sequence[Part], usual: datetime) -> datetime:
    return max((part.finished_at for part in parts if part.finished_at is not None), default=usual)


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else max(0.0, (end - begin).total_seconds())


def _said(parts: Sequence[Part], state: RunState) -> dict[str, object]:
    """Return what the run says of its end: the part that stopped it, or the result of its last task."""
    said = {"reason": "", "result": "", "exception": "", "traceback": ""}
    if state is RunState.SUCCEEDED:
        return {**said, "result": parts[-1].result}
    cause = next((part for part in parts if part.state == state), None)
    if state not in STOPPED or cause is None:
        return dict(said)
    words = f"part {cause.position + 1} of {len(parts)}, {cause.task}: {cause.state}"
    reason = f"{words}: {cause.reason}" if cause.reason else words
    return {**said, "reason": reason[:500], "exception": cause.exception, "traceback": cause.traceback}
