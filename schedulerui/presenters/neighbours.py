"""How many other schedules fire in the same minute: bounded however many there are, by the index on the next run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from schedulerui.models import Schedule
from schedulerui.models.damaged import UNREADABLE
from schedulerui.recurrence import RuleError, next_fire
from schedulerui.recurrence.window import INSTANT

MOST = 1_000
"""Most schedules looked at, those whose next run is nearest first."""
MOST_RULES = 200
"""Most different rules asked whether they fire once more at that minute; beyond them the number is the least."""
COLUMNS = (
    "uuid", "kind", "expression", "semantics", "tz", "every", "period", "anchor_at", "solar_event", "latitude", "longitude",
    "clocked_at_utc", "clocked_at_local", "next_run_at",
)  # fmt: skip
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How many others fire from ``at`` (UTC, a full minute) on for a minute; ``is_least``: perhaps more."""

    at: datetime
    n: int
    is_least: bool


def neighbours_of(at: datetime, schedules: QuerySet[Schedule], *, but: int | None = None) -> Neighbours:
    """Return how many schedules fire in the minute of ``at`` (UTC) beside the one whose key is ``but``; one query.

    One whose next run is earlier counts too if its rule has a time in that minute; its spread and its end are not looked at.
    """
    start = at.replace(second=0, microsecond=0)
    before = schedules.filter(next_run_at__lt=start + MINUTE).only(*COLUMNS)
    if but is not None:
        before = before.exclude(pk=but)
    try:
        nearest = list(before.order_by("-next_run_at", "-id")[: MOST + 1])
    except UNREADABLE:  # a row that nobody can read must not cost the form its other hints
        return Neighbours(at=start, n=0, is_least=True)
    there = [each for each in nearest[:MOST] if each.next_run_at is not None and each.next_run_at >= start]
    earlier = nearest[len(there) : MOST]
    told: dict[object, bool] = {}
    n = len(there)
    is_least = len(nearest) > MOST
    for each in earlier:
        key = _key(each)
        if key not in told:
            if len(told) >= MOST_RULES:
                is_least = True
                continue
            told[key] = _fires(each, start)
        n += told[key]
    return Neighbours(at=start, n=n, is_least=is_least)


def _key(schedule: Schedule) -> object:
    spec = dict(schedule.spec())
    fields = spec.pop("fields")
    if "H" not in schedule.expression:
        del spec["seed"]  # only H depends on whose rule it is
    return (*spec.values(), *(fields.items() if isinstance(fields, dict) else ()))


def _fires(schedule: Schedule, start: datetime) -> bool:
    try:
        found = next_fire(schedule.rule(), start - INSTANT)
    except (RuleError, OverflowError):
        return False
    return found is not None and found < start + MINUTE
