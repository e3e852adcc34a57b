"""Time zones by name: only those of the database, never whatever a path happens to find."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from schedulerui.recurrence.rule import RuleError

NAME_MAX = 63


@cache
def known_zones() -> frozenset[str]:
    """Return every zone name that may be used: the IANA names without the machine's own alias."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


@cache
def zone(name: str) -> ZoneInfo:
    """Return a zone; raises RuleError with the nearest known names."""
    if name not in known_zones():
        raise RuleError("tz", _unknown(name))
    return ZoneInfo(name)


def _unknown(name: str) -> str:
    shown = name[:NAME_MAX]
    by_lower = {known.lower(): known for known in known_zones()}
    lowered = shown.lower()
    near = [by_lower[lowered]] if lowered in by_lower else []
    near = near or [
        by_lower[match] for match in difflib.get_close_matches(lowered, by_lower, n=2, cutoff=0.7)
    ]
    near = near or sorted(known for key, known in by_lower.items() if key.endswith("/" + lowered))[:2]
    hint = f": did you mean {' or '.join(near)}?" if near else ": use a name like Europe/Berlin or UTC."
    return f"{shown!r} is not a known time zone{hint}"


def first_instant(wall: datetime, tz: ZoneInfo) -> datetime:
    """Return when a naive wall time comes, in UTC: its first pass if it repeats, the end of the gap if it does not exist."""
    moment = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if moment.astimezone(tz).replace(tzinfo=None) == wall:
        return moment
    return gap_end(wall, tz)


def gap_end(wall: datetime, tz: ZoneInfo) -> datetime:
    """Return the first instant after the gap in which a wall time lies, in UTC.

    Inside a gap fold=0 reads the wall time with the offset before it and fold=1 with the one after it (PEP 495), so the
    transition lies between the two; it is found by bisection to the second.
    """
    late = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    early = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    offset = late.astimezone(tz).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(tz).utcoffset() == offset:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def both_instants(wall: datetime, tz: ZoneInfo) -> tuple[datetime, ...]:
    """Return every real moment (UTC) at which clocks show this wall time: none in a gap, two when it repeats."""
    found = {wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return tuple(sorted(moment for moment in found if moment.astimezone(tz).replace(tzinfo=None) == wall))
