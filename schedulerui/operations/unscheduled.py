"""Rows for tasks that no schedule sent, made when a worker that records all tasks tells of one."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from schedulerui.facts import RunState, Trigger, progress
from schedulerui.models import Run
from schedulerui.operations.reports import Report, clean

TASK_MAX = 200
QUEUE_MAX = 200
TASK_ID_MAX = 64


def adopt(report: Report) -> bool:
    """Make the row that the report speaks of, if it brings what is needed; returns whether there is one now.

    Who sent it and when is not known: ``due_at`` is when a worker first had it, and ``headers`` holds what the message says of
    its arguments, as text.
    """
    told = report.unscheduled
    task_id = clean(report.task_id, limit=TASK_ID_MAX)
    if not told or not told.get("task") or task_id != report.task_id:
        return False
    first_at = report.received_at or report.started_at or report.moment
    try:
        with transaction.atomic():
            Run.objects.create(
                key=f"t:{task_id}",
                trigger=Trigger.TASK,
                task_id=task_id,
                task=clean(told["task"], limit=TASK_MAX),
                queue=clean(told.get("queue", ""), limit=QUEUE_MAX),
                headers={
                    key: clean(told[key], limit=1_000)
                    for key in ("args", "kwargs", "origin")
                    if told.get(key)
                },
                state=RunState.SENT,
                progress=progress(RunState.SENT),
                publishes=1,
                due_at=first_at,
                created_at=report.moment,
            )
    except IntegrityError:  # another process of the worker told first
        return Run.objects.filter(task_id=task_id).exists()
    return True
