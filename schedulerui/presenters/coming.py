"""The next times of a schedule, exactly as beat will dispatch them, and what to know about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schedulerui.models import Schedule
from schedulerui.recurrence import Notice, RuleError, notices, upcoming

N_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The next times in UTC; ``is_paused`` means: they would be, if it were switched on."""

    times: tuple[datetime, ...] = ()
    notices: tuple[Notice, ...] = ()
    is_paused: bool = False
    problem: str = ""

    @property
    def has_seconds(self) -> bool:
        """Whether any of them is not on a full minute."""
        return any(moment.second for moment in self.times)


def coming_of(schedule: Schedule, *, now: datetime) -> Coming:
    """Return the next ten times within the schedule's window; a broken rule gives a sentence."""
    try:
        rule = schedule.rule()
    except RuleError as error:
        return Coming(problem=str(error))
    after = max(now, schedule.start_at) if schedule.start_at else now
    n_left = N_SHOWN
    if schedule.max_runs is not None:
        n_left = min(n_left, max(schedule.max_runs - schedule.runs_created, 0))
    times = upcoming(rule, after, n_left) if n_left else []
    if schedule.end_at is not None:
        times = [moment for moment in times if moment <= schedule.end_at]
    return Coming(times=tuple(times), notices=tuple(notices(rule, now)), is_paused=not schedule.enabled)
