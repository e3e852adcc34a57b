"""What the change of a clock does to single fires: moved out of a gap, or at a wall time that comes twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from schedulerui.recurrence import cron, walltime
from schedulerui.recurrence.rule import ClockedRule, CrontabRule, Rule
from schedulerui.recurrence.walltime import Stretch

Mark: TypeAlias = Literal["", "moved", "first", "second"]
"""Moved: its wall time is left out that night. First, second: its wall time comes twice, and this is the one."""
_DAY = timedelta(days=1)
_YEARS = range(2, 9999)
"""Beyond them there is no day before or after."""


def mark_of(rule: Rule, at: datetime) -> Mark:
    """Return what the change of a clock in the rule's zone does to a fire (UTC) of the rule; empty for nearly all."""
    if at.year not in _YEARS:
        return ""
    for change in walltime.changes(rule.tz, at.date() - _DAY, at.date() + _DAY):
        moves_by = change.offset - change.previous
        if moves_by > timedelta(0):
            if at == change.start and _is_moved(rule, change):
                return "moved"
        elif change.start + moves_by <= at < change.start:
            return "first"
        elif change.start <= at < change.start - moves_by:
            return "second"
    return ""


def _is_moved(rule: Rule, change: Stretch) -> bool:
    if isinstance(rule, ClockedRule):
        return rule.wall is not None and change.wall_before <= rule.wall < change.first_wall
    if not isinstance(rule, CrontabRule) or rule.interval_like:
        return False
    return next(cron.wall_times(rule, change.wall_before, change.first_wall), None) is not None
