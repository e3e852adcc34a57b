"""The next times of a schedule, exactly as beat will dispatch them, and what to know about them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schedulerui import planning
from schedulerui.facts import Coming as ComingTime
from schedulerui.models import Schedule
from schedulerui.presenters.rules import spoken
from schedulerui.recurrence import Notice, notices

N_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The next occurrences in UTC; ``is_paused`` means: they would be, if it were switched on."""

    occurrences: tuple[ComingTime, ...] = ()
    notices: tuple[Notice, ...] = ()
    is_paused: bool = False
    problem: str = ""

    @property
    def times(self) -> tuple[datetime, ...]:
        """When they are due."""
        return tuple(occurrence.due_at for occurrence in self.occurrences)

    @property
    def has_seconds(self) -> bool:
        """Whether any of them is not on a full minute."""
        return any(moment.second for moment in self.times)


def coming_of(schedule: Schedule, *, now: datetime) -> Coming:
    """Return the next ten occurrences within the schedule's window; a broken rule gives a sentence."""
    try:
        occurrences = tuple(itertools.islice(occurrences_of(schedule, now=now), N_SHOWN))
        said = tuple(notices(schedule.rule(), now, **spoken()))
    except ValueError as error:  # a RuleError is one
        return Coming(problem=str(error))
    return Coming(occurrences=occurrences, notices=said, is_paused=not schedule.enabled)


def occurrences_of(schedule: Schedule, *, now: datetime) -> Iterator[ComingTime]:
    """Yield all that is to come of a schedule, as long as the caller wants; raises ValueError for a broken row."""
    timetable = schedule.timetable()
    after = timetable.resume_after(now=now, unaccounted_from=schedule.next_nominal_at)
    n_left = None
    if schedule.max_runs is not None:
        n_left = max(schedule.max_runs - schedule.runs_created, 0)
    return planning.coming(timetable, after=after, n_left=n_left, skips=schedule.skipped())
