"""Crontab rules: parsed by our own grammar, stepped through the calendar by croniter, mapped to instants by zoneinfo.

croniter gets plain numeric lists and naive wall times only: the calendar is what it is right about. Day fields and clock
changes are decided here.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from schedulerui.recurrence.fields import FIELDS, expand
from schedulerui.recurrence.rule import CrontabRule, RuleError
from schedulerui.recurrence.zones import both_instants, first_instant, zone

TEXT_MAX = 250
CELERY_AND = "celery-and"
VIXIE_OR = "vixie-or"
SEMANTICS = (CELERY_AND, VIXIE_OR)

_YEARS_MAX = 60
"""29 February on one weekday comes back after 40 years at the longest (around 2100)."""
_FULL = tuple(
    tuple(range(field.low, (6 if field.name == "day_of_week" else field.high) + 1)) for field in FIELDS
)
_LOOK_AHEAD = (timedelta(hours=1), timedelta(hours=3), timedelta(hours=26))
"""Where a clock going back is looked for: as far as the largest known step, the date line's 24 hours."""


def parse_crontab(text: object, *, semantics: object, tz: str) -> CrontabRule:
    """Return the rule of a crontab expression; raises RuleError naming the field."""
    if not isinstance(text, str) or not text.strip(" \t"):
        raise RuleError("expression", "write five fields: minute hour day-of-month month day-of-week")
    if len(text) > TEXT_MAX:
        raise RuleError("expression", f"longer than {TEXT_MAX} characters")
    if semantics not in SEMANTICS:
        raise RuleError("semantics", f"use {CELERY_AND} or {VIXIE_OR}")
    parts = text.replace("\t", " ").split(" ")
    parts = [part for part in parts if part]
    if len(parts) != len(FIELDS):
        raise RuleError(
            "expression", f"{len(parts)} fields instead of five: minute hour day-of-month month day-of-week"
        )
    minutes, hours, days, months, weekdays = (
        expand(field, part) for field, part in zip(FIELDS, parts, strict=True)
    )
    rule = CrontabRule(
        text=" ".join(parts),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        is_interval_like=parts[0].startswith("*") or parts[1].startswith("*"),
        is_either_day=semantics == VIXIE_OR and not parts[2].startswith("*") and not parts[4].startswith("*"),
        semantics=str(semantics),
        tz=tz,
    )
    _refuse_impossible(rule)
    return rule


def next_crontab(rule: CrontabRule, after: datetime) -> datetime | None:
    """Return the first fire strictly after ``after`` (UTC), or None at the end of the calendar."""
    tz = zone(rule.tz)
    if rule.is_interval_like:
        return _next_real_minute(rule, after, tz)
    wall = after.astimezone(tz).replace(tzinfo=None, fold=0)
    for candidate in _walls(rule, wall):
        moment = first_instant(candidate, tz)
        if moment > after:
            return moment
    return None


def _next_real_minute(rule: CrontabRule, after: datetime, tz: ZoneInfo) -> datetime | None:
    """Return the first real minute after ``after`` whose wall time matches.

    Wall times come in order, their first passes too; a second pass may come after the first pass of a later wall time. So
    the best second pass is kept until a first pass beyond it shows that nothing earlier can follow.
    """
    wall = after.astimezone(tz).replace(tzinfo=None, fold=0) - _drop_ahead(after, tz)
    best: datetime | None = None
    for candidate in _walls(rule, wall):
        passes = both_instants(candidate, tz)
        if best is not None and passes and passes[0] >= best:
            return best
        best = min(
            [moment for moment in (*passes, best) if moment is not None and moment > after], default=None
        )
        if best is not None and passes and best == passes[0]:
            return best
    return best


def _drop_ahead(after: datetime, tz: ZoneInfo) -> timedelta:
    """Return by how much clocks go back soon after a moment: that much wall time comes again."""
    now = after.astimezone(tz).utcoffset() or timedelta(0)
    drops = [now - ((after + ahead).astimezone(tz).utcoffset() or timedelta(0)) for ahead in _LOOK_AHEAD]
    return max([*drops, timedelta(0)])


def _walls(rule: CrontabRule, after: datetime) -> Iterator[datetime]:
    """Yield matching naive wall times strictly after one, until the calendar ends."""
    lists = (rule.minutes, rule.hours, rule.days, rule.months, rule.weekdays)
    text = " ".join(
        "*" if values == full else ",".join(map(str, values))
        for values, full in zip(lists, _FULL, strict=True)
    )
    if rule.is_either_day and (rule.days == _FULL[2] or rule.weekdays == _FULL[4]):
        # One full list makes "either" true of every day; croniter would read its "*" as "not restricted".
        text = " ".join([*text.split(" ")[:2], "*", text.split(" ")[3], "*"])
    try:
        steps = croniter(
            text, after, ret_type=datetime, day_or=rule.is_either_day, max_years_between_matches=_YEARS_MAX
        )
        while True:
            yield steps.get_next(datetime)
    except (CroniterBadDateError, OverflowError, ValueError):
        return


def _refuse_impossible(rule: CrontabRule) -> None:
    """Raise RuleError for a date that can never come, like 30 February."""
    if rule.is_either_day:
        return
    longest = {month: calendar.monthrange(2024, month)[1] for month in rule.months}
    if not any(day <= length for day in rule.days for length in longest.values()):
        days = ", ".join(map(str, rule.days))
        months = ", ".join(calendar.month_name[month] for month in rule.months)
        raise RuleError("day_of_month", f"day {days} never comes in {months}: use a day that the month has")
