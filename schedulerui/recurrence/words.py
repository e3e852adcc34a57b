"""A rule in words: complete for every valid rule, and never a false claim.

"Every N" is said only when all gaps are N. "Each" and "at" speak of the clock on the wall. AND of the two
day fields reads "only if it is", OR reads "or on". Rules that fire in both passes of a repeated hour
("each ... from", "of the hours") never share a text with those that fire once ("at", "past the hours").
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from schedulerui.recurrence import phrases, walltime
from schedulerui.recurrence.phrases import Catalog, Translate, TranslatePlural
from schedulerui.recurrence.rule import ClockedRule, CrontabRule, IntervalRule, Rule, SolarRule
from schedulerui.recurrence.zones import zone

_HOUR, _DAY = 60, 24
_LISTED = 4
_LISTED_HOURS = 8
_ = str
_SOLAR_EVENTS = {
    "dawn_astronomical": _("astronomical dawn"),
    "dawn_nautical": _("nautical dawn"),
    "dawn_civil": _("civil dawn"),
    "sunrise": _("sunrise"),
    "solar_noon": _("solar noon"),
    "sunset": _("sunset"),
    "dusk_civil": _("civil dusk"),
    "dusk_nautical": _("nautical dusk"),
    "dusk_astronomical": _("astronomical dusk"),
}


def describe(
    rule: Rule,
    *,
    translate: Translate | None = None,
    translate_plural: TranslatePlural | None = None,
    clock12: bool = False,
) -> str:
    """Return the rule in words, without a full stop. The zone is named only for a single moment.

    `translate` is a gettext and `translate_plural` an ngettext; without them the words are English.
    `clock12`: times of day are said as 2:30 PM.
    """
    say = phrases.catalog(translate, translate_plural, clock12=clock12)
    if isinstance(rule, CrontabRule):
        return _crontab(rule, say)
    if isinstance(rule, IntervalRule):
        return _interval(rule, say)
    if isinstance(rule, ClockedRule):
        return _clocked(rule, say)
    if isinstance(rule, SolarRule):
        return _solar(rule, say)
    return say.gettext("By hand only")


def _crontab(rule: CrontabRule, say: Catalog) -> str:
    days = _days(rule, say)
    if not days and (always := _every(rule, say)):
        return always
    if rule.interval_like:
        times = _each(rule, say)
    else:
        times = _at(rule, say)
        days = days or say.gettext("each day")
    return say.gettext("{times} {days}").format(times=times, days=days) if days else times


def _every(rule: CrontabRule, say: Catalog) -> str | None:
    """Return the words for a rule whose gaps are all the same, through changes of the clock too, or None."""
    if not rule.interval_like:
        return None
    if len(rule.hours) == _DAY:
        return _every_minutes(rule, say)
    hours = _grid(rule.hours, _DAY)
    if len(rule.minutes) == 1 and hours and _undisturbed(rule.tz, hours * _HOUR):
        first = phrases.clock(time(rule.hours[0], rule.minutes[0]), say)
        pattern = say.ngettext("Every {n} hour from {first}", "Every {n} hours from {first}", hours)
        return pattern.format(n=hours, first=first)
    return None


def _every_minutes(rule: CrontabRule, say: Catalog) -> str | None:
    step, first = _grid(rule.minutes, _HOUR), f":{rule.minutes[0]:02}"
    if step is None or not _undisturbed(rule.tz, step):
        return None
    if step == 1:
        return say.gettext("Every minute")
    if step == _HOUR:
        return say.gettext("Every hour at {minute}").format(minute=first)
    if rule.minutes[0] == 0:
        return say.ngettext("Every {n} minute", "Every {n} minutes", step).format(n=step)
    pattern = say.ngettext("Every {n} minute from {minute}", "Every {n} minutes from {minute}", step)
    return pattern.format(n=step, minute=first)


def _each(rule: CrontabRule, say: Catalog) -> str:
    """Return the times of a rule that follows the clock through both passes of a repeated hour."""
    step = _grid(rule.minutes, _HOUR)
    if step and step < _HOUR and _in_a_row(rule.hours) and _undisturbed(rule.tz, step):
        ends = _first_and_last(rule, say)
        if step == 1:
            return say.gettext("Each minute from {first} to {last}").format(**ends)
        pattern = say.ngettext(
            "Each {n} minute from {first} to {last}", "Each {n} minutes from {first} to {last}", step
        )
        return pattern.format(n=step, **ends)
    return say.gettext("{minutes} of {hours}").format(
        minutes=_at_minutes(rule, say), hours=_hours(rule, say, every=True)
    )


def _at(rule: CrontabRule, say: Catalog) -> str:
    """Return the times of a rule that fires once at each wall time."""
    listed = _LISTED_HOURS if len(rule.minutes) == 1 else _LISTED
    in_a_row, step = _in_a_row(rule.hours), _grid(rule.minutes, _HOUR)
    if len(rule.hours) * len(rule.minutes) > _LISTED and in_a_row and step:
        if step == _HOUR:
            return say.gettext("Hourly from {first} to {last}").format(**_first_and_last(rule, say))
        pattern = say.ngettext(
            "At {first} to {last} in steps of {n} minute",
            "At {first} to {last} in steps of {n} minutes",
            step,
        )
        return pattern.format(n=step, **_first_and_last(rule, say))
    if len(rule.hours) * len(rule.minutes) <= listed:
        clocks = [phrases.clock(time(hour, minute), say) for hour in rule.hours for minute in rule.minutes]
        return say.gettext("At {times}").format(times=phrases.join_and(clocks, say))
    return say.gettext("{minutes} past {hours}").format(
        minutes=_at_minutes(rule, say), hours=_hours(rule, say, every=False)
    )


def _at_minutes(rule: CrontabRule, say: Catalog) -> str:
    if len(rule.minutes) == 1:
        return say.gettext("At :{minute:02}").format(minute=rule.minutes[0])
    return say.gettext("At minutes {minutes}").format(minutes=phrases.numbers(rule.minutes, say))


def _hours(rule: CrontabRule, say: Catalog, *, every: bool) -> str:
    if every and len(rule.hours) == _DAY:
        return say.gettext("each hour")
    pattern = say.ngettext("hour {hours}", "the hours {hours}", len(rule.hours))
    return pattern.format(hours=phrases.hours(rule.hours, say))


def _days(rule: CrontabRule, say: Catalog) -> str:
    """Return which days, or nothing when it is all of them."""
    any_number, any_weekday, any_month = len(rule.days) == 31, len(rule.weekdays) == 7, len(rule.months) == 12  # noqa: PLR2004  # the calendar's own numbers
    months = phrases.months(rule.months, say)
    if (any_number and any_weekday) or (rule.day_or and (any_number or any_weekday)):
        return "" if any_month else say.gettext("each day in {months}").format(months=months)
    weekdays = phrases.weekdays(rule.weekdays, say)
    if any_number:
        pattern = say.gettext("on {weekdays}") if any_month else say.gettext("on {weekdays} in {months}")
        return pattern.format(weekdays=weekdays, months=months)
    if rule.day_or:
        pattern = say.gettext("{numbers} or on {weekdays}")
        either = pattern.format(numbers=_numbered(rule, "", say), weekdays=weekdays)
        if any_month:
            return either
        return say.gettext("{days}, only in {months}").format(days=either, months=months)
    numbers = _numbered(rule, "" if any_month else months, say)
    if any_weekday:
        return numbers
    weekday = phrases.one_of_weekdays(rule.weekdays, say)
    return say.gettext("{days}, only if it is {weekday}").format(days=numbers, weekday=weekday)


def _numbered(rule: CrontabRule, months: str, say: Catalog) -> str:
    days, n = phrases.numbers(rule.days, say), len(rule.days)
    if months:
        pattern = say.ngettext("on day {days} of {months}", "on days {days} of {months}", n)
    else:
        pattern = say.ngettext("on day {days} of the month", "on days {days} of the month", n)
    return pattern.format(days=days, months=months)


def _interval(rule: IntervalRule, say: Catalog) -> str:
    n = rule.count
    if n == 1:
        count = {
            "seconds": say.gettext("Every second"),
            "minutes": say.gettext("Every minute"),
            "hours": say.gettext("Every hour"),
            "days": say.gettext("Every day"),
            "weeks": say.gettext("Every week"),
        }[rule.period]
    else:
        count = {
            "seconds": say.ngettext("Every {n} second", "Every {n} seconds", n),
            "minutes": say.ngettext("Every {n} minute", "Every {n} minutes", n),
            "hours": say.ngettext("Every {n} hour", "Every {n} hours", n),
            "days": say.ngettext("Every {n} day", "Every {n} days", n),
            "weeks": say.ngettext("Every {n} week", "Every {n} weeks", n),
        }[rule.period].format(n=n)
    if rule.period not in {"days", "weeks"}:
        return count
    # A day here is 24 hours and does not follow the clock through a change: the hours are said.
    n_hours = rule.every // timedelta(hours=1)
    hours = say.ngettext("{n} hour", "{n} hours", n_hours).format(n=n_hours)
    return say.gettext("{count} ({hours})").format(count=count, hours=hours)


def _clocked(rule: ClockedRule, say: Catalog) -> str:
    wall = walltime.wall_at(rule.at, rule.tz)
    place = rule.tz
    if walltime.instant_of(wall, rule.tz) != rule.at:
        # The second pass of a repeated hour: the wall time alone would name the first one.
        place = f"{place}, UTC{rule.at.astimezone(zone(rule.tz)).isoformat()[-6:]}"
    pattern = say.gettext("Once, on {date} at {time} ({zone})")
    return pattern.format(date=phrases.short_date(wall, say), time=phrases.clock(wall, say), zone=place)


def _solar(rule: SolarRule, say: Catalog) -> str:
    north, east = _degrees(rule.latitude), _degrees(rule.longitude)
    return say.gettext("At {event} at {latitude} {north}, {longitude} {east}").format(
        event=say.gettext(_SOLAR_EVENTS[rule.event]),
        latitude=north,
        north=say.gettext("N") if rule.latitude >= 0 else say.gettext("S"),
        longitude=east,
        east=say.gettext("E") if rule.longitude >= 0 else say.gettext("W"),
    )


def _degrees(value: float) -> str:
    return f"{abs(value):.6f}".rstrip("0").rstrip(".")


def _first_and_last(rule: CrontabRule, say: Catalog) -> dict[str, str]:
    first, last = time(rule.hours[0], rule.minutes[0]), time(rule.hours[-1], rule.minutes[-1])
    return {"first": phrases.clock(first, say), "last": phrases.clock(last, say)}


def _in_a_row(values: tuple[int, ...]) -> bool:
    return len(values) == values[-1] - values[0] + 1


def _grid(values: tuple[int, ...], size: int) -> int | None:
    """Return the step when the values are evenly spaced round the whole circle of `size`, or None."""
    step, rest = divmod(size, len(values))
    return step if rest == 0 and values == tuple(range(values[0], size, step)) else None


def _undisturbed(zone_name: str, minutes: int) -> bool:
    """Tell whether changes of the clock leave a grid of so many minutes where it is in real time."""
    return len({offset % timedelta(minutes=minutes) for offset in _offsets(zone_name)}) == 1


@lru_cache(maxsize=1024)
def _offsets(zone_name: str) -> frozenset[timedelta]:
    """Return the offsets of the zone, looked up twice a month for the years that schedules live in."""
    place = zone(zone_name)
    moments = (
        datetime(year, month, day, tzinfo=UTC)
        for year in range(2000, 2050)
        for month in range(1, 13)
        for day in (1, 15)
    )
    return frozenset(moment.astimezone(place).utcoffset() or timedelta(0) for moment in moments)
