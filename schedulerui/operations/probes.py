"""What a beat asks each second, the time and when there is something to do, and what it takes then: a statement each, written out."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import DataError, connection
from django.db.models import Min

from schedulerui.clock import Clock, DatabaseClock
from schedulerui.facts import Kind, RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import instances
from schedulerui.operations.store_port import Wake

# Each is one probe of an index. The states are literals: they are known here, and the plan may count on them.
LOOK = (
    "SELECT {clock}, (SELECT {due} FROM {schedules} WHERE next_run_at IS NOT NULL ORDER BY next_run_at, id LIMIT 1), "
    "(SELECT MIN(lease_until) FROM {runs} WHERE state = '{pending}'), "
    "(SELECT MIN(due_at) FROM {runs} WHERE state = '{waiting}')"
)


def look(clock: Clock) -> Wake:
    """Read the clock, in the same statement where the database is that clock, and the three earliest moments.

    What is in one of them and cannot be read makes it ask for each by itself. Raises django.db.Error.
    """
    expression = clock.expression() if isinstance(clock, DatabaseClock) else ""
    now = None if expression else clock.now()
    try:
        with connection.cursor() as cursor:
            cursor.execute(_statement(connection.vendor, expression))
            told, *moments = (_moment(value) for value in cursor.fetchone())
    except (ValueError, OverflowError, DataError):
        now = now or clock.now()
        lease_until, waiting_at = first_in_outbox()
        return Wake(now=now, due_at=first_due(now), lease_until=lease_until, waiting_at=waiting_at)
    due_at, lease_until, waiting_at = moments
    return Wake(now=now or told or clock.now(), due_at=due_at, lease_until=lease_until, waiting_at=waiting_at)


def take_due(now: datetime, *, limit: int, of_intervals: bool, left_out: Collection[str]) -> list[Schedule]:
    """Lock and read up to ``limit`` schedules that are due, without the columns of ``left_out``.

    Raises what ``instances.select`` raises; the rows are then locked all the same.
    """
    features = connection.features
    kind = f" AND kind = '{Kind.INTERVAL.value}'" if of_intervals else ""
    lock = " FOR UPDATE" if features.has_select_for_update else ""
    lock += " SKIP LOCKED" if features.has_select_for_update_skip_locked else ""
    rest = f"WHERE next_run_at <= %s{kind} ORDER BY next_run_at, id LIMIT {int(limit)}{lock}"
    given = [connection.ops.adapt_datetimefield_value(now)]
    return instances.select(Schedule, rest, given, left_out=left_out)


def first_due(now: datetime) -> datetime | None:
    """Return the earliest due time; ``now`` when the row that holds it cannot be read."""
    try:
        due = Schedule.objects.filter(next_run_at__isnull=False).order_by("next_run_at", "id")
        first = due.values_list("id", "next_run_at").first()
    except (ValueError, OverflowError, DataError):
        return now
    # SQLite keeps any text in a column of times; Django reads None from what is none.
    return None if first is None else first[1] or now


def first_in_outbox() -> tuple[datetime | None, datetime | None]:
    """Return the earliest end of a lease of a run that is not sent, and the earliest due time of one that waits."""
    held = Run.objects.filter(state__in=[RunState.PENDING, RunState.WAITING]).order_by()
    rows = held.values_list("state").annotate(lease=Min("lease_until"), due=Min("due_at"))
    found = {state: (lease, due) for state, lease, due in rows}
    nothing = (None, None)
    return found.get(RunState.PENDING, nothing)[0], found.get(RunState.WAITING, nothing)[1]


def _moment(value: Any) -> datetime | None:
    """Return a driver's moment in UTC; raises ValueError for what is not in the form that Django writes."""
    if value is None:
        return None
    if isinstance(value, str):
        value = instances.moment(value)
    if not isinstance(value, datetime):
        message = "a time of another form"
        raise ValueError(message)  # noqa: TRY004 - what a reading of such a value raises elsewhere
    return value if value.tzinfo is not None else value.replace(tzinfo=connection.timezone)


@lru_cache(maxsize=8)
def _statement(vendor: str, expression: str) -> str:
    quote = connection.ops.quote_name
    return LOOK.format(
        clock=expression or "NULL",
        # As it is kept there: the driver would read a text that is no time as nothing at all.
        due="CAST(next_run_at AS TEXT)" if vendor == "sqlite" else "next_run_at",
        schedules=quote(Schedule._meta.db_table),  # noqa: SLF001 - Django's documented introspection
        runs=quote(Run._meta.db_table),  # noqa: SLF001 - as above
        pending=RunState.PENDING.value,
        waiting=RunState.WAITING.value,
    )
