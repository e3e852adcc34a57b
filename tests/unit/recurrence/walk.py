"""The definition, walked slowly: days first, then minutes, over a table of every minute of real time.

Written from the rule's text, not from the code: no croniter, no stretches, no folds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def midnight(moment):
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


@lru_cache(maxsize=64)
def minutes_of(zone, start, end):
    """Return every real minute from start to end with what the clock on the wall shows, in order."""
    place = ZoneInfo(zone)
    count = int((end - start) / MINUTE)
    moments = [start + i * MINUTE for i in range(count + 1)]
    return [(moment, moment.astimezone(place).replace(tzinfo=None)) for moment in moments]


def day_matches(rule, semantics, day):
    _, _, days, months, weekdays = rule
    by_number, by_weekday = day.day in days.numbers, day.isoweekday() % 7 in weekdays.numbers
    is_or = semantics == "vixie-or" and days.text[0] != "*" and weekdays.text[0] != "*"
    return day.month in months.numbers and (
        (by_number or by_weekday) if is_or else (by_number and by_weekday)
    )


def walk(rule, semantics, zone, base, end):
    """Return the fires after base, up to end, of a rule (five texts with their numbers)."""
    minute, hour = rule[0], rule[1]
    table = minutes_of(zone, midnight(base) - 2 * DAY, midnight(end) + 3 * DAY)
    if minute.text[0] == "*" or hour.text[0] == "*":
        found = [
            moment
            for moment, wall in table
            if wall.minute in minute.numbers
            and wall.hour in hour.numbers
            and day_matches(rule, semantics, wall.date())
        ]
    else:
        found = list(_fixed(rule, semantics, table))
    return sorted({moment for moment in found if base < moment <= end})


def _fixed(rule, semantics, table):
    first_seen: dict[datetime, datetime] = {}
    for moment, wall in table:
        first_seen.setdefault(wall, moment)
    day = table[0][1].date() + DAY
    while day < table[-1][1].date():
        if day_matches(rule, semantics, day):
            for hour in sorted(rule[1].numbers):
                for minute in sorted(rule[0].numbers):
                    wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - wall time
                    yield first_seen.get(wall) or next(moment for moment, shown in table if shown > wall)
        day += DAY


def transitions(zone, years):
    """Return the first minutes (UTC) after each change of the clock in the years."""
    place = ZoneInfo(zone)
    found: list[datetime] = []
    for year in years:
        for number in range(366):
            moment = datetime(year, 1, 1, tzinfo=UTC) + number * DAY
            if moment.astimezone(place).utcoffset() != (moment + DAY).astimezone(place).utcoffset():
                table = minutes_of(zone, moment, moment + DAY)
                offsets = [(m, w - m.replace(tzinfo=None)) for m, w in table]
                found.extend(
                    m for (m, o), (_, before) in zip(offsets[1:], offsets, strict=False) if o != before
                )
    return sorted(set(found))
