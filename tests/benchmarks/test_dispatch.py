"""What a dispatched run costs, history row included, beside a bare ``apply_async`` loop on the same Redis."""

from __future__ import annotations

import statistics
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.beat.loop import Loop
from schedulerui.clock import DatabaseClock
from schedulerui.conf import Settings
from schedulerui.models import Run, Schedule, ScheduleState
from tests.celery_app import app
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
SIZES = (1_000, 10_000)
N_ROUNDS = 3
"""Alternating rounds of bare loop and beat; the medians are told."""


class InMemoryRedis(RedisServer):
    """Keeps nothing on disk, for the bare loop and for beat alike: a disk is not what is measured."""

    def command(self):
        return [*super().command(), "--appendonly", "no"]


@pytest.fixture(scope="module")
def broker():
    with InMemoryRedis() as server:
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
    """Seconds of wall and of processor time for ``n`` bare messages through one reused producer, as Celery makes it."""
    task = app.tasks["tests.add"]
    with app.connection_for_write() as opened:
        producer = app.amqp.Producer(opened, auto_declare=False)
        task.apply_async((1, 2), producer=producer)
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(n):
            task.apply_async((1, 2), producer=producer)
        return time.perf_counter() - began, time.process_time() - cpu


def dispatch_all(n):
    """Seconds of wall and of processor time in which a beat dispatches ``n`` due schedules, and its statements."""
    loop = Loop(app=app, clock=DatabaseClock(), options=Settings(), max_sleep=1.0)
    began, cpu = time.perf_counter(), time.process_time()
    with CaptureQueriesContext(connection) as queries:
        while Run.objects.filter(state="sent").count() < n:
            loop.tick()
    took = time.perf_counter() - began, time.process_time() - cpu
    loop.close()
    return *took, len(queries)


@pytest.mark.parametrize("n", SIZES)
def test_many_due_at_one_moment(broker, n):
    rounds = []
    for _ in range(N_ROUNDS):
        for model in (ScheduleState, Run, Schedule):
            model.objects.all()._raw_delete("default")
        fill(n, due=clock.now().replace(microsecond=0))
        bare, bare_cpu = bare_loop(n)
        took, cpu, statements = dispatch_all(n)
        assert Run.objects.count() == n
        rounds.append((n / took, n / bare, bare / took, bare_cpu / cpu, cpu / n * 1e3, statements / n))
    rate, bare_rate, ratio, cpu_ratio, cpu_ms, per_run = map(statistics.median, zip(*rounds, strict=True))
    print(
        f"\n| {connection.vendor} | {n} | {rate:.0f}/s | {bare_rate:.0f}/s | {ratio:.2f} | {cpu_ratio:.2f} "
        f"| {cpu_ms:.2f} ms | {per_run:.3f} |"
    )
