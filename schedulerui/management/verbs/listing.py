"""`list`: every schedule on a line."""

from __future__ import annotations

import json
from datetime import datetime

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import tables
from schedulerui.models import Schedule, ScheduleState
from schedulerui.presenters import moments
from schedulerui.presenters.policies import pause_of
from schedulerui.presenters.rules import words_of
from schedulerui.presenters.schedules import why_no_next
from schedulerui.presenters.values import printable

CHUNK = 500
"""Rows fetched at a time."""


def show(*, as_json: bool) -> str:
    """Return all schedules by name, as text or as a JSON list; two queries for each CHUNK rows."""
    now = DatabaseClock().now()
    schedules = Schedule.objects.order_by("name").prefetch_related("state").iterator(chunk_size=CHUNK)
    lines = [_line(schedule, now=now) for schedule in schedules]
    if as_json:
        return json.dumps(lines, indent=2)
    if not lines:
        return "There are no schedules yet."
    return tables.table(
        ("name", "on", "task", "when", "zone", "next run", "last"), (_cells(line, now=now) for line in lines)
    )


def _line(schedule: Schedule, *, now: datetime) -> dict[str, object]:
    state = _state(schedule)
    words, problem = words_of(schedule)
    return {
        "name": schedule.name,
        "enabled": schedule.enabled,
        "task": schedule.task,
        "kind": schedule.kind,
        "words": words,
        "zone": schedule.tz,
        "error": schedule.error or problem,
        "next_run_at": moments.iso(schedule.next_run_at) if schedule.next_run_at else None,
        "why_no_next": printable(pause_of(schedule, now=now) or why_no_next(schedule, problem)),
        "last_run_at": moments.iso(state.last_run_at) if state and state.last_run_at else None,
        "last_state": state.last_state if state else "",
        "failure_streak": state.failure_streak if state else 0,
    }


def _state(schedule: Schedule) -> ScheduleState | None:
    try:
        return schedule.state
    except ScheduleState.DoesNotExist:
        return None


def _cells(line: dict[str, object], *, now: datetime) -> tuple[object, ...]:
    upcoming = line["next_run_at"]
    when = line["words"] if not line["error"] else f"ERROR {line['error']}"
    upcoming = (
        moments.relative(datetime.fromisoformat(str(upcoming)), now) if upcoming else line["why_no_next"]
    )
    return (
        line["name"], "on" if line["enabled"] else "off", line["task"], when, line["zone"], upcoming,
        line["last_state"] or "never",
    )  # fmt: skip
