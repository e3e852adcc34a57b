"""`enable NAME` and `disable NAME`: already so is no error."""

from __future__ import annotations

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.presenters import moments


def enable(name: str) -> str:
    """Switch a schedule on and return the sentence that says so; raises CommandError for an unknown name."""
    now = DatabaseClock().now()
    toggled = schedules.enable(naming.find(name).pk, actor=naming.actor(), now=now)
    schedule = toggled.schedule
    already = "" if toggled.changed else " already"
    if schedule.error:
        return f"{schedule.name} is{already} on, but its rule cannot be read: {schedule.error}"
    return f"{schedule.name} is{already} on. {_next(schedule)}"


def disable(name: str) -> str:
    """Switch a schedule off and return the sentence that says so; raises CommandError for an unknown name."""
    now = DatabaseClock().now()
    toggled = schedules.disable(naming.find(name).pk, actor=naming.actor(), now=now)
    already = "" if toggled.changed else " already"
    return f"{toggled.schedule.name} is{already} off."


def _next(schedule: Schedule) -> str:
    if schedule.next_run_at is None:
        return "No run is to come."
    local = schedule.next_run_at.astimezone(moments.zone_of(schedule.tz))
    return f"Next run: {local:%Y-%m-%d %H:%M:%S} {moments.zone_name(local)}."
