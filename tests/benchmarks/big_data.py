"""A hundred thousand schedules and a million runs, made by the database itself: ``fill(n_schedules=…, n_runs=…, now=…)``.

Nothing here goes through the verbs: what is measured on this data is reading. SQLite and PostgreSQL.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from schedulerui.facts import RunState, progress
from schedulerui.models import Change, Run, Schedule, ScheduleState

TASKS = 183
QUEUES = ("", "mail", "billing", "reports", "bulk")
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
BATCH = 2_000
RUNS_AT_ONCE = 100_000
STATES = ("succeeded",) * 90 + ("failed",) * 5 + ("skipped",) * 2 + ("missed",) * 2 + ("lost",)
"""States of runs, one for each remainder of a hundred."""

_RANDOM = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
_NUMBERS = {
    "sqlite": "(WITH RECURSIVE t(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM t WHERE n < {last}) SELECT n FROM t)",
    "postgresql": "(SELECT generate_series({first}::bigint, {last}) AS n)",
}
_BEFORE = {
    "sqlite": "datetime('{moment}', '-' || (n * {step}) || ' seconds')",
    "postgresql": "timestamptz '{moment}+00' - n * interval '{step} seconds'",
}


def fill(*, n_schedules: int, n_runs: int, now: datetime) -> None:
    """Insert schedules with their states, then runs of them, one every 30 seconds back from ``now``."""
    for first in range(0, n_schedules, BATCH):
        rows = [_schedule(number, now) for number in range(first, min(first + BATCH, n_schedules))]
        with transaction.atomic():
            Schedule.objects.bulk_create(rows)
            made = (
                Schedule.objects.filter(name__in=[row.name for row in rows])
                .order_by("pk")
                .values_list("pk", "name")
            )
            ScheduleState.objects.bulk_create([_state(pk, int(name.split()[1]), now) for pk, name in made])
    for first in range(0, n_runs, RUNS_AT_ONCE):
        _runs(first, min(first + RUNS_AT_ONCE, n_runs) - 1, n_schedules=n_schedules, now=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def fill_changes(n_changes: int, *, now: datetime) -> None:
    """Insert changes by fifty people, one every 30 seconds back from ``now``, as wide as edits are."""
    vendor = connection.vendor
    moment = now.strftime("%Y-%m-%d %H:%M:%S")
    given = {
        "at": _BEFORE[vendor].format(moment=moment, step=30),
        "action": "'edit'",
        "actor": "'person' || (n % 50)",
        "via": "'browser'",
        "schedule_name": "'schedule ' || (n % 1000)",
    }
    snapshot = {f"field_{number}": "x" * 30 for number in range(25)}
    names, values, params = _columns(Change(at=now, snapshot=snapshot), given)
    numbers = _NUMBERS[vendor].format(first=0, last=n_changes - 1)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO schedulerui_change ({names}) SELECT {values} FROM {numbers} AS numbers", params
        )
        cursor.execute("ANALYZE")


def _schedule(number: int, now: datetime) -> Schedule:
    is_on = number % 20 > 0
    next_at = now + timedelta(seconds=(number * 7919) % 2_592_000) if is_on else None
    return Schedule(
        uuid=uuid.uuid4(), name=f"schedule {number:06d} of team {number % 97}", task=f"project.tasks.job_{number % TASKS}",
        enabled=is_on, kind="crontab", expression=f"{number % 60} {number % 24} * * *", tz=ZONES[number % len(ZONES)],
        queue=QUEUES[number % len(QUEUES)], tags=f" team{number % 97} ", created_at=now, updated_at=now,
        next_nominal_at=next_at, next_run_at=next_at,
    )  # fmt: skip


def _state(pk: int, number: int, now: datetime) -> ScheduleState:
    has_failed = number % 50 == 0
    return ScheduleState(
        schedule_id=pk,
        last_run_at=now - timedelta(seconds=(number * 104_729) % 604_800) if number % 10 else None,
        last_state=("failed" if has_failed else "succeeded") if number % 10 or has_failed else "",
        failure_streak=number % 7 + 1 if has_failed else 0,
        recent="s3s4s3s5s4" * 5 + ("s3s4s3s5f5" if has_failed else "s3s4s3s5s4"),
        failure_rate=33 if has_failed else None,
        usual_runtime=(number * 7919 % 977) / 10 if number % 10 else None,
    )


def _runs(first: int, last: int, *, n_schedules: int, now: datetime) -> None:
    vendor = connection.vendor
    base = Schedule.objects.order_by("pk").values_list("pk", flat=True)[0]
    moment, step = now.strftime("%Y-%m-%d %H:%M:%S"), 30
    before = _BEFORE[vendor].format(moment=moment, step=step)
    shown = " ".join(
        f"WHEN {number} THEN '{state}'" for number, state in enumerate(STATES) if state != "succeeded"
    )
    marks = " ".join(
        f"WHEN {number} THEN {progress(RunState(state))}"
        for number, state in enumerate(STATES)
        if state != "succeeded"
    )
    given = {
        "uuid": _RANDOM[vendor],
        "key": "'s:big:' || n",
        "schedule_id": f"{base} + (n * 7919) % {n_schedules}",
        "schedule_name": "s.name",
        "task": "s.task",
        "queue": "s.queue",
        "due_at": before,
        "nominal_at": before,
        "created_at": before,
        "sent_at": before,
        "started_at": before,
        "finished_at": before,
        "runtime": "(n % 977) / 10.0",
        "worker": "'celery@host' || (n % 40)",
        "trigger": "CASE WHEN n % 1000 = 0 THEN 'manual' ELSE 'schedule' END",
        "state": f"CASE n % 100 {shown} ELSE 'succeeded' END",
        "progress": f"CASE n % 100 {marks} ELSE {progress(RunState.SUCCEEDED)} END",
    }
    names, values, params = _columns(Run(), given)
    numbers = _NUMBERS[vendor].format(first=first, last=last)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO schedulerui_run ({names}) SELECT {values} FROM {numbers} AS numbers "
            f"JOIN schedulerui_schedule s ON s.id = {base} + (n * 7919) %% {n_schedules}",
            params,
        )


def _columns(plain: Model, given: dict[str, str]) -> tuple[str, str, list[Any]]:
    """Return the columns of a row, for each its expression or what ``plain`` has, and the latter."""
    names, values, params = [], [], []
    for field in plain._meta.concrete_fields:
        if field.primary_key:
            continue
        names.append(connection.ops.quote_name(str(field.column)))
        if field.column in given:
            values.append(given[field.column].replace("%", "%%"))
        else:
            values.append("%s")
            params.append(field.get_db_prep_save(getattr(plain, field.attname), connection))
    return ", ".join(names), ", ".join(values), params
