"""Statements that are written once and asked often: Django takes longer to put one of many parts together than a database to answer.

What a person may know of can make each one another: those are not kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from schedulerui.conf import Settings, settings

Statement = tuple[str, Sequence[Any]]
"""SQL and its values."""
STEP = timedelta(days=400, hours=7, minutes=13, seconds=11, microseconds=123_457)
"""Between the two moments that are tried: in another hour, day, month and year, so that what is rounded differs otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    text: str
    values: tuple[Any, ...]
    moments: tuple[tuple[int, timedelta], ...]
    """Places of values that are moments, and how long after now each is."""
    made_with: Settings


_kept: dict[tuple[str, str, str], _Kept] = {}
_lock = threading.Lock()


def written(name: str, write: Callable[[datetime], Statement], *, now: datetime) -> Statement:
    """Return the statement that ``write`` makes for ``now``; the one of an earlier moment, its moments moved, where it is known.

    ``name``: what it is kept as; empty for one that is not kept. Its values may depend on ``now`` only by a distance, and on
    the settings. Raises ValueError for one that depends on it otherwise.
    """
    if not name or connection.timezone is not UTC:
        return write(now)
    key = (name, connection.alias, connection.vendor)
    known = _kept.get(key)
    if known is None or known.made_with is not settings():
        known = _take_apart(name, write, now=now)
        with _lock:
            _kept[key] = known
    values = list(known.values)
    for place, after in known.moments:
        values[place] = connection.ops.adapt_datetimefield_value(now + after)
    return known.text, values


def _take_apart(name: str, write: Callable[[datetime], Statement], *, now: datetime) -> _Kept:
    """Write the statement for two moments: what differs between them is a moment."""
    (text, values), (again, later) = write(now), write(now + STEP)
    moments = []
    for place, (one, other) in enumerate(zip(values, later, strict=True)):
        if one == other:
            continue
        if _moment(other) - _moment(one) != STEP:
            message = f"{name} depends on the present by more than a distance"
            raise ValueError(message)
        moments.append((place, _moment(one) - now))
    if text != again:
        message = f"{name} is another statement at another moment"
        raise ValueError(message)
    return _Kept(text=text, values=tuple(values), moments=tuple(moments), made_with=settings())


def _moment(value: Any) -> datetime:
    """Return the moment that a value is, as the database takes it: text on some; raises ValueError or TypeError for others."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
