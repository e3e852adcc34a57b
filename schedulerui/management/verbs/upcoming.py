"""`next NAME`: the next times, exactly as beat will take them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime

from django.core.management.base import CommandError

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming, tables
from schedulerui.models import Schedule
from schedulerui.planning import first_occurrence
from schedulerui.presenters import moments
from schedulerui.presenters.rules import words_of
from schedulerui.recurrence import RuleError

MOST = 1_000
"""Most times shown at once."""


def show(name: str, *, n: int) -> str:
    """Return the rule in words and the next ``n`` times; raises CommandError for an unknown name or a broken rule."""
    if not 1 <= n <= MOST:
        raise CommandError(f"-n takes a number from 1 to {MOST}.")
    schedule = naming.find(name)
    now = DatabaseClock().now()
    try:
        times = list(itertools.islice(_times(schedule, now=now), n))
    except RuleError as error:
        raise CommandError(
            f"The rule of {schedule.name!r} cannot be read: {error.message} ({error.field})"
        ) from error
    lines = [f"{schedule.name}: {words_of(schedule)[0]}"]
    if not schedule.enabled:
        lines.append("It is switched off: these are the times if it were on.")
    lines.append(_table(times, schedule, now=now) if times else "No run is to come.")
    return "\n".join(lines)


def _times(schedule: Schedule, *, now: datetime) -> Iterator[datetime]:
    """Yield the times to come inside the schedule's window, as many as it may still make."""
    rule, after = schedule.rule(), now
    left = None if schedule.max_runs is None else max(schedule.max_runs - schedule.runs_created, 0)
    for _ in itertools.count() if left is None else range(left):
        moment = first_occurrence(rule, after=after, start_at=schedule.start_at, end_at=schedule.end_at)
        if moment is None:
            return
        yield moment
        after = moment


def _table(times: list[datetime], schedule: Schedule, *, now: datetime) -> str:
    zone = moments.zone_of(schedule.tz)
    locals_ = [moment.astimezone(zone) for moment in times]
    rows = [
        (f"{local:%Y-%m-%d %H:%M:%S %a}", moments.zone_name(local), f"{moment:%Y-%m-%d %H:%M:%SZ}", moments.relative(moment, now))
        for local, moment in zip(locals_, times, strict=True)
    ]  # fmt: skip
    return tables.table(("local", "zone", "utc", "from now"), rows)
