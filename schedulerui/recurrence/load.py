"""How many times a crontab rule fires in each quarter of an hour, by arithmetic: for pictures of load, not for dispatch.

Each matching wall hour is counted once at its instant. In the hour that a zone skips or repeats this differs from
``next_fire`` by that hour's times; everything else agrees with it (a test compares them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from schedulerui.recurrence.cron import matches_day
from schedulerui.recurrence.rule import CrontabRule
from schedulerui.recurrence.zones import zone

QUARTER = 15
"""Minutes in one stretch."""
_DAY = timedelta(days=1)


def by_quarter(rule: CrontabRule, *, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    """Yield (first instant of a quarter of an hour in UTC, how many times it holds) from ``start`` to before ``end``.

    Both are aware. Quarters are those of the wall clock; one that only partly lies in the stretch is counted whole.
    """
    quarters = sorted(Counter(minute // QUARTER for minute in rule.minutes).items())
    wall = zone(rule.tz)
    day = start.astimezone(wall).date()
    last = end.astimezone(wall).date()
    while day <= last:
        if matches_day(rule, day):
            for hour in rule.hours:
                whole = datetime.combine(day, time(hour), tzinfo=wall).astimezone(UTC)
                for quarter, n_times in quarters:
                    moment = whole + timedelta(minutes=quarter * QUARTER)
                    if start <= moment < end:
                        yield moment, n_times
        day += _DAY
