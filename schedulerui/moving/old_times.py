"""What Celery makes of a row of django-celery-beat: whether it takes the crontab, and when it would have run next."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab, crontab_parser, solar
from django.core.exceptions import ImproperlyConfigured

from schedulerui.moving.rows import OldTask
from schedulerui.recurrence.fields import CELERY_NAMES

MICROSECONDS = {
    "microseconds": 1,
    "seconds": 1_000_000,
    "minutes": 60_000_000,
    "hours": 3_600_000_000,
    "days": 86_400_000_000,
}
_SIZES = ((60, 0), (24, 0), (31, 1), (12, 1), (7, 0))
_REFUSALS = (ValueError, TypeError, ParseException, RuntimeError, OverflowError)
"""What Celery raises for a rule that it cannot read; RuntimeError is one that never comes, and JSON nested too deep."""


def refusal(texts: Sequence[str]) -> str:
    """Return why Celery takes no crontab of these five fields, in cron's order; empty when it does."""
    try:
        crontab(**dict(zip(CELERY_NAMES, texts, strict=True)))
    except _REFUSALS as error:
        return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")
    return ""


def numbers(index: int, text: str) -> tuple[int, ...]:
    """Return the numbers that Celery reads from a field, in order; only for one that it takes."""
    size, least = _SIZES[index]
    return tuple(sorted(crontab_parser(size, least).parse(text)))


def coming(old: OldTask, *, now: datetime, zone: str, n: int = 3) -> list[datetime]:
    """Return when Celery would run a row next if its beat started ``now``; ``now`` itself means at once.

    ``zone`` is that of a crontab. Nothing for a row that would not run, or whose rule Celery cannot read.
    """
    is_over = old.one_off and old.total_run_count > 0
    if not old.enabled or is_over or old.timing is None:
        return []
    try:
        for text in (old.args, old.kwargs, old.headers):
            json.loads(text or "null")  # a row that cannot be read is dropped there
        times = itertools.takewhile(lambda at: not old.expires or at < old.expires, _times(old, now, zone))
        return list(itertools.islice(times, 1 if old.one_off else n))
    except (*_REFUSALS, ImproperlyConfigured):
        return []


def overdue_at(old: OldTask, *, now: datetime, zone: str) -> datetime | None:
    """Return the first time since the last run, if it has passed; Celery would make up for it with one run."""
    timing = old.timing
    if (
        not old.enabled
        or timing is None
        or old.last_run_at is None
        or timing.kind not in {"interval", "crontab"}
    ):
        return None
    try:
        if timing.kind == "interval":
            missed = old.last_run_at + every_of(timing.values)
        else:
            missed = next(_by_estimate(_crontab(timing.values, zone), old.last_run_at))
    except (*_REFUSALS, StopIteration):
        return None
    return missed if missed <= now and not (old.start_time and old.start_time > now) else None


def every_of(values: Mapping[str, Any]) -> timedelta:
    """Return an interval's length; raises ValueError when it has none."""
    factor = MICROSECONDS.get(str(values["period"]))
    if factor is None or values["every"] < 1:
        raise ValueError(values["period"])
    return timedelta(microseconds=values["every"] * factor)


def _times(old: OldTask, now: datetime, zone: str) -> Iterator[datetime]:
    timing = old.timing
    assert timing is not None  # noqa: S101 - looked at by the only caller
    start = max(now, old.start_time or now)
    if timing.kind == "interval":
        return _intervals(old, every_of(timing.values), start)
    if timing.kind == "clocked":
        return iter([max(timing.values["clocked_time"].astimezone(UTC), start)])
    if timing.kind == "solar":
        place = float(timing.values["latitude"]), float(timing.values["longitude"])
        return _by_estimate(solar(timing.values["event"], *place), start)
    return _by_estimate(_crontab(timing.values, zone), start)


def _intervals(old: OldTask, every: timedelta, start: datetime) -> Iterator[datetime]:
    is_new = old.last_run_at is None and old.start_time is not None
    last = old.last_run_at or old.date_changed or start
    moment = start if is_new else max(last + every, start)
    while True:
        yield moment
        moment += every


def _crontab(values: Mapping[str, Any], zone: str) -> crontab:
    timing: Any = crontab(**{name: values[name] for name in CELERY_NAMES})
    timing.tz = ZoneInfo(zone)  # the stubs say that nobody may set it
    found: crontab = timing
    return found


def _by_estimate(timing: Any, moment: datetime) -> Iterator[datetime]:
    """Yield one time after the other as Celery estimates them; ends should it stand still."""
    zone: tzinfo = timing.tz if isinstance(timing, crontab) else UTC  # type: ignore[assignment]  # the stubs say str
    timing.tz = zone
    while True:
        local = moment.astimezone(zone)
        timing.nowfun = partial(_same, local)
        found = (local.astimezone(UTC) + timing.remaining_estimate(local)).astimezone(UTC)
        if found <= moment:
            return
        yield found
        moment = found


def _same(moment: datetime) -> datetime:
    return moment
