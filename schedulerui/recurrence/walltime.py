"""From wall time to instants and back: gaps, repeated hours, and the stretches between them.

Instants are aware datetimes in UTC; wall times are naive datetimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schedulerui.recurrence.zones import zone

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Real time from `start` to before `end` (UTC) with one offset from UTC.

    `previous` is the offset before `start`: greater means that wall times repeat, smaller that some
    were skipped, equal that nothing happened there.
    """

    start: datetime
    end: datetime
    offset: timedelta
    previous: timedelta

    @property
    def first_wall(self) -> datetime:
        """The wall time at `start`."""
        return _naive(self.start) + self.offset

    @property
    def last_wall(self) -> datetime:
        """The wall time that the clock would show at `end`."""
        return _naive(self.end) + self.offset

    @property
    def wall_before(self) -> datetime:
        """The wall time that the clock would have shown at `start` without the change."""
        return _naive(self.start) + self.previous


def wall_at(moment: datetime, zone_name: str) -> datetime:
    """Return the naive wall time in the zone at `moment` (aware)."""
    return moment.astimezone(zone(zone_name)).replace(tzinfo=None, fold=0)


def instant_of(wall: datetime, zone_name: str) -> datetime:
    """Return the one instant (UTC) at which the naive wall time counts, by the fixed rule.

    Its first occurrence if it repeats; the first instant after the gap if it does not exist.
    """
    place = zone(zone_name)
    local = wall.replace(tzinfo=place, fold=0)
    instant = local.astimezone(UTC)
    if wall_at(instant, zone_name) == wall.replace(fold=0):
        return instant
    after_gap = local.replace(fold=1).astimezone(UTC)
    return _change_between(place, min(after_gap, instant), max(after_gap, instant))


def midnight(day: date, zone_name: str) -> datetime:
    """Return the instant (UTC) at which a day of the zone begins."""
    return instant_of(datetime.combine(day, time.min), zone_name)


def is_first_occurrence(wall: datetime, offset: timedelta, zone_name: str) -> bool:
    """Tell whether an existing wall time, read with `offset`, is met for the first time."""
    return wall.replace(tzinfo=zone(zone_name), fold=0).utcoffset() == offset


@lru_cache(maxsize=8192)
def stretches(zone_name: str, day: date) -> tuple[Stretch, ...]:
    """Return the stretches of one UTC day in the zone: one, or two when the clock changes in it."""
    place = zone(zone_name)
    start = datetime.combine(day, time.min, UTC)
    end = start + _DAY
    before, after = _offset(place, start - _SECOND), _offset(place, end - _SECOND)
    if before == after:
        return (Stretch(start=start, end=end, offset=before, previous=before),)
    change = _change_between(place, start - _SECOND, end - _SECOND)
    later = Stretch(start=change, end=end, offset=after, previous=before)
    if change == start:
        return (later,)
    return (Stretch(start=start, end=change, offset=before, previous=before), later)


def changes(zone_name: str, first: date, last: date) -> Iterator[Stretch]:
    """Yield the stretches that begin with a change of the clock, for the UTC days first to last."""
    day = first
    while day <= last:
        yield from (part for part in stretches(zone_name, day) if part.offset != part.previous)
        day += _DAY


def _change_between(place: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first instant with the offset of `high`; the offset at `low` is another."""
    old = _offset(place, low)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if _offset(place, middle) == old:
            low = middle
        else:
            high = middle
    return high


def _offset(place: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(place).utcoffset() or timedelta(0)


def _naive(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None)
