"""Events of the sun, with Celery's names and horizons (``celery.schedules.solar``), computed by ephem, an extra."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType

from schedulerui.recurrence.rule import RuleError, SolarRule

SEARCH_DAYS = 366
"""Days in which an event must come; beyond the polar circles most are missing for months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    horizon: str
    method: str
    use_center: bool


EVENTS: dict[str, _Event] = {
    "dawn_astronomical": _Event(horizon="-18", method="next_rising", use_center=True),
    "dawn_nautical": _Event(horizon="-12", method="next_rising", use_center=True),
    "dawn_civil": _Event(horizon="-6", method="next_rising", use_center=True),
    "sunrise": _Event(horizon="-0:34", method="next_rising", use_center=False),
    "solar_noon": _Event(horizon="0", method="next_transit", use_center=False),
    "sunset": _Event(horizon="-0:34", method="next_setting", use_center=False),
    "dusk_civil": _Event(horizon="-6", method="next_setting", use_center=True),
    "dusk_nautical": _Event(horizon="-12", method="next_setting", use_center=True),
    "dusk_astronomical": _Event(horizon="-18", method="next_setting", use_center=True),
}


def ephem() -> ModuleType:
    """Return the library; raises RuleError with the way to install it."""
    try:
        return import_module("ephem")
    except ImportError as error:
        raise RuleError(
            "event", "solar schedules need the extra: pip install 'schedulerui[solar]'"
        ) from error


def parse_solar(event: object, *, latitude: float, longitude: float, tz: str) -> SolarRule:
    """Return the rule of a solar event; raises RuleError."""
    if not isinstance(event, str) or event not in EVENTS:
        raise RuleError("event", f"use one of {', '.join(sorted(EVENTS))}")
    if not -90 <= latitude <= 90:
        raise RuleError("latitude", f"{latitude} degrees: use -90 to 90, where north is positive")
    if not -180 <= longitude <= 180:
        raise RuleError("longitude", f"{longitude} degrees: use -180 to 180, where east is positive")
    ephem()
    return SolarRule(event=event, latitude=latitude, longitude=longitude, tz=tz)


def next_solar(rule: SolarRule, after: datetime) -> datetime | None:
    """Return the event's next moment (UTC) strictly after ``after``; days without it are skipped, None within 366 days."""
    library = ephem()
    event = EVENTS[rule.event]
    observer = _observer(library, rule, event)
    sun = library.Sun()
    start = library.Date(after.astimezone(UTC).replace(tzinfo=None))
    options = {"use_center": True} if event.use_center else {}
    limit = after + timedelta(days=SEARCH_DAYS)
    for _ in range(SEARCH_DAYS):
        try:
            found = getattr(observer, event.method)(sun, start=start, **options)
        except library.CircumpolarError:
            start = observer.next_antitransit(sun, start=start)
            continue
        moment: datetime = found.datetime().replace(tzinfo=UTC, microsecond=0)
        if moment > limit:
            return None
        if moment > after:
            return moment
        start = library.Date(found + library.minute)
    return None


def _observer(library: ModuleType, rule: SolarRule, event: _Event) -> object:
    observer = library.Observer()
    observer.lat, observer.lon = str(rule.latitude), str(rule.longitude)
    observer.elev, observer.pressure = 0, 0
    observer.horizon = event.horizon
    return observer
