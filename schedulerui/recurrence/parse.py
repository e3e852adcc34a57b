"""From what was typed or stored to a rule, or to one RuleError: nothing else ever escapes."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar, get_args

from schedulerui.recurrence import fields, phrases, solar, typed, walltime, zones
from schedulerui.recurrence.rule import (
    SECONDS_OF,
    ClockedRule,
    CrontabRule,
    IntervalRule,
    ManualRule,
    Period,
    Rule,
    RuleError,
    Said,
    Semantics,
    SolarRule,
)

# Marked by name only, so that the extraction of messages finds them; translated when they are said.
_ = str
KINDS: Final[tuple[str, ...]] = ("crontab", "interval", "clocked", "solar", "manual")
_PERIODS: Final[tuple[Period, ...]] = get_args(Period)
_SEMANTICS: Final[tuple[Semantics, ...]] = get_args(Semantics)
_LONGEST_DAYS: Final = 36500
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_LONGEST_MOMENT_TEXT: Final = 40
_ISO_SIGNS: Final = re.compile(r"[0-9T:.,+Z -]+", re.ASCII)
_Choice = TypeVar("_Choice", bound=str)


def parse_rule(spec: Mapping[str, object]) -> Rule:
    """Return the rule that `spec` describes; raise RuleError, and nothing else, when it describes none.

    Keys: `kind` (crontab, interval, clocked, solar or manual), `expression` for a crontab or `fields` for
    interval (every, period, anchor), clocked (at_utc or at_local) and solar (event, latitude, longitude),
    `tz` (UTC when absent) and, for a crontab, `semantics` (celery-and when absent) and `seed`, the uuid of the
    schedule, from which the numbers of `H` come. Moments are ISO texts or datetimes: aware for `anchor` and
    `at_utc`, naive wall time in `tz` for `at_local`.
    """
    if not isinstance(spec, Mapping):
        raise RuleError("kind", _("a rule is a mapping with a kind and its fields"))
    kind = _one_of("kind", spec.get("kind"), KINDS)
    tz = _text("tz", spec.get("tz", "UTC"), _("a time zone name such as Europe/Berlin or UTC"))
    zones.zone(tz)
    if kind == "crontab":
        return _crontab(spec, tz)
    if kind == "manual":
        return ManualRule(tz=tz)
    given = spec.get("fields")
    if not isinstance(given, Mapping):
        given = {}
    if kind == "interval":
        return _interval(given, tz)
    return _clocked(given, tz) if kind == "clocked" else _solar(given, tz)


def _crontab(spec: Mapping[str, object], tz: str) -> CrontabRule:
    semantics = _one_of("semantics", spec.get("semantics", "celery-and"), _SEMANTICS)
    text = _text("expression", spec.get("expression"), _("five fields such as 30 2 * * mon-fri"))
    read = typed.read(text, seed=_seed(spec.get("seed")))
    minutes, hours, days, months, weekdays = (fields.expand(i, part) for i, part in enumerate(read.texts))
    # An H with a step counts as a star with a step.
    star_minute, star_hour, star_day, _star_month, star_weekday = read.stars
    day_or = semantics == "vixie-or" and not star_day and not star_weekday
    if not day_or and not fields.can_occur(days, months):
        raise _no_such_day(days, months)
    return CrontabRule(
        text=" ".join(read.texts),
        typed=text,
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        interval_like=star_minute or star_hour,
        day_or=day_or,
        tz=tz,
        semantics=semantics,
    )


def _no_such_day(days: tuple[int, ...], months: tuple[int, ...]) -> RuleError:
    """Return what is wrong with days that none of the months has: two days and five months at most."""
    return RuleError(
        "day_of_month",
        _("there is no day {days} in {months}, so it would never run; use a day or a month that exists"),
        days=_either([str(day) for day in days]),
        months=_either([Said(phrases.MONTHS[month - 1]) for month in months]),
    )


def _either(parts: Sequence[str | Said]) -> str | Said:
    """Return `a, b or c`, to be said in any language."""
    these, *others = parts
    for following in others[:-1]:
        these = Said(_("{these}, {following}"), these=these, following=following)
    return Said(_("{these} or {last}"), these=these, last=others[-1]) if others else these


def _seed(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | uuid.UUID):
        raise RuleError(
            "expression", _("the seed of H is not a text or a uuid: use the uuid of the schedule")
        )
    return str(value)


def _interval(given: Mapping[object, object], tz: str) -> IntervalRule:
    period = _one_of("period", given.get("period"), _PERIODS)
    count = given.get("every")
    if not isinstance(count, int) or isinstance(count, bool):
        raise RuleError("every", _("every is missing or not a whole number: use a number such as 15"))
    if count < 1:
        raise RuleError("every", _("every must be at least 1: the shortest interval is 1 second"))
    longest = _LONGEST_DAYS * SECONDS_OF["days"] // SECONDS_OF[period]
    if count > longest:
        phrase = _("every is too long: use at most {longest} {period} (100 years)")
        raise RuleError("every", phrase, longest=longest, period=period)
    anchor = _aware("anchor", given.get("anchor"))
    every = timedelta(seconds=int(count) * SECONDS_OF[period])
    return IntervalRule(every=every, anchor=anchor, count=int(count), period=period, tz=tz)


def _clocked(given: Mapping[object, object], tz: str) -> ClockedRule:
    at_utc, at_local = given.get("at_utc"), given.get("at_local")
    if at_utc is not None and at_local is not None:
        raise RuleError("at_utc", _("both at_utc and at_local are given: use one of them"))
    if at_local is None:
        return ClockedRule(at=_aware("at_utc", at_utc), wall=None, tz=tz)
    wall = _moment("at_local", at_local)
    if wall.tzinfo is not None:
        raise RuleError("at_local", _("at_local is wall time: leave the offset out, the zone says it"))
    wall = wall.replace(fold=0)
    return ClockedRule(at=walltime.instant_of(wall, tz), wall=wall, tz=tz)


def _solar(given: Mapping[object, object], tz: str) -> SolarRule:
    event = _one_of("event", given.get("event"), tuple(solar.EVENTS))
    latitude = _degrees("latitude", given.get("latitude"), 90)
    longitude = _degrees("longitude", given.get("longitude"), 180)
    solar.load_ephem()
    return SolarRule(event=event, latitude=latitude, longitude=longitude, tz=tz)


def _text(field: str, value: object, wanted: str) -> str:
    # A long text is refused by whoever reads it: here not one of ten million spaces is looked at.
    if not isinstance(value, str) or not value or (len(value) <= fields.LONGEST_TEXT and value.isspace()):
        raise RuleError(field, _("{name} is missing: use {wanted}"), name=field, wanted=Said(wanted))
    return value


def _one_of(field: str, value: object, choices: tuple[_Choice, ...]) -> _Choice:
    found = next((choice for choice in choices if isinstance(value, str) and choice == value), None)
    if found is None:
        phrase = (
            _("this {name} is missing: use one of {choices}")
            if value is None
            else _("this {name} is not known: use one of {choices}")
        )
        raise RuleError(field, phrase, name=field, choices=", ".join(choices))
    return found


def _degrees(field: str, value: object, limit: int) -> float:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        phrase = _("{name} is missing or not a number: use a number of degrees from -{limit} to {limit}")
        raise RuleError(field, phrase, name=field, limit=limit)
    try:
        degrees = float(value)
    except (ValueError, OverflowError):
        # A signalling NaN, or a whole number that no float can hold.
        degrees = math.nan
    if not -limit <= degrees <= limit:
        phrase = _("{name} is not a place on the earth: use a number of degrees from -{limit} to {limit}")
        raise RuleError(field, phrase, name=field, limit=limit)
    return degrees


def _aware(field: str, value: object) -> datetime:
    moment = _moment(field, value)
    if moment.utcoffset() is None:
        phrase = _("{name} has no offset from UTC: write it with Z, such as 2026-12-24T18:00:00Z")
        raise RuleError(field, phrase, name=field)
    return moment.astimezone(UTC)


def _moment(field: str, value: object) -> datetime:
    # Python's own reading of ISO texts overlooks a NUL at the end and takes any sign between date and time.
    if isinstance(value, str) and len(value) <= _LONGEST_MOMENT_TEXT and _ISO_SIGNS.fullmatch(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            phrase = _("{name} is not a date and time: use a date and time such as 2026-12-24T18:00:00")
            raise RuleError(field, phrase, name=field) from error
    if not isinstance(value, datetime):
        phrase = _(
            "{name} is missing or not a date and time: use a date and time such as 2026-12-24T18:00:00"
        )
        raise RuleError(field, phrase, name=field)
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        phrase = _("{name} is in the year {year}: use {first} to {last}")
        raise RuleError(field, phrase, name=field, year=value.year, first=_FIRST_YEAR, last=_LAST_YEAR)
    return value
