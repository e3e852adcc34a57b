"""The next times of a schedule, exactly as beat will dispatch them, and what to know about them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui import planning
from schedulerui.facts import Coming as ComingTime
from schedulerui.models import Schedule
from schedulerui.presenters.moments import zone_name, zone_of
from schedulerui.presenters.rules import spoken
from schedulerui.recurrence import Notice, Rule, RuleError, notices
from schedulerui.recurrence.marks import mark_of

N_SHOWN = 10
N_LISTED = 50
"""Times on the page that is about nothing else."""


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


def coming_of(schedule: Schedule, *, now: datetime, n: int = N_SHOWN) -> Coming:
    """Return the next ``n`` occurrences within the schedule's window; a broken rule gives a sentence."""
    try:
        occurrences = tuple(itertools.islice(occurrences_of(schedule, now=now), n))
        said = tuple(notices(schedule.rule(), now, **spoken()))
    except RuleError as error:
        return Coming(problem=error.said(_))
    except ValueError as error:
        return Coming(problem=str(error))
    return Coming(occurrences=occurrences, notices=said, is_paused=not schedule.enabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedTime:
    """One time to come with what a person may not expect of it; ``put_off`` is its part of the spread, seconds."""

    occurrence: ComingTime
    put_off: float | None
    marks: tuple[str, ...]


def marked(schedule: Schedule, occurrences: Sequence[ComingTime]) -> list[MarkedTime]:
    """Return the times with what the change of a clock does to each; they come from ``coming_of`` of this schedule."""
    if not occurrences:
        return []
    rule, found, before = schedule.rule(), [], occurrences[0]
    for each in occurrences:
        put_off = (each.due_at - each.nominal_at).total_seconds() if schedule.jitter else None
        said = (_CLOCK.get(mark_of(rule, each.nominal_at), ""), _changed(rule, before, each))
        marks = tuple(str(sentence) for sentence in said if sentence)
        found.append(MarkedTime(occurrence=each, put_off=put_off, marks=marks))
        before = each
    return found


_CLOCK: Mapping[str, Any] = {
    "moved": gettext_lazy("The clock leaves out its wall time: it runs when the clock has moved on"),
    "first": gettext_lazy("This wall time comes twice: this is the first"),
    "second": gettext_lazy("This wall time comes twice: this is the second"),
}


def _changed(rule: Rule, before: ComingTime, each: ComingTime) -> str:
    """Return what to say where the clock has changed since the time before; empty for nearly all."""
    earlier, later = (time.due_at.astimezone(zone_of(rule.tz)) for time in (before, each))
    if earlier.utcoffset() == later.utcoffset():
        return ""
    back = (later.utcoffset() or timedelta(0)) < (earlier.utcoffset() or timedelta(0))
    words = _("The clock has gone back: %(zone)s") if back else _("The clock has gone forward: %(zone)s")
    return words % {"zone": zone_name(later)}


def occurrences_of(schedule: Schedule, *, now: datetime) -> Iterator[ComingTime]:
    """Yield all that is to come of a schedule, as long as the caller wants; raises ValueError for a broken row."""
    timetable = schedule.timetable()
    after = timetable.resume_after(now=now, unaccounted_from=schedule.next_nominal_at)
    n_left = None
    if schedule.max_runs is not None:
        n_left = max(schedule.max_runs - schedule.runs_created, 0)
    return planning.coming(timetable, after=after, n_left=n_left, skips=schedule.skipped())
