"""What a person should know beside the next times: clock changes that touch them, and the gaps between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schedulerui.recurrence.fire import next_fire
from schedulerui.recurrence.rule import CrontabRule, IntervalRule, ManualRule, Rule
from schedulerui.recurrence.zones import both_instants, zone

OFTEN = timedelta(seconds=5)
"""Rules that fire more often than this get a warning."""
_LOOK_AHEAD = timedelta(days=366)
_NOTICES_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One sentence about a rule; ``level`` is info or warn."""

    level: str
    text: str


def notices(rule: Rule, after: datetime) -> list[Notice]:
    """Return the sentences for the year after an aware moment: clock changes, both day fields, very often, never."""
    found: list[Notice] = []
    if isinstance(rule, IntervalRule) and rule.every < OFTEN:
        found.append(Notice(level="warn", text="This runs more often than every 5 seconds."))
    if isinstance(rule, CrontabRule):
        found.extend(_day_fields(rule))
        found.extend(_changes(rule, after))
    if not isinstance(rule, ManualRule) and next_fire(rule, after) is None:
        found.append(Notice(level="warn", text="There is no further run."))
    return found


def shortest_and_longest_gap(fires: Sequence[datetime]) -> tuple[timedelta, timedelta] | None:
    """Return the smallest and the largest distance between neighbours; None for fewer than two."""
    gaps = [later - earlier for earlier, later in itertools.pairwise(fires)]
    return (min(gaps), max(gaps)) if gaps else None


def _day_fields(rule: CrontabRule) -> list[Notice]:
    parts = rule.text.split()
    if parts[2] == "*" or parts[4] == "*":
        return []
    if rule.is_either_day:
        text = "Both day fields are set: it runs on a day that matches either of them, as in classic cron."
    else:
        text = "Both day fields are set: it runs only on a day that matches both of them, as in Celery."
    return [Notice(level="info", text=text)]


def _changes(rule: CrontabRule, after: datetime) -> list[Notice]:
    """Return a sentence for each wall time of the rule that a clock change of the coming year skips or repeats."""
    if rule.is_interval_like:
        return []
    tz = zone(rule.tz)
    found: list[Notice] = []
    for change in _transitions(rule.tz, after):
        day = change.astimezone(tz).date()
        for hour in rule.hours:
            for minute in rule.minutes:
                wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a wall time on purpose
                found.extend(_about(rule, wall))
                if len(found) >= _NOTICES_MAX:
                    return found
    return found


def _about(rule: CrontabRule, wall: datetime) -> list[Notice]:
    tz = zone(rule.tz)
    if not _matches_day(rule, wall):
        return []
    passes = both_instants(wall, tz)
    if len(passes) == 1:
        return []
    at, day = f"{wall:%H:%M}", f"{wall:%A} {wall.day} {wall:%B %Y}"
    if passes:
        return [Notice(level="warn", text=f"{at} happens twice on {day}: runs the first time only.")]
    earlier = wall.replace(tzinfo=tz, fold=1).astimezone(UTC) - timedelta(seconds=1)
    fire = next_fire(rule, earlier)
    runs = f"{fire.astimezone(tz):%H:%M}" if fire else "no time"
    return [Notice(level="warn", text=f"{at} does not exist on {day}: runs at {runs}.")]


def _matches_day(rule: CrontabRule, wall: datetime) -> bool:
    is_day, is_weekday = wall.day in rule.days, wall.isoweekday() % 7 in rule.weekdays
    is_either = (is_day or is_weekday) if rule.is_either_day else (is_day and is_weekday)
    return is_either and wall.month in rule.months


def _transitions(name: str, after: datetime) -> list[datetime]:
    """Return the moments (UTC, to the hour) of the coming year at which the zone's offset has changed."""
    tz, found = zone(name), []
    moment = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end, day = moment + _LOOK_AHEAD, timedelta(days=1)
    while moment < end:
        if moment.astimezone(tz).utcoffset() != (moment + day).astimezone(tz).utcoffset():
            offset = moment.astimezone(tz).utcoffset()
            found.append(
                next(
                    moment + timedelta(hours=hours)
                    for hours in range(1, 25)
                    if (moment + timedelta(hours=hours)).astimezone(tz).utcoffset() != offset
                )
            )
        moment += day
    return found
