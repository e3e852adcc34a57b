"""How many times a rule fires in a stretch of time, exactly and without walking through it: for calendars and long outages."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from datetime import datetime, time, timedelta

from schedulerui.recurrence import cron, walltime
from schedulerui.recurrence.fire import next_fire
from schedulerui.recurrence.rule import CrontabRule, IntervalRule, ManualRule, Rule
from schedulerui.recurrence.window import INSTANT

_DAY = timedelta(days=1)
_MINUTES = 1440


def n_fires(rule: Rule, start: datetime, end: datetime) -> int:
    """Return how often the rule fires from ``start`` to before ``end`` (aware), both within one day of the rule's zone.

    Agrees with ``next_fire`` in every stretch. Only a day on which the clock changes is walked through.
    """
    if end <= start or isinstance(rule, ManualRule):
        return 0
    if isinstance(rule, IntervalRule):
        return _before(rule, end) - _before(rule, start)
    if isinstance(rule, CrontabRule) and not _has_change(rule.tz, start, end):
        return _of_plain_day(rule, start, end)
    return sum(1 for _fire in _walk(rule, start, end))


def n_fires_over(rule: CrontabRule, start: datetime, end: datetime, *, most_days: int) -> tuple[int, bool]:
    """Return how often the rule fires from ``start`` to before ``end`` (aware), and whether that is all.

    After ``most_days`` days it is not. Only days about which the clock changes are walked through.
    """
    day, last_day = walltime.wall_at(start, rule.tz).date(), walltime.wall_at(end, rule.tz).date()
    until = min(last_day, day + most_days * _DAY)
    a_day = len(rule.hours) * len(rule.minutes)
    changing = {
        walltime.wall_at(change.start, rule.tz).date() + number * _DAY
        for change in walltime.changes(rule.tz, day - _DAY, until + _DAY)
        for number in (-1, 0, 1)
    }
    n = n_fires(rule, start, min(end, walltime.midnight(day + _DAY, rule.tz)))
    while (day := day + _DAY) < until:
        if day in changing:
            n += n_fires(rule, walltime.midnight(day, rule.tz), walltime.midnight(day + _DAY, rule.tz))
        elif cron.matches_day(rule, day):
            n += a_day
    if until == last_day == day:
        n += n_fires(rule, walltime.midnight(day, rule.tz), end)
    return n, until == last_day


def _before(rule: IntervalRule, moment: datetime) -> int:
    """Return the number of fires before a moment: the least k of which ``anchor + k * every`` is not before it."""
    return max(0, -((rule.anchor - moment) // rule.every))


def _has_change(zone_name: str, start: datetime, end: datetime) -> bool:
    changes = walltime.changes(zone_name, start.date() - _DAY, end.date() + _DAY)
    return any(start - _DAY < change.start < end + _DAY for change in changes)


def _of_plain_day(rule: CrontabRule, start: datetime, end: datetime) -> int:
    first, last = walltime.wall_at(start, rule.tz), walltime.wall_at(end, rule.tz)
    if not cron.matches_day(rule, first.date()):
        return 0
    minutes = [hour * 60 + minute for hour in rule.hours for minute in rule.minutes]
    until = _MINUTES if last.date() > first.date() else _minute(last)
    return bisect.bisect_left(minutes, until) - bisect.bisect_left(minutes, _minute(first))


def _minute(wall: datetime) -> float:
    since = wall - datetime.combine(wall.date(), time.min)
    return since / timedelta(minutes=1)


def _walk(rule: Rule, start: datetime, end: datetime) -> Iterator[datetime]:
    moment = next_fire(rule, start - INSTANT)
    while moment is not None and moment < end:
        yield moment
        moment = next_fire(rule, moment)
