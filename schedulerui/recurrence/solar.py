"""Solar rules, computed by ephem (an optional extra, imported only when a solar rule is used).

Events, horizons and methods are those of Celery's `solar`. An event's time must not depend on where the
search began, or a schedule could fire twice a second apart: each solar day is searched from its own
beginning, and times are cut to whole seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from schedulerui.recurrence.rule import RuleError, SolarRule

# Marked by name only, so that the extraction of messages finds them; translated when they are said.
_ = str
_DAYS_TO_SEARCH = 366
_DAY = timedelta(days=1)
# Two risings (or settings, or transits) are never nearer than this.
_APART = timedelta(hours=1)
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """How ephem finds an event: method name, horizon (degrees:minutes), by the sun's centre or its rim."""

    method: str
    horizon: str
    by_centre: bool


EVENTS = {
    "dawn_astronomical": Event(method="next_rising", horizon="-18", by_centre=True),
    "dawn_nautical": Event(method="next_rising", horizon="-12", by_centre=True),
    "dawn_civil": Event(method="next_rising", horizon="-6", by_centre=True),
    "sunrise": Event(method="next_rising", horizon="-0:34", by_centre=False),
    "solar_noon": Event(method="next_transit", horizon="0", by_centre=False),
    "sunset": Event(method="next_setting", horizon="-0:34", by_centre=False),
    "dusk_civil": Event(method="next_setting", horizon="-6", by_centre=True),
    "dusk_nautical": Event(method="next_setting", horizon="-12", by_centre=True),
    "dusk_astronomical": Event(method="next_setting", horizon="-18", by_centre=True),
}


def load_ephem() -> Any:
    """Return the ephem module; raise RuleError (field `event`) that says how to install it."""
    try:
        return importlib.import_module("ephem")
    except ImportError as error:
        phrase = _('solar rules need the package ephem: install it with pip install "schedulerui[solar]"')
        raise RuleError("event", phrase) from error


def next_fire(rule: SolarRule, after: datetime) -> datetime | None:
    """Return the first event (UTC, whole seconds) strictly after `after` (aware); None within 366 days.

    Days without the event are skipped. Raise RuleError (field `event`) when ephem is missing.
    """
    moment = after.astimezone(UTC)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return None
    start = _solar_midnight(rule, moment) - _DAY
    for event in _events_from(rule, start):
        if event > moment:
            return event if event - moment <= _DAYS_TO_SEARCH * _DAY else None
    return None


def _events_from(rule: SolarRule, start: datetime) -> Iterator[datetime]:
    """Yield the events of the days searched, once each: one on the border of two days is met twice."""
    previous = start - _DAY
    for number in range(_DAYS_TO_SEARCH + 2):
        for event in _events_of_day(rule, start + number * _DAY):
            if event - previous >= _APART:
                yield event
                previous = event


def _solar_midnight(rule: SolarRule, moment: datetime) -> datetime:
    """Return the last mean solar midnight at or before `moment`."""
    ahead = timedelta(seconds=round(rule.longitude * 240))
    local = moment + ahead
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - ahead


@lru_cache(maxsize=4096)
def _events_of_day(rule: SolarRule, start: datetime) -> tuple[datetime, ...]:
    return tuple(_search_day(rule, start))


def _search_day(rule: SolarRule, start: datetime) -> Iterator[datetime]:
    ephem = load_ephem()
    event = EVENTS[rule.event]
    observer = ephem.Observer()
    observer.lat, observer.lon, observer.elev = str(rule.latitude), str(rule.longitude), 0
    observer.horizon, observer.pressure = event.horizon, 0
    options = {"use_center": True} if event.by_centre else {}
    begin = start
    while begin < start + _DAY:
        try:
            found = getattr(observer, event.method)(
                ephem.Sun(), start=ephem.Date(begin.replace(tzinfo=None)), **options
            )
        except ephem.CircumpolarError:
            return
        moment = found.datetime().replace(microsecond=0, tzinfo=UTC)
        if moment >= start + _DAY:
            return
        yield moment
        begin = moment + _APART
