"""Words in a schedule's arguments that stand for moments: replaced in the run's own copy, and only where they are a whole text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from schedulerui.models import Run, Schedule, ScheduleState

NOMINAL = "$nominal"
PREVIOUS = "$previous_nominal"
LAST_SUCCESS = "$last_success"
_FIELDS = ("args", "kwargs", "canvas")


def fill(run: Run) -> None:
    """Put the run's own moments (ISO, UTC) in place of their tokens; null where there is none. Nothing without a ``$``.

    A run without a nominal time, such as a click, is for its due time. ``$last_success`` costs one query, where it stands.
    """
    for name in _FIELDS:
        value = getattr(run, name)
        if value and "$" in str(value):
            setattr(run, name, replaced(value, _moments(run, value)))


def replaced(value: object, moments: Mapping[str, str | None]) -> object:
    """Return a JSON value with every text that is exactly a token replaced, at any depth; keys and longer texts stay."""
    if isinstance(value, str):
        return moments.get(value, value)
    if isinstance(value, dict):
        return {key: replaced(item, moments) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, moments) for item in value]
    return value


def _moments(run: Run, value: object) -> dict[str, str | None]:
    moments = {NOMINAL: _text(run.nominal_at or run.due_at), LAST_SUCCESS: None}
    moments[PREVIOUS] = _text(_previous(run)) if PREVIOUS in str(value) else None
    if LAST_SUCCESS in str(value) and run.schedule_id is not None:
        succeeded = ScheduleState.objects.filter(pk=run.schedule_id)
        moments[LAST_SUCCESS] = _text(succeeded.values_list("last_success_at", flat=True).first())
    return moments


def _previous(run: Run) -> datetime | None:
    """Return the time before the run's; for a click the newest one that beat has dealt with."""
    if run.previous_nominal_at is not None or run.nominal_at is not None:
        return run.previous_nominal_at
    if run.schedule_id is None:
        return None
    dealt_with = Schedule.objects.filter(pk=run.schedule_id)
    return dealt_with.values_list("previous_nominal_at", flat=True).first()


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
