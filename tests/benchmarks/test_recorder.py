"""What recording costs a worker: 100 tasks a second for a minute on PostgreSQL, each with its row and its attempt."""

from __future__ import annotations

import os
import statistics
import time
from functools import partial
from pathlib import Path

import pytest

from schedulerui import clock
from schedulerui.facts import Actor
from schedulerui.models import Attempt, Run
from schedulerui.operations import schedules
from schedulerui.recorder.receivers import HEADER
from tests.processes import descendants
from tests.service.recording import (
    app,
    environment,
    held_in,
    make_sent,
    new_postgres,
    start_worker,
)
from tests.waiting import eventually

__all__ = ["app", "environment", "start_worker"]

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
RATE = 100
SECONDS = 60
N_TASKS = RATE * SECONDS
HELD_MAX = 3.0
"""Most milliseconds, in the median, for which recording may hold a task up."""
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def broker_url(redis_server):
    return redis_server.url


@pytest.fixture(params=["postgres"])
def database_url(request):
    return new_postgres(request.getfixturevalue(request.param))


def cpu_of(pids):
    """Seconds of processor time that these processes have used."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS


def make_runs():
    """Runs of twenty schedules, whose state rows each end changes too; returns the task ids."""
    now = clock.now()
    made = [
        schedules.create(
            {"name": f"schedule {number}", "task": "rec.add", "kind": "manual"}, actor=Actor.system(), now=now
        )
        for number in range(20)
    ]
    return [
        make_sent(
            "rec.add", sent_at=now, schedule=made[number % 20], schedule_name=made[number % 20].name
        ).task_id
        for number in range(N_TASKS)
    ]


def _is_past(moment):
    return time.monotonic() >= moment


def publish(app, ids, *, are_ours):
    """Publish one message every hundredth of a second; returns the seconds it took."""
    began = time.monotonic()
    with app.producer_or_acquire() as producer:
        for number, task_id in enumerate(ids):
            due = began + number / RATE
            eventually(partial(_is_past, due), within=60, every=0.002)
            headers = {HEADER: {"run": task_id}} if are_ours else {}
            app.send_task("rec.add", (1, 2), task_id=task_id, producer=producer, headers=headers)
    return time.monotonic() - began


def cpu_without(app, pids, folder):
    """Seconds of processor time for one task that nobody records."""
    ids = [f"stranger-{number}" for number in range(10 * RATE)]
    before = cpu_of(pids)
    publish(app, ids, are_ours=False)
    eventually(lambda: len(held_in(folder)) == len(ids), within=60, every=0.2)
    for path in folder.glob("*.jsonl"):
        path.unlink()
    return (cpu_of(pids) - before) / len(ids)


def test_100_tasks_a_second_for_a_minute(start_worker, app, tmp_path):
    folder = tmp_path / "held"
    folder.mkdir()
    worker = start_worker(env={"HELD_FOLDER": str(folder)}, HEARTBEAT_EVERY=5.0, WORKER_OFFLINE_AFTER=20.0)
    ids, pids = make_runs(), [worker.pid, *descendants(worker.pid)]
    bare = cpu_without(app, pids, folder)
    before = cpu_of(pids)
    took = publish(app, ids, are_ours=True)
    ended = time.monotonic()
    eventually(lambda: Run.objects.filter(state="succeeded").count() == N_TASKS, within=120, every=0.1)
    late, cpu = time.monotonic() - ended, (cpu_of(pids) - before) / N_TASKS
    held = sorted(held_in(folder).values())
    median, p95 = statistics.median(held) * 1e3, held[int(len(held) * 0.95)] * 1e3
    print(
        f"\npostgresql, {N_TASKS} tasks at {N_TASKS / took:.0f}/s: recording held a task up for {median:.2f} ms (median), "
        f"{p95:.2f} ms (95 %); processor time of the whole worker {cpu * 1e3:.2f} ms a task, {bare * 1e3:.2f} ms without "
        f"recording; the last row was there {late:.1f} s after the last message ({os.cpu_count()} cores)"
    )
    assert len(held) == N_TASKS
    assert median <= HELD_MAX
    assert Attempt.objects.filter(state="succeeded").count() == N_TASKS
    assert not list((tmp_path / "spool").rglob("*.jsonl"))
