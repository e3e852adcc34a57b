"""Rules in words that are true of every fire. English here; ``translate`` is the seam for other languages."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Callable, Sequence
from typing import assert_never

from schedulerui.recurrence.rule import ClockedRule, CrontabRule, IntervalRule, ManualRule, Rule, SolarRule

Translate = Callable[[str], str]

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TIMES_MAX = 6
"""Most single times of a day that are listed; beyond that minutes and hours are said apart."""
_ALL_MINUTES, _ALL_HOURS = tuple(range(60)), tuple(range(24))
_ALL_DAYS, _ALL_MONTHS, _ALL_WEEKDAYS = tuple(range(1, 32)), tuple(range(1, 13)), tuple(range(7))
_EVENTS = {
    "dawn_astronomical": "astronomical dawn",
    "dawn_nautical": "nautical dawn",
    "dawn_civil": "civil dawn",
    "sunrise": "sunrise",
    "solar_noon": "solar noon",
    "sunset": "sunset",
    "dusk_civil": "civil dusk",
    "dusk_nautical": "nautical dusk",
    "dusk_astronomical": "astronomical dusk",
}


def _identity(text: str) -> str:
    return text


def describe(rule: Rule, *, translate: Translate = _identity) -> str:
    """Return a sentence without a full stop that is true of the rule; never "every N" unless all gaps are N."""
    match rule:
        case CrontabRule():
            return _crontab(rule, translate)
        case IntervalRule():
            return _interval(rule, translate)
        case ClockedRule():
            return _clocked(rule, translate)
        case SolarRule():
            return _solar(rule, translate)
        case ManualRule():
            return translate("By hand only")
        case _:
            assert_never(rule)


def _interval(rule: IntervalRule, translate: Translate) -> str:
    if rule.count == 1:
        return translate("Every " + rule.period.removesuffix("s"))
    return translate("Every %(n)d " + rule.period) % {"n": rule.count}


def _clocked(rule: ClockedRule, translate: Translate) -> str:
    wall, zone = (rule.local, rule.tz) if rule.local else (rule.at, "UTC")
    when = f"{wall.day} {calendar.month_abbr[wall.month]} {wall.year} at {wall:%H:%M}" + (
        f":{wall:%S}" if wall.second else ""
    )
    return translate("Once, on %(when)s (%(zone)s)") % {"when": when, "zone": zone}


def _solar(rule: SolarRule, translate: Translate) -> str:
    north = f"{abs(rule.latitude):g}\u00b0 {'N' if rule.latitude >= 0 else 'S'}"
    east = f"{abs(rule.longitude):g}\u00b0 {'E' if rule.longitude >= 0 else 'W'}"
    return translate("At %(event)s at %(place)s") % {
        "event": _EVENTS[rule.event],
        "place": f"{north}, {east}",
    }


def _crontab(rule: CrontabRule, translate: Translate) -> str:
    times = _times(rule, translate)
    days = _days(rule, translate)
    months = _months(rule, translate)
    return " ".join(part for part in (times, days, months) if part)


def _times(rule: CrontabRule, translate: Translate) -> str:
    minutes, hours = rule.minutes, rule.hours
    if len(minutes) * len(hours) <= TIMES_MAX and hours != _ALL_HOURS:
        clock = [f"{hour:02d}:{minute:02d}" for hour in hours for minute in minutes]
        return translate("At %(times)s") % {"times": _join(clock, translate)}
    said_hours = _hours(hours, translate)
    if minutes == _ALL_MINUTES:
        return " ".join(filter(None, [translate("Every minute"), said_hours]))
    step = _even_step(minutes, 60)
    if step:
        return " ".join(filter(None, [_every_minutes(minutes[0], step, translate), said_hours]))
    return _past_the_hour(minutes, hours, said_hours, translate)


def _every_minutes(first: int, step: int, translate: Translate) -> str:
    said = translate("Every %(n)d minutes") % {"n": step}
    return said if first == 0 else said + " " + translate("from :%(minute)02d on") % {"minute": first}


def _past_the_hour(
    minutes: Sequence[int], hours: Sequence[int], said_hours: str, translate: Translate
) -> str:
    marks = _join([f":{minute:02d}" for minute in minutes], translate)
    if hours == _ALL_HOURS:
        return translate("Every hour at %(marks)s") % {"marks": marks}
    step = _even_step(hours, 24)
    if step:
        said = translate("Every %(n)d hours at %(marks)s") % {"n": step, "marks": marks}
        return said if hours[0] == 0 else said + " " + translate("from %(hour)02d on") % {"hour": hours[0]}
    return translate("At %(marks)s") % {"marks": marks} + " " + said_hours


def _hours(hours: Sequence[int], translate: Translate) -> str:
    if hours == _ALL_HOURS:
        return ""
    spans = [f"{low:02d}:00-{high:02d}:59" for low, high in _runs(hours)]
    return translate("during %(hours)s") % {"hours": _join(spans, translate)}


def _days(rule: CrontabRule, translate: Translate) -> str:
    has_days, has_weekdays = rule.days != _ALL_DAYS, rule.weekdays != _ALL_WEEKDAYS
    if rule.is_either_day:
        if not (has_days and has_weekdays):
            return ""  # one of the two matches every day
        return translate("on %(days)s of the month or on any %(weekdays)s") % {
            "days": _day_numbers(rule.days, translate),
            "weekdays": _weekdays(rule.weekdays, translate),
        }
    if has_days and has_weekdays:
        return translate("on %(days)s of the month, only if it is a %(weekdays)s,") % {
            "days": _day_numbers(rule.days, translate),
            "weekdays": _weekdays(rule.weekdays, translate, last=translate("or")),
        }
    if has_days:
        return translate("on %(days)s of the month") % {"days": _day_numbers(rule.days, translate)}
    return (
        translate("on %(weekdays)s") % {"weekdays": _weekdays(rule.weekdays, translate)}
        if has_weekdays
        else ""
    )


def _day_numbers(days: Sequence[int], translate: Translate) -> str:
    said = _join([_span(str(low), str(high), high - low, translate) for low, high in _runs(days)], translate)
    return (translate("day %(days)s") if len(days) == 1 else translate("days %(days)s")) % {"days": said}


def _weekdays(weekdays: Sequence[int], translate: Translate, *, last: str = "") -> str:
    monday_first = [(day - 1) % 7 for day in weekdays]
    names = [translate(WEEKDAYS[(day + 1) % 7]) for day in range(7)]
    spans = [
        _span(names[low], names[high], high - low, translate) for low, high in _runs(sorted(monday_first))
    ]
    return _join(spans, translate, last=last)


def _months(rule: CrontabRule, translate: Translate) -> str:
    if rule.months == _ALL_MONTHS:
        return ""
    names = [translate(calendar.month_name[month]) for month in range(1, 13)]
    spans = [
        _span(names[low - 1], names[high - 1], high - low, translate) for low, high in _runs(rule.months)
    ]
    return translate("in %(months)s") % {"months": _join(spans, translate)}


def _even_step(values: Sequence[int], size: int) -> int:
    """Return the step when the values are evenly spaced all round the clock, else 0."""
    if len(values) == 1 or size % len(values):
        return 0
    step = size // len(values)
    return step if all(later - earlier == step for earlier, later in itertools.pairwise(values)) else 0


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return consecutive values as (first, last) pairs."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _span(low: str, high: str, length: int, translate: Translate) -> str:
    if length == 0:
        return low
    if length == 1:
        return _join([low, high], translate)
    return translate("%(low)s to %(high)s") % {"low": low, "high": high}


def _join(parts: Sequence[str], translate: Translate, *, last: str = "") -> str:
    if len(parts) <= 1:
        return "".join(parts)
    return ", ".join(parts[:-1]) + f" {last or translate('and')} " + parts[-1]
