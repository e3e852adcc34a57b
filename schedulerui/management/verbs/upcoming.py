"""`next NAME`: the next times, exactly as beat will take them."""

from __future__ import annotations

import itertools
from datetime import datetime

from django.core.management.base import CommandError

from schedulerui.clock import DatabaseClock
from schedulerui.facts import Coming
from schedulerui.management.verbs import naming, tables
from schedulerui.models import Schedule
from schedulerui.presenters import moments
from schedulerui.presenters.coming import occurrences_of
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
        times = list(itertools.islice(occurrences_of(schedule, now=now), n))
    except RuleError as error:
        raise CommandError(
            f"The rule of {schedule.name!r} cannot be read: {error.message} ({error.field})"
        ) from error
    lines = [f"{schedule.name}: {words_of(schedule)[0]}"]
    if not schedule.enabled:
        lines.append("It is switched off: these are the times if it were on.")
    lines.append(_table(times, schedule, now=now) if times else "No run is to come.")
    return "\n".join(lines)


def _table(times: list[Coming], schedule: Schedule, *, now: datetime) -> str:
    zone = moments.zone_of(schedule.tz)
    rows = []
    for coming in times:
        local = coming.due_at.astimezone(zone)
        relative = coming.skipped or moments.relative(coming.due_at, now)
        rows.append((f"{local:%Y-%m-%d %H:%M:%S %a}", moments.zone_name(local), f"{coming.due_at:%Y-%m-%d %H:%M:%SZ}", relative))  # fmt: skip
    return tables.table(("local", "zone", "utc", "from now"), rows)
