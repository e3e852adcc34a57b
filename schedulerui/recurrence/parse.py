"""From a mapping of fields to a checked rule; every mistake is a RuleError that names its field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from schedulerui.recurrence.cron import CELERY_AND, parse_crontab
from schedulerui.recurrence.rule import ClockedRule, IntervalRule, ManualRule, Rule, RuleError
from schedulerui.recurrence.solar import parse_solar
from schedulerui.recurrence.zones import first_instant, zone

KINDS = ("crontab", "interval", "clocked", "solar", "manual")
PERIODS: dict[str, timedelta] = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
LONGEST = timedelta(days=36_525)
"""A hundred years: longer than any system that could still know the anchor."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_TEXT_MAX = 64
_DIGITS_MAX = 12


def parse_rule(spec: Mapping[str, object]) -> Rule:
    """Return the rule of a specification.

    ``spec`` has ``kind``, ``tz`` (default UTC), and ``expression`` with ``semantics`` (default celery-and) for a crontab, or
    ``fields``: interval ``every, period, anchor``; clocked ``at_utc`` or ``at_local``; solar ``event, latitude, longitude``.
    Moments are ISO texts or datetimes. Raises RuleError for anything wrong.
    """
    if not isinstance(spec, Mapping):
        raise RuleError("kind", "a rule is a mapping of fields")
    kind = spec.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise RuleError("kind", f"use one of {', '.join(KINDS)}")
    tz = _zone_name(spec.get("tz", "UTC"))
    if kind == "crontab":
        semantics = spec.get("semantics") or CELERY_AND
        return parse_crontab(spec.get("expression"), semantics=semantics, tz=tz)
    if kind == "manual":
        return ManualRule(tz=tz)
    fields = spec.get("fields")
    if not isinstance(fields, Mapping):
        raise RuleError("kind", f"a rule of the kind {kind} needs its fields")
    return {"interval": _interval, "clocked": _clocked, "solar": _solar}[kind](fields, tz)


def _zone_name(name: object) -> str:
    if not isinstance(name, str):
        raise RuleError("tz", "use the name of a time zone, like Europe/Berlin")
    zone(name)
    return name


def _interval(fields: Mapping[str, object], tz: str) -> Rule:
    count = _whole(fields.get("every"), "every")
    period = fields.get("period")
    if not isinstance(period, str) or period not in PERIODS:
        raise RuleError("period", f"use one of {', '.join(PERIODS)}")
    if count < 1:
        raise RuleError("every", f"{count}: use a number from 1 on")
    if count > LONGEST // PERIODS[period]:
        raise RuleError("every", f"{count} {period} is longer than 100 years")
    anchor = _moment(fields.get("anchor"), "anchor")
    return IntervalRule(every=count * PERIODS[period], anchor=anchor, count=count, period=period, tz=tz)


def _clocked(fields: Mapping[str, object], tz: str) -> Rule:
    at_utc, at_local = fields.get("at_utc"), fields.get("at_local")
    if at_utc and at_local:
        raise RuleError("at_local", "give a moment in UTC or a wall time, not both")
    if at_utc:
        return ClockedRule(at=_moment(at_utc, "at_utc"), tz=tz)
    wall = _datetime(at_local, "at_local")
    if wall.tzinfo is not None:
        raise RuleError("at_local", "a wall time has no offset: the zone is given by itself")
    _refuse_far(wall.replace(tzinfo=UTC), "at_local")
    wall = wall.replace(fold=0)
    return ClockedRule(at=first_instant(wall, zone(tz)), local=wall, tz=tz)


def _solar(fields: Mapping[str, object], tz: str) -> Rule:
    latitude = _degrees(fields.get("latitude"), "latitude")
    longitude = _degrees(fields.get("longitude"), "longitude")
    return parse_solar(fields.get("event"), latitude=latitude, longitude=longitude, tz=tz)


def _whole(value: object, field: str) -> int:
    if isinstance(value, bool) or value is None or value == "":
        raise RuleError(field, "a whole number is missing")
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX):
            raise RuleError(field, f"{value[:_TEXT_MAX]!r}: use a whole number")
        return int(value)
    if isinstance(value, int):
        return value
    raise RuleError(field, "use a whole number")


def _degrees(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise RuleError(field, "use degrees, like 52.52")
    try:
        degrees = float(value)
    except (ValueError, OverflowError):
        degrees = math.nan
    if not math.isfinite(degrees):
        raise RuleError(field, "use degrees, like 52.52")
    return degrees


def _moment(value: object, field: str) -> datetime:
    moment = _datetime(value, field)
    if moment.tzinfo is None:
        raise RuleError(field, "say which zone the moment is in, like 2026-05-01T12:00:00Z")
    try:
        moment = moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise RuleError(field, "outside of the calendar") from error
    _refuse_far(moment, field)
    return moment


def _datetime(value: object, field: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not value:
        raise RuleError(field, "a moment is missing")
    try:
        return datetime.fromisoformat(value[: _TEXT_MAX + 1])
    except ValueError as error:
        raise RuleError(
            field, f"{value[:_TEXT_MAX]!r} is not a date and time: use 2026-05-01T12:00"
        ) from error


def _refuse_far(moment: datetime, field: str) -> None:
    if not EARLIEST <= moment <= LATEST:
        raise RuleError(field, f"the year {moment.year} is out of reach: use 1970 to 8999")
