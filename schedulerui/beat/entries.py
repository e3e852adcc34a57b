"""Celery's ``beat_schedule`` entries as fields of our schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule, solar

SEND_OPTIONS = (
    "queue",
    "exchange",
    "routing_key",
    "priority",
    "headers",
    "ignore_result",
    "soft_time_limit",
    "time_limit",
)
"""Options of an entry that have a column of their own; ``expires`` becomes ``expires_after``, the rest is kept verbatim."""


_CELERY_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class UnknownEntry(ValueError):
    """An entry that is no schedule we can keep, with a sentence."""


def fields_of(name: str, entry: Mapping[str, Any], *, app: Celery) -> dict[str, object]:
    """Return an entry's values as fields of a schedule; raises UnknownEntry."""
    task = entry.get("task")
    if not task or not isinstance(task, str):
        message = f"entry {name!r} names no task"
        raise UnknownEntry(message)
    options = dict(entry.get("options") or {})
    fields: dict[str, object] = {
        "task": task,
        "args": list(entry.get("args") or ()),
        "kwargs": dict(entry.get("kwargs") or {}),
        **_timing(name, entry.get("schedule"), app=app),
    }
    expires = options.pop("expires", None)
    if expires is not None:
        fields["expires_after"] = _seconds(expires, name=name)
    for key in SEND_OPTIONS:
        if options.get(key) is not None:
            fields[key] = options.pop(key)
    fields["options"] = options
    return fields


def _timing(name: str, timing: object, *, app: Celery) -> dict[str, object]:
    if isinstance(timing, crontab):
        return {"kind": "crontab", "expression": expression_of(timing), "tz": _zone(timing, app)}
    if isinstance(timing, solar):
        return {"kind": "solar", "solar_event": timing.event, "latitude": timing.lat, "longitude": timing.lon}
    if isinstance(timing, schedule):
        return _interval(name, timing.run_every)  # type: ignore[attr-defined]  # missing in the stubs
    if isinstance(timing, timedelta):
        return _interval(name, timing)
    if isinstance(timing, int | float) and not isinstance(timing, bool):
        return _interval(name, timedelta(seconds=float(timing)))
    message = (
        f"entry {name!r} has a schedule of the type {type(timing).__name__}, which cannot be kept as a row"
    )
    raise UnknownEntry(message)


def expression_of(timing: crontab) -> str:
    """Return Celery's crontab as five fields in cron's order; sets and lists become comma lists."""
    # Celery keeps what was written in these attributes only; its public ones are the expanded sets.
    given = (getattr(timing, f"_orig_{name}") for name in _CELERY_FIELDS)
    return " ".join(_field(value) for value in given)


def _field(value: object) -> str:
    if isinstance(value, set | frozenset | list | tuple):
        return ",".join(str(item) for item in sorted(value))
    return str(value).replace(" ", "")


def _interval(name: str, every: timedelta) -> dict[str, object]:
    seconds = every.total_seconds()
    if seconds < 1 or seconds != int(seconds):
        message = f"entry {name!r} repeats every {seconds:g} s; whole seconds from 1 on can be kept"
        raise UnknownEntry(message)
    for size, period in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds % size == 0:
            return {"kind": "interval", "every": int(seconds // size), "period": period}
    return {"kind": "interval", "every": int(seconds), "period": "seconds"}


def _zone(timing: crontab, app: Celery) -> str:
    # A plain crontab asks the current app for its zone, which need not be this one; a zone of its own is in the instance.
    zone = vars(timing).get("tz") or app.timezone
    return str(getattr(zone, "key", zone))


def _seconds(expires: object, *, name: str) -> int:
    if isinstance(expires, timedelta):
        return max(int(expires.total_seconds()), 1)
    if isinstance(expires, int | float) and not isinstance(expires, bool):
        return max(int(expires), 1)
    if isinstance(expires, datetime):
        message = f"entry {name!r} expires at the fixed moment {expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC; give seconds"
        raise UnknownEntry(message)
    message = f"entry {name!r} has an expiry of the type {type(expires).__name__}"
    raise UnknownEntry(message)
