"""Celery's ``beat_schedule`` entries as fields of our schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule, solar
from kombu import Exchange, Queue

from schedulerui.recurrence.fields import CELERY_NAMES

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


KNOWN_ELSEWHERE = "django_celery_beat."
"""Its crontabs decide by themselves because of a zone of their own, which is kept."""
_DECIDING = ("is_due", "remaining_estimate", "remaining_delta")


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
        **_timing(name, entry.get("schedule"), app=app, is_relative=bool(entry.get("relative"))),
    }
    expires = options.pop("expires", None)
    if expires is not None:
        fields["expires_after"] = _seconds(expires, name=name)
    for key in SEND_OPTIONS:
        if options.get(key) is not None:
            fields[key] = _name_of(options.pop(key))
    fields["options"] = options
    return fields


def _name_of(value: object) -> object:
    """Return the name of a queue or an exchange that is given as kombu's object, anything else as it is."""
    return value.name if isinstance(value, Queue | Exchange) else value


def _timing(name: str, timing: object, *, app: Celery, is_relative: bool = False) -> dict[str, object]:
    _refuse_own_times(name, timing)
    if isinstance(timing, crontab):
        return {"kind": "crontab", "expression": expression_of(timing), "tz": _zone(timing, app)}
    if isinstance(timing, solar):
        return {"kind": "solar", "solar_event": timing.event, "latitude": timing.lat, "longitude": timing.lon}
    if isinstance(timing, schedule):
        is_relative = is_relative or bool(timing.relative)
        every = timing.run_every  # type: ignore[attr-defined]  # missing in the stubs
        return _interval(name, every) | _anchor(app, is_relative=is_relative)
    if isinstance(timing, timedelta):
        return _interval(name, timing) | _anchor(app, is_relative=is_relative)
    if isinstance(timing, int | float) and not isinstance(timing, bool):
        return _interval(name, timedelta(seconds=float(timing))) | _anchor(app, is_relative=is_relative)
    message = (
        f"entry {name!r} has a schedule of the type {type(timing).__name__}, which cannot be kept as a row"
    )
    raise UnknownEntry(message)


def _refuse_own_times(name: str, timing: object) -> None:
    """Raise UnknownEntry for a class of the project's own that says by itself when it is due: its fields are not the whole rule."""
    base = next((known for known in (crontab, solar, schedule) if isinstance(timing, known)), None)
    kind = type(timing)
    if base is None or kind.__module__.startswith(KNOWN_ELSEWHERE):
        return
    own = [method for method in _DECIDING if getattr(kind, method, None) is not getattr(base, method, None)]
    if own:
        message = (
            f"entry {name!r} has a schedule of the class {kind.__name__}, which decides by its own {own[0]} when it is due; "
            "that cannot be kept as a row"
        )
        raise UnknownEntry(message)


def _anchor(app: Celery, *, is_relative: bool) -> dict[str, object]:
    """Return where intervals are counted from that Celery calls relative: full days, hours and minutes of the clock."""
    if not is_relative:
        return {}
    return {"anchor_at": datetime(2000, 1, 1, tzinfo=app.timezone).astimezone(UTC)}


def expression_of(timing: crontab) -> str:
    """Return Celery's crontab as five fields in cron's order; sets and lists become comma lists."""
    # Celery keeps what was written in these attributes only; its public ones are the expanded sets.
    given = (getattr(timing, f"_orig_{name}") for name in CELERY_NAMES)
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
