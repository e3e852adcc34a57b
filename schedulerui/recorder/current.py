"""What a task may ask about the run that it is, from its message alone: no query, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from celery._state import get_current_task

HEADER = "schedulerui"
"""The header that dispatch puts on every message of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRun:
    """The run that executes here; moments in UTC."""

    run: UUID
    schedule: str
    nominal_at: datetime | None
    """The time of the schedule that this run is for; None for a click."""
    previous_nominal_at: datetime | None
    """The time of the schedule before it: from there to ``nominal_at`` reach the data that this run is about."""
    version: int
    attempt: int
    """Celery's retry number, 0 for the first."""


def current_run() -> CurrentRun | None:
    """Return the run whose task executes in this thread; None outside of one, and in a task that no schedule sent."""
    task: Any = get_current_task()  # the stubs say that there always is one
    if task is None:
        return None
    request = task.request
    told = getattr(request, HEADER, None)
    if not isinstance(told, Mapping):
        return None
    try:
        return CurrentRun(
            run=UUID(str(told["run"])),
            schedule=str(told.get("schedule") or ""),
            nominal_at=_moment(told.get("nominal")),
            previous_nominal_at=_moment(told.get("previous_nominal")),
            version=int(told.get("version") or 0),
            attempt=int(request.retries or 0),
        )
    except (KeyError, TypeError, ValueError):  # not a header of ours, whatever its name
        return None


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
