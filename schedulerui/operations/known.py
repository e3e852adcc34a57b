"""Occurrences that have a row although a schedule's own row leads to them: passed over, and nothing behind them is lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice

from schedulerui.facts import PlannedRun
from schedulerui.models import Schedule
from schedulerui.operations.store_port import Planned, Store
from schedulerui.planned import occurrence_key

logger = logging.getLogger(__name__)

LOOKED_AT = 1_000
"""Most times of one row with a count that are looked up to find the first that has no row of its own."""


def pass_over(each: Planned, *, store: Store) -> Planned:
    """Return the plan without rows for occurrences that have one: a clock that differs, or a restored backup, led back to them.

    A row that stands for many times begins at its first time that has no row. Raises django.db.Error.
    """
    known = store.known_keys([run.key for run in each.plan.runs])
    if not known:
        return each
    logger.warning(
        "%d occurrences of schedule %s had a row",
        len(known),
        each.schedule.pk,
        extra={"action": "known_again"},
    )
    kept = [run if run.key not in known else _rest_of(run, each.schedule, store) for run in each.plan.runs]
    runs = tuple(run for run in kept if run is not None)
    return replace(each, plan=replace(each.plan, runs=runs))


def _rest_of(run: PlannedRun, schedule: Schedule, store: Store) -> PlannedRun | None:
    if run.covers_until is None:
        return None
    times = list(islice(schedule.timetable().after(run.nominal_at), LOOKED_AT))
    inside = [time for time in times if time.nominal_at <= run.covers_until]
    keys = [occurrence_key(schedule.uuid, nominal_at=time.nominal_at) for time in inside]
    known = store.known_keys(keys)
    for place, (time, key) in enumerate(zip(inside, keys, strict=True)):
        if key not in known:
            count = max(run.count - place - 1, 1)
            until = run.covers_until if count > 1 else None
            times_left = f"{count} times" if count > 1 else "this time"
            return replace(
                run,
                key=key,
                nominal_at=time.nominal_at,
                due_at=time.due_at,
                count=count,
                covers_until=until,
                reason=run.reason.replace(f"{run.count} times", times_left),
            )
    return None
