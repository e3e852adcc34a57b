"""A schedule with a long history: a claim looks only at what of it is alive."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection

from schedulerui.models import Run
from schedulerui.operations.cancellations import supersede
from schedulerui.operations.store import DJANGO
from schedulerui.testing import DULL_WEDNESDAY as NOW
from tests.web.people import a_run

pytestmark = pytest.mark.django_db(transaction=True)
N = 100_000
STEPS_EACH = 1_000
YESTERDAY = NOW - timedelta(days=1)


def with_history(schedule):
    """Give the schedule as many runs as a day and more of seconds makes, in the database itself."""
    a_run(schedule, state="succeeded", task_id="first", due_at=NOW - timedelta(days=2))
    table = Run._meta.db_table
    own = {"uuid": "lower(hex(randomblob(16)))", "key": "'s:' || n", "task_id": "'t' || n"}
    columns = [str(field.column) for field in Run._meta.concrete_fields if field.column != "id"]
    values = ", ".join(own.get(column) or f'"{column}"' for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {N}) "
            f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, numbers WHERE task_id = 'first'"
        )


class Steps:
    """How many thousands of its steps SQLite's machine takes meanwhile: reading a row is a few of them."""

    def __enter__(self):
        counted = itertools.count()
        self.taken = 0
        connection.connection.set_progress_handler(lambda: self._count(next(counted)), STEPS_EACH)
        return self

    def _count(self, n):
        self.taken = n + 1
        return 0

    def __exit__(self, *_error):
        connection.connection.set_progress_handler(None, 0)


class Plans(list[str]):
    """The plans of the statements that ask for runs, as they are executed: with parameters in place of values."""

    def __call__(self, execute, sql, params, many, context):
        if "schedulerui_run" in sql and "EXPLAIN" not in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                self.append(" ".join(str(row[-1]) for row in cursor.fetchall()))
        return execute(sql, params, many, context)


def test_what_holds_a_run_back_is_found_without_reading_the_history(make_schedule):
    if connection.vendor != "sqlite":
        return  # the others have statistics, and their own ways
    schedule, other = make_schedule(overlap="cancel_previous"), make_schedule(overlap="skip")
    with_history(schedule)
    waiting = [a_run(schedule, state="waiting", trigger="schedule", task_id=f"w{n}") for n in (1, 2)]
    running = a_run(schedule, state="started", task_id="alive")
    plans = Plans()
    with connection.execute_wrapper(plans), Steps() as steps:
        found = DJANGO.active([schedule.pk, other.pk], queued_since=YESTERDAY)
        supersede({schedule.pk: waiting[1].key}, now=NOW)
    assert {blocker.run_id for blocker in found[schedule.pk]} == {each.pk for each in (*waiting, running)}
    assert Run.objects.filter(state="cancelled").count() == 1
    assert len(plans) == 3
    for plan in plans:
        assert "su_run_outbox (state=? AND schedule_id=?)" in plan
    assert steps.taken < 20
