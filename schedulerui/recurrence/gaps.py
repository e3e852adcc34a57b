"""How far apart the fires of a rule are: the shortest and the longest gap of the coming year, without walking it.

The fires of a rule that runs every minute are half a million in a year. All days without a change of the
clock are alike, so it is enough to look at one of them, at the calendar, and closely at the changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from typing import TypeAlias

from schedulerui.recurrence import cron, walltime
from schedulerui.recurrence.fire import next_fire
from schedulerui.recurrence.rule import CrontabRule, IntervalRule, Rule
from schedulerui.recurrence.window import INSTANT

Gaps: TypeAlias = tuple[timedelta, timedelta]
"""The shortest and the longest time between neighbours."""
_DAY = timedelta(days=1)
_YEAR = 366 * _DAY
_FEW = 400
_TWO = 2
_LAST_YEAR = 9990


def shortest_and_longest_gap(fires: Sequence[datetime]) -> Gaps | None:
    """Return the shortest and longest time between neighbours; None for fewer than two fires."""
    return _widest(later - earlier for earlier, later in pairwise(fires))


def gaps_of_year(rule: Rule, after: datetime) -> Gaps | None:
    """Return the shortest and longest gap of the fires from `after` (aware) on, for 366 days of the rule's zone.

    A rule that fires less than twice in them is judged by its first two fires; None when it has not two.
    """
    if isinstance(rule, IntervalRule):
        return (rule.every, rule.every)
    end = _end(rule, after)
    first = _first_fires(rule, after, end)
    if isinstance(rule, CrontabRule) and len(first) == _FEW and first[-1] < end and end.year <= _LAST_YEAR:
        return _widest(_all_kinds_of_gap(rule, after, end))
    within = [fire for fire in first if fire < end]
    return shortest_and_longest_gap(within if len(within) > 1 else first[:2])


def _first_fires(rule: Rule, after: datetime, end: datetime) -> list[datetime]:
    """Return the fires until the end of the year, two at least, and not more than a few hundred."""
    found: list[datetime] = []
    moment = next_fire(rule, after)
    while moment is not None and len(found) < _FEW and (moment < end or len(found) < _TWO):
        found.append(moment)
        moment = next_fire(rule, moment)
    return found


def _widest(gaps: Iterable[timedelta]) -> Gaps | None:
    different = set(gaps)
    return (min(different), max(different)) if different else None


def _end(rule: Rule, after: datetime) -> datetime:
    try:
        return walltime.midnight(walltime.wall_at(after + _YEAR, rule.tz).date(), rule.tz)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _all_kinds_of_gap(rule: CrontabRule, after: datetime, end: datetime) -> Iterator[timedelta]:
    """Yield each gap that occurs at least once: of the first day, of usual days, and around changes."""
    first_day, end_day = walltime.wall_at(after, rule.tz).date(), walltime.wall_at(end, rule.tz).date()
    yield from _gaps_until(rule, after, first_day, end)
    days = [day for day in _dates(first_day + _DAY, end_day) if cron.matches_day(rule, day)]
    odd: set[date] = set()
    for change in walltime.changes(rule.tz, first_day - _DAY, end_day + _DAY):
        touched = sorted({change.wall_before.date(), change.first_wall.date()})
        odd.update(touched)
        before = max((day for day in days if day < touched[0]), default=None)
        start = after if before is None else walltime.midnight(before, rule.tz) - INSTANT
        yield from _gaps_until(rule, max(start, after), touched[-1], end)
    yield from _usual_gaps(rule, days, odd)


def _usual_gaps(rule: CrontabRule, days: list[date], odd: set[date]) -> Iterator[timedelta]:
    """Yield the gaps within a day and between days where no change of the clock is near."""
    times = [timedelta(hours=hour, minutes=minute) for hour in rule.hours for minute in rule.minutes]
    if any(day not in odd for day in days):
        yield from (later - earlier for earlier, later in pairwise(times))
    for day, following in pairwise(days):
        if not any(day <= changed <= following for changed in odd):
            yield following - day - times[-1] + times[0]


def _gaps_until(rule: CrontabRule, after: datetime, day: date, end: datetime) -> Iterator[timedelta]:
    """Yield the gaps from `after` to the first fire behind the wall date `day`."""
    fires = takewhile(lambda fire: fire < end, cron.fires(rule, after))
    earlier = next(fires, None)
    for fire in fires:
        if earlier is not None:
            yield fire - earlier
        if walltime.wall_at(fire, rule.tz).date() > day:
            return
        earlier = fire


def _dates(first: date, end: date) -> Iterator[date]:
    return (first + n * _DAY for n in range((end - first) // _DAY))
