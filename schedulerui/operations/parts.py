"""Reports about the parts of a canvas: each moves its part, and the run's state follows from all of them.

Under the lock of the run's row, so that two parts that end at once both count. A run is over when none of its parts may go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from schedulerui.canvas import entries, leaves, unreachable
from schedulerui.facts import FINISHED, MAX_DELIVERY, RANK, RESULTS, WITH_WORKER, RunState, progress
from schedulerui.models import Part, Run
from schedulerui.operations import columns, part_totals
from schedulerui.operations.outcomes import follow
from schedulerui.operations.reports import Report, clean

BEGUN = frozenset({RunState.STARTED, RunState.RETRYING, *part_totals.STOPPED, RunState.SUCCEEDED})
HAD = frozenset({RunState.RECEIVED, *BEGUN} - {RunState.LOST})
"""States of a part that some worker has: that another one has received it too is no news until its body begins there."""
UNTOLD = "its end was not told; what comes after it has begun"

OF_BODY = ("state", "progress", "worker_instance", "received_at")
"""What says which body of a part is meant."""


def record(report: Report) -> bool | None:
    """Merge a report about a part; return whether the part moved, None when the task id is no part's."""
    known = Part.objects.filter(task_id=report.task_id).only("run_id", *OF_BODY).first()
    if known is None:
        return None
    if _is_only_log(known, report):
        return False
    with transaction.atomic():
        run, parts = lock(known.run_id)
        part = next((row for row in parts if row.task_id == report.task_id), None)
        if run is None or part is None:
            return None
        if not _merge_part(part, report):
            return False
        _settle(run, parts, part, moment=report.moment)
    return True


def _is_only_log(part: Part, report: Report) -> bool:
    """Whether the report brings nothing but what a body has logged so far, which is not kept of parts: then nobody is locked out."""
    if report.state is not RunState.STARTED or not report.log or part.state != RunState.STARTED:
        return False
    told = (report.attempt, report.instance, report.received_at)
    return told == (part.progress // 10_000, part.worker_instance, part.received_at)


def catch_up(run_id: int) -> None:
    """Let a run that has just been marked as sent be what its parts have told meanwhile."""
    with transaction.atomic():
        run, parts = lock(run_id)
        told = [part for part in parts if part.progress]
        if run is not None and told:
            _settle(run, parts, told[-1], moment=max(part.finished_at or run.due_at for part in told))


def derive(states: Sequence[RunState]) -> RunState:
    """Return the state of a run whose parts are in these states."""
    if all(state in FINISHED for state in states):
        return next((state for state in part_totals.STOPPED if state in states), RunState.SUCCEEDED)
    if any(state in BEGUN for state in states):
        return RunState.STARTED
    return RunState.RECEIVED if RunState.RECEIVED in states else RunState.SENT


def note_duplicate(task_id: str, *, reason: str) -> None:
    """Say of a part that another message of it was dropped; it stays what its own message made of it."""
    Part.objects.filter(task_id=task_id, reason="").update(reason=reason[:500])


def hand_back(task_id: str, *, worker: str, now: datetime) -> bool:
    """Let a part wait again that a worker had only received when it died: the broker hands it over again.

    Of a run that is to be given up it ends as revoked; should a worker begin it after all, it goes on from there.
    """
    run_id = Part.objects.filter(task_id=task_id).values_list("run_id", flat=True).first()
    with transaction.atomic():
        run, parts = lock(run_id or 0)
        part = next((row for row in parts if row.task_id == task_id), None)
        if run is None or part is None or part.state != RunState.RECEIVED:
            return False
        is_wanted = run.cancel_requested_at is None
        rest = "; the broker will hand it over again" if is_wanted else ", and its run was cancelled"
        reason = f"{worker} died before it started this{rest}"
        gone = {"worker": "", "worker_instance": None, "received_at": None, "reason": reason[:500]}
        if is_wanted:
            # What comes next is another delivery, and counted as one.
            reached = (part.progress // 100 + 1) * 100 + RANK[RunState.WAITING]
            _write(part, {**gone, "state": str(RunState.WAITING), "progress": reached})
            _give_back(run, parts, gone)
        else:
            _write(part, gone)
            _revoke(part, reason=reason, now=now)
            _settle(run, parts, part, moment=now)
    return True


def _give_back(run: Run, parts: Sequence[Part], gone: dict[str, Any]) -> None:
    """Show a run as sent whose parts all wait for a worker again."""
    if derive([RunState(row.state) for row in parts]) is not RunState.SENT:
        return
    attempt, delivery = part_totals.counts(parts)
    reached = (attempt * 100 + delivery) * 100 + RANK[RunState.SENT]
    sent = {
        **gone,
        "state": str(RunState.SENT),
        "progress": reached,
        "attempt": attempt,
        "delivery": delivery,
    }
    received = Run.objects.filter(pk=run.pk, state=RunState.RECEIVED, progress__lt=reached)
    if received.update(**sent):
        follow(run, RunState.SENT, runtime=None, is_again=False)


def call_off(run_id: int, *, reason: str, now: datetime) -> None:
    """Revoke the parts of a cancelled run that no worker has; inside the transaction that cancelled it.

    One of them may be out: should a worker tell of it after all, it goes on from there. Parts that a worker has make the run
    what they are, so that it counts as alive as long as they do.
    """
    run, parts = lock(run_id)
    told = [part for part in parts if part.state not in (RunState.WAITING, RunState.CANCELLED)]
    for part in parts:
        if part.state == RunState.WAITING:
            _revoke(part, reason=reason, now=now)
    if run is not None and told:
        _settle(run, parts, told[-1], moment=now)


def _revoke(part: Part, *, reason: str, now: datetime) -> None:
    """End a part that no worker has; what a worker tells of it after all is further along."""
    reached = part.progress - part.progress % 100 + RANK[RunState.CANCELLED]
    revoked = {"state": str(RunState.REVOKED), "finished_at": now, "reason": reason[:500]}
    _write(part, {**revoked, "progress": reached})


def lock(pk: int) -> tuple[Run | None, list[Part]]:
    """Return the run with its row locked until the transaction ends, and its parts."""
    runs = Run.objects.filter(pk=pk)
    if not connection.features.has_select_for_update:
        runs.update(progress=F("progress"))  # SQLite: who writes first waits for its turn
    run = runs.select_for_update().defer("args", "kwargs", "headers", "options").first()
    return run, list(Part.objects.filter(run_id=pk).defer("traceback").order_by("position"))


def _merge_part(part: Part, report: Report) -> bool:
    """Move the part if the report is further along; the columns are set on the object too."""
    attempt, delivery = _which(part, report)
    reached = progress(report.state, attempt=attempt, delivery=delivery)
    is_echo = report.state is RunState.RECEIVED and part.state in HAD and attempt == part.progress // 10_000
    if reached <= part.progress or is_echo:
        return False
    told = columns.told(report, started_at=report.started_at or part.started_at)
    is_new = reached // 100 != part.progress // 100
    began = report.moment if report.state is RunState.STARTED else None
    changes: dict[str, object] = {
        **told,
        "progress": reached,
        "received_at": _received(part, report, is_new=is_new),
        "started_at": part.started_at or report.started_at or began,
    }
    if report.worker:
        changes["worker"] = clean(report.worker, limit=columns.WORKER_MAX)
    if report.instance is not None:
        changes["worker_instance"] = report.instance
    _write(part, changes)
    return True


def _received(part: Part, report: Report, *, is_new: bool) -> datetime | None:
    """Return when the delivery that the part is at came: the lost one also when an earlier one tells the end."""
    told_at = columns.received(report)
    if told_at is None:
        return None if is_new else part.received_at
    is_earlier = part.received_at is not None and told_at < part.received_at
    return part.received_at if is_earlier and _turns_up(part, report) else told_at


def _which(part: Part, report: Report) -> tuple[int, int]:
    """Return the attempt and the delivery that a report speaks of; a later time of receipt is another delivery."""
    at_present, delivery = divmod(part.progress // 100, 100)
    attempt = at_present if report.attempt is None else report.attempt
    if part.state == RunState.REVOKED and part.progress % 100 == RANK[RunState.CANCELLED]:
        return attempt, min(
            max(delivery, 1) + 1, MAX_DELIVERY
        )  # beyond the run, which may be over without it
    if attempt != at_present or not delivery:
        return attempt, 1
    told_at = columns.received(report)
    if told_at is None or part.received_at is None or told_at == part.received_at:
        return attempt, report.delivery or delivery
    if told_at < part.received_at and _turns_up(part, report):
        return attempt, delivery
    step = 1 if told_at > part.received_at else -1
    return attempt, min(max(delivery + step, 1), MAX_DELIVERY)


def _turns_up(part: Part, report: Report) -> bool:
    """Whether the report is a result and its part is lost: that is its end, also if an earlier delivery than the lost one tells it."""
    return part.state == RunState.LOST and report.state in RESULTS


def _write(part: Part, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(part, name, value)
    Part.objects.filter(pk=part.pk).update(**changes)


def _give_up(run: Run, parts: Sequence[Part]) -> None:
    """Close the parts that wait for one that has stopped, and open those again that no longer do."""
    by_path = {part.path: part for part in parts}
    stopped = {part.path for part in parts if part.state in part_totals.STOPPED}
    held = dict(unreachable(leaves(run.canvas), stopped)) if stopped else {}
    for part in parts:
        cause = by_path.get(held.get(part.path, ""))
        if cause is not None and part.state == RunState.WAITING:
            state = RunState.CANCELLED
            reason = f"not reached: {cause.task} ({cause.path}) ended as {cause.state}"
            _write(part, {"state": str(state), "progress": progress(state), "reason": reason[:500]})
        elif cause is None and part.state == RunState.CANCELLED:
            _write(part, {"state": str(RunState.WAITING), "progress": part.progress + 1, "reason": ""})


def _infer(run: Run, parts: Sequence[Part]) -> None:
    """Take a lost part for succeeded when one has begun that only its success can have sent; a late report says it better."""
    by_path = {part.path: part for part in parts}
    for leaf in leaves(run.canvas):
        next_one = by_path.get(leaf.path)
        if next_one is None or next_one.state not in HAD:
            continue
        for part in (by_path[path] for path in leaf.after if path in by_path):
            if part.state == RunState.LOST:
                reached = part.progress - part.progress % 100 + RANK[RunState.SUCCEEDED] - 1
                _write(part, {"state": str(RunState.SUCCEEDED), "progress": reached, "reason": UNTOLD})


def _is_half_sent(run: Run, parts: Sequence[Part]) -> bool:
    """Whether the rest of the run may still have to be sent: then it stays what it is, so that recovery finds it."""
    state = RunState(run.state)
    if state is RunState.SENT or RANK[state] >= RANK[RunState.RECEIVED]:
        return False
    first = entries(run.canvas)
    return any(part.state == RunState.WAITING for part in parts if part.path in first)


def _is_bound_to_follow(present: RunState, state: RunState) -> bool:
    """Whether the run takes the state of its parts whatever was counted: what was lost has turned up, or after that it is over."""
    if present is RunState.LOST:
        return state is not RunState.LOST
    return present in WITH_WORKER and state in FINISHED


def _settle(run: Run, parts: Sequence[Part], part: Part, *, moment: datetime) -> None:
    """Let the other parts, and the run, follow from what ``part`` has become."""
    _infer(run, parts)
    _give_up(run, parts)
    if _is_half_sent(run, parts):
        return
    state = derive([RunState(row.state) for row in parts])
    attempt, delivery = part_totals.counts(parts)
    reached = progress(state, attempt=attempt, delivery=delivery)
    if _is_bound_to_follow(RunState(run.state), state):
        reached = max(reached, run.progress + 1)
    times = part_totals.times(parts)
    if reached <= run.progress or RANK[state] < RANK[RunState.RECEIVED]:
        if times["started_at"] is not None and run.started_at is None:
            Run.objects.filter(pk=run.pk).update(started_at=times["started_at"])
        return
    is_end = state in FINISHED
    was_over = RunState(run.state) in FINISHED
    ended_at = part_totals.ended_at(parts, moment) if is_end else None
    runtime = part_totals.between(times["started_at"], ended_at)
    changes: dict[str, object] = {
        **times,
        **part_totals.said(parts, state),
        "state": str(state),
        "progress": reached,
        "attempt": attempt,
        "delivery": delivery,
        "finished_at": ended_at,
        "runtime": runtime,
        "worker": part.worker,
        "worker_instance": part.worker_instance,
    }
    if Run.objects.filter(pk=run.pk, progress__lt=reached).update(**changes):
        follow(run, state, runtime=runtime, is_again=was_over)
