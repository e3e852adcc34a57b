"""The rows that a plan is made of, and what names an occurrence everywhere; pure."""

from __future__ import annotations

import uuid
from datetime import datetime

from schedulerui.facts import PlannedRun, RunState, ScheduleFacts
from schedulerui.recurrence.window import Occurrence

NAMESPACE = uuid.UUID("b6a0d1de-53c1-5d43-9c44-8f8c2c6f9f3a")
"""Root of our task ids: the same occurrence has the same id in every process and after every restart."""


def task_id(schedule: uuid.UUID, *, nominal_at: datetime, retry: int = 0) -> str:
    """Return the Celery task id of an occurrence: the same for every re-publishing, another for a schedule-level retry."""
    return str(uuid.uuid5(NAMESPACE, f"{schedule}|{epoch(nominal_at)}|{retry}"))


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970 (UTC)."""
    return int(moment.timestamp())


def occurrence_key(schedule: uuid.UUID, *, nominal_at: datetime) -> str:
    """Return the unique key of an occurrence."""
    return f"s:{schedule}:{epoch(nominal_at)}"


def run_row(schedule: ScheduleFacts, occurrence: Occurrence, *, state: RunState, reason: str) -> PlannedRun:
    """Return the row of a run to send now or later."""
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=occurrence.nominal_at),
        state=state,
        nominal_at=occurrence.nominal_at,
        due_at=occurrence.due_at,
        task_id=task_id(schedule.uuid, nominal_at=occurrence.nominal_at),
        reason=reason,
        is_blocked=state is RunState.WAITING,
    )


def skipped_row(
    schedule: ScheduleFacts, occurrence: Occurrence, *, reason: str, is_blocked: bool = False
) -> PlannedRun:
    """Return the row of a time that was decided against."""
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=occurrence.nominal_at),
        state=RunState.SKIPPED,
        nominal_at=occurrence.nominal_at,
        due_at=occurrence.due_at,
        reason=reason,
        is_blocked=is_blocked,
    )


def missed_row(
    schedule: ScheduleFacts,
    occurrence: Occurrence,
    *,
    reason: str,
    count: int = 1,
    until: datetime | None = None,
    is_all: bool = True,
) -> PlannedRun:
    """Return the row of a time, or of ``count`` times up to ``until``, at which no beat was there in time."""
    at_least = "" if is_all else "at least "
    times = f"{at_least}{count} times" if count > 1 else "this time"
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=occurrence.nominal_at),
        state=RunState.MISSED,
        nominal_at=occurrence.nominal_at,
        due_at=occurrence.due_at,
        reason=f"no beat dispatched {times} {reason}",
        count=count,
        covers_until=until if count > 1 else None,
    )
