"""Let an interval begin anew: after a run by hand the next one comes a whole interval later."""

from __future__ import annotations

from datetime import datetime

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import audit, schedules
from schedulerui.operations.errors import NotResettable, VersionConflict


def is_resettable(schedule: Schedule) -> bool:
    """Tell whether a schedule counts from a moment that a person may move: an interval that is on, and not from code."""
    return schedule.kind == "interval" and schedule.enabled and schedule.source != "code"


def reset(schedule_id: int, *, actor: Actor, now: datetime) -> Schedule:
    """Count an interval from ``now`` (whole seconds): its next run is one interval later. Audited, and a new version.

    Raises NotResettable for anything that is no interval, off or from code, VersionConflict, and Schedule.DoesNotExist.
    """
    for _again in range(schedules.SWITCH_TRIES - 1):
        try:
            return _reset(schedule_id, actor=actor, now=now)
        except VersionConflict:
            continue
    return _reset(schedule_id, actor=actor, now=now)


def _reset(schedule_id: int, *, actor: Actor, now: datetime) -> Schedule:
    schedule = Schedule.objects.get(pk=schedule_id)
    if not is_resettable(schedule):
        raise NotResettable(schedule)
    before = audit.snapshot(schedule)
    schedule.anchor_at = now.replace(microsecond=0)
    return schedules.rewrite(schedule, before=before, actor=actor, now=now, action="reset_timer")
