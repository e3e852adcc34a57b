"""What tests of history share: a run as beat leaves it, and reports as the recorder makes them."""

from __future__ import annotations

import uuid
from datetime import timedelta

from schedulerui.facts import RunState, progress
from schedulerui.models import Run, ScheduleState
from schedulerui.operations.reports import Report
from schedulerui.testing import DULL_WEDNESDAY

OLD, NEW = uuid.UUID(int=1), uuid.UUID(int=2)


def make_run(*, schedule=None, state=RunState.SENT, at=DULL_WEDNESDAY, is_newest=True, **fields):
    task_id = fields.pop("task_id", None) or str(uuid.uuid4())
    run = Run.objects.create(
        key=f"m:{task_id}",
        schedule=schedule,
        schedule_name=schedule.name if schedule else "",
        due_at=at,
        created_at=at,
        task_id=task_id,
        task="tests.add",
        state=state,
        progress=progress(state),
        **fields,
    )
    if schedule is not None and is_newest:
        ScheduleState.objects.filter(schedule=schedule).update(last_run_id=run.pk, last_state=state)
    return run


def after(seconds):
    return DULL_WEDNESDAY + timedelta(seconds=seconds)


def report(run, state, second, *, attempt=0, received=1.0, started=None, instance=OLD, **fields):
    """A report as the main process (no start) or a child makes it; `received` names the delivery."""
    return Report(
        task_id=run.task_id,
        state=state,
        moment=after(second),
        attempt=attempt,
        worker="celery@one",
        instance=instance,
        received_at=None if received is None else after(received),
        started_at=None if started is None else after(started),
        **fields,
    )


def received(run, second=1.0, **fields):
    return report(run, RunState.RECEIVED, second, received=second, **fields)


def started(run, second=2.0, **fields):
    return report(run, RunState.STARTED, second, started=second, pid=77, **fields)


def ended(run, state, second=3.0, **fields):
    return report(run, state, second, **fields)
