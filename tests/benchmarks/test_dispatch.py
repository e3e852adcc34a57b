"""What a dispatched run costs, history row included, beside a bare ``apply_async`` loop on the same Redis."""

from __future__ import annotations

import os
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import clock, dispatch
from schedulerui.beat.loop import Loop
from schedulerui.clock import DatabaseClock
from schedulerui.conf import Settings
from schedulerui.models import Run, Schedule, ScheduleState
from tests.celery_app import app
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
SIZES = (1_000, 10_000)


@pytest.fixture(scope="module")
def broker():
    with RedisServer() as server:
        before = app.conf.broker_url
        app.conf.update(broker_url=server.url)
        yield server
        app.conf.update(broker_url=before)


def fill(n, *, due):
    """Insert schedules by thousands: the operation with its audit row is not what is measured."""
    rows = [
        Schedule(
            name=f"schedule {number}",
            task="tests.add",
            kind="interval",
            every=1,
            period="hours",
            anchor_at=due,
            next_nominal_at=due,
            next_run_at=due,
            created_at=due,
            updated_at=due,
        )
        for number in range(n)
    ]
    Schedule.objects.bulk_create(rows, batch_size=1_000)
    ids = Schedule.objects.values_list("pk", flat=True)
    ScheduleState.objects.bulk_create([ScheduleState(schedule_id=pk) for pk in ids], batch_size=1_000)


def bare_loop(n):
    """Seconds for ``n`` bare messages through one reused producer."""
    task = app.tasks["tests.add"]
    with dispatch.producer(app) as producer:
        task.apply_async((1, 2), producer=producer)
        began = time.perf_counter()
        for _ in range(n):
            task.apply_async((1, 2), producer=producer)
        return time.perf_counter() - began


@pytest.mark.parametrize("n", SIZES)
def test_many_due_at_one_moment(broker, n):
    due = clock.now().replace(microsecond=0)
    fill(n, due=due)
    bare = bare_loop(n)
    loop = Loop(app=app, clock=DatabaseClock(), options=Settings(), max_sleep=1.0)
    began, cpu = time.perf_counter(), time.process_time()
    with CaptureQueriesContext(connection) as queries:
        while Run.objects.filter(state="sent").count() < n:
            loop.tick()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    loop.close()
    print(
        f"\n{connection.vendor}, {n} due: {n / took:.0f} runs/s, bare loop {n / bare:.0f}/s, ratio {bare / took:.2f}, "
        f"CPU {cpu / n * 1e3:.2f} ms a run, {len(queries) / n:.3f} statements a run ({os.cpu_count()} cores)"
    )
    assert Run.objects.count() == n
