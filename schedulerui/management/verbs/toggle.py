"""`enable NAME`, `disable NAME`, `pause NAME`, `resume NAME`: already so is no error."""

from __future__ import annotations

from datetime import datetime

from django.core.management.base import CommandError

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming
from schedulerui.models import Schedule
from schedulerui.operations import pauses, schedules
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.presenters import moments
from schedulerui.presenters.policies import pause_of


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


def pause(name: str, *, until: str, reason: str) -> str:
    """Pause a schedule and return the sentence that says so; raises CommandError for an unknown name or a wrong moment."""
    now = DatabaseClock().now()
    schedule = naming.find(name)
    try:
        ends_at = _moment(until, schedule) if until else None
        done = pauses.pause(schedule.pk, until=ends_at, reason=reason, actor=naming.actor(), now=now)
    except (InvalidSchedule, ValueError) as error:
        raise CommandError(str(error)) from error
    return f"{done.schedule.name}: {pause_of(done.schedule, now=now)}."


def _moment(text: str, schedule: Schedule) -> datetime:
    """Return the moment that was typed, in the schedule's zone unless it says its offset; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=moments.zone_of(schedule.tz))


def _next(schedule: Schedule) -> str:
    if schedule.next_run_at is None:
        return "No run is to come."
    local = schedule.next_run_at.astimezone(moments.zone_of(schedule.tz))
    return f"Next run: {local:%Y-%m-%d %H:%M:%S} {moments.zone_name(local)}."
