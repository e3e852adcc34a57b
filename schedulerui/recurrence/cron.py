"""Crontab rules: which days, which wall times, which instants. The only importer of croniter.

croniter answers one question, for which it is right: the next day of a calendar that matches plain lists
of numbers. It is never shown a zone, a name, a step, or the question of AND or OR.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from croniter import CroniterError, croniter

from schedulerui.recurrence import walltime
from schedulerui.recurrence.fields import FIELDS, can_occur
from schedulerui.recurrence.rule import CrontabRule

_DAY = timedelta(days=1)
# 29 February on a given weekday can be 40 years away (around 2100); a rule that only ever matches
# skipped hours never fires. Both searches end here.
_YEARS_TO_SEARCH = 50
_EARLIEST = datetime(1, 1, 4, tzinfo=UTC)
_LAST_DAY = date(9999, 12, 27)


def fires(rule: CrontabRule, after: datetime) -> Iterator[datetime]:
    """Yield the instants (UTC) at which the rule fires, strictly after `after` (aware), in order.

    Ends when nothing fires for 50 years, and shortly before the end of the year 9999.
    """
    last = max(after, _EARLIEST).astimezone(UTC)
    day, give_up = last.date(), _years_on(last.date())
    while day <= min(give_up, _LAST_DAY):
        reachable = _next_reachable(rule, day)
        if reachable is None:
            return
        if reachable > day:
            day = reachable
            continue
        for stretch in walltime.stretches(rule.tz, day):
            for instant in _fires_in(rule, stretch, last):
                if instant > last:
                    yield instant
                    last, give_up = instant, _years_on(day)
        day += _DAY


def wall_times(rule: CrontabRule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the naive wall times that match, from `start` to before `end`, in order."""
    day = start.date()
    while day <= end.date():
        if matches_day(rule, day):
            first_hour = start.hour if day == start.date() else 0
            for wall in _times_of(rule, day, first_hour):
                if wall >= end:
                    return
                if wall >= start:
                    yield wall
        day += _DAY


def matches_day(rule: CrontabRule, day: date) -> bool:
    """Tell whether the rule's month and day fields match the date."""
    if day.month not in rule.months:
        return False
    by_number, by_weekday = day.day in rule.days, day.isoweekday() % 7 in rule.weekdays
    return (by_number or by_weekday) if rule.day_or else (by_number and by_weekday)


def next_day(rule: CrontabRule, day: date) -> date | None:
    """Return the first matching date at or after `day`, or None within 50 years."""
    if not rule.day_or:
        return _croniter_day(rule.days, rule.months, rule.weekdays, day)
    everything = tuple(FIELDS[2].numbers), tuple(FIELDS[4].numbers)
    found = [_croniter_day(everything[0], rule.months, rule.weekdays, day)]
    if can_occur(rule.days, rule.months):
        found.append(_croniter_day(rule.days, rule.months, everything[1], day))
    return min((each for each in found if each is not None), default=None)


def _fires_in(rule: CrontabRule, stretch: walltime.Stretch, last: datetime) -> Iterator[datetime]:
    """Yield the fires of one stretch of constant offset; those long before `last` may be left out."""
    if not rule.interval_like and stretch.offset > stretch.previous:
        skipped = wall_times(rule, stretch.wall_before, stretch.first_wall)
        if next(skipped, None) is not None:
            yield stretch.start
    start = max(stretch.start, last).replace(tzinfo=None) + stretch.offset
    for wall in wall_times(rule, start, stretch.last_wall):
        if rule.interval_like or walltime.is_first_occurrence(wall, stretch.offset, rule.tz):
            yield (wall - stretch.offset).replace(tzinfo=UTC)


def _times_of(rule: CrontabRule, day: date, first_hour: int) -> Iterator[datetime]:
    for hour in rule.hours:
        if hour >= first_hour:
            for minute in rule.minutes:
                yield datetime.combine(day, time(hour, minute))


def _next_reachable(rule: CrontabRule, day: date) -> date | None:
    """Return the first UTC day from `day` on in which a matching wall date can begin, go on or end.

    Zones are less than a day from UTC, so the wall dates met in a UTC day are its own and its neighbours.
    """
    if any(matches_day(rule, near) for near in (day, day - _DAY, day + _DAY)):
        return day
    found = next_day(rule, day)
    return None if found is None else max(day, found - _DAY)


def _croniter_day(
    days: tuple[int, ...], months: tuple[int, ...], weekdays: tuple[int, ...], day: date
) -> date | None:
    texts = (_numbers_text(2, days), _numbers_text(3, months), _numbers_text(4, weekdays))
    start = datetime.combine(day, time.min) - timedelta(minutes=1)
    try:
        search = croniter(
            "0 0 " + " ".join(texts),
            start,
            ret_type=datetime,
            day_or=False,
            max_years_between_matches=_YEARS_TO_SEARCH,
        )
        found: datetime = search.get_next()
    except (CroniterError, OverflowError, ValueError):
        # Nothing within the limit, or the end of the calendar: both mean that it does not come.
        return None
    return found.date()


def _numbers_text(index: int, numbers: tuple[int, ...]) -> str:
    return "*" if len(numbers) == len(FIELDS[index].numbers) else ",".join(map(str, numbers))


def _years_on(day: date) -> date:
    return day.replace(year=min(day.year + _YEARS_TO_SEARCH, 9999), day=min(day.day, 28))
