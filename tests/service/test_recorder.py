"""A real worker tells the life of runs: each way a task can end, and the ways a worker can."""

from __future__ import annotations

import sqlite3
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from django.db import connections

from schedulerui import clock
from schedulerui.facts import RunState, progress
from schedulerui.models import Queue, Run, Worker
from schedulerui.operations.workers import state_of
from schedulerui.recorder.receivers import HEADER
from tests.processes import Process
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

S = RunState
ONE_HOUR_AGO = datetime.now(tz=UTC) - timedelta(hours=1)


@pytest.fixture
def database(tmp_path, settings):
    """A SQLite file of its own, for this process and for the worker; the connection of the tests is put back."""
    path = tmp_path / "db.sqlite3"
    usual = connections["default"]
    databases = {
        "default": {**usual.settings_dict, "ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    }
    databases["default"]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
    env = {"TEST_DATABASE_URL": f"sqlite:///{path}"}
    connections["default"] = type(connections)(databases).create_connection("default")
    try:
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        connections["default"].close()
        sqlite3.connect(path).execute("PRAGMA journal_mode=WAL").close()
        yield env
    finally:
        connections["default"].close()
        connections["default"] = usual


@pytest.fixture
def environment(database, valkey, tmp_path):
    return {
        **database,
        "DJANGO_SETTINGS_MODULE": "tests.service.recorder_settings",
        "RECORDER_SPOOL": str(tmp_path / "spool"),
        "TEST_BROKER_URL": valkey.url,
        "TEST_QUEUE": f"q-{uuid.uuid4().hex[:8]}",
    }


@pytest.fixture
def app(environment):
    app = Celery("client", broker=environment["TEST_BROKER_URL"], set_as_current=False)
    app.conf.task_default_queue = environment["TEST_QUEUE"]
    yield app
    app.close()


@pytest.fixture
def start_worker(environment, tmp_path):
    started: list[Process] = []

    def start(*options, name="one"):
        command = [sys.executable, "-m", "celery", "-A", "tests.service.recorder_tasks", "worker"]
        command += ["-Q", environment["TEST_QUEUE"], "-n", f"{name}@here", "-l", "INFO", "-c", "2", *options]
        process = Process(
            command, log=tmp_path / f"worker-{len(started)}.log", env=environment, name="worker"
        )
        started.append(process)
        process.wait_for("ready.", within=30)
        return process

    yield start
    for process in started:
        process.close()


@pytest.fixture
def send(app):
    def send_(name, *args, **options):
        now = clock.now()
        run = Run.objects.create(
            key=f"m:{uuid.uuid4()}",
            due_at=now,
            created_at=now,
            task_id=str(uuid.uuid4()),
            task=name,
            state=S.SENT,
            progress=progress(S.SENT),
        )
        app.send_task(name, args, task_id=run.task_id, headers={HEADER: {"run": str(run.uuid)}}, **options)
        return run

    return send_


def reached(run, state, *, within=20):
    def look():
        run.refresh_from_db()
        return run.state == state

    eventually(look, within=within, describe=lambda: f"{run.task} {state}, it is {run.state} ({run.reason})")
    return run


def test_each_way_a_task_can_end_is_told(start_worker, send, app):
    start_worker()
    added = reached(send("rec.add", 1, 2), S.SUCCEEDED)
    assert (added.result, added.worker, added.attempt) == ("3", "one@here", 0)
    assert added.sent_at is None
    assert added.received_at <= added.started_at <= added.finished_at
    assert added.runtime >= 0

    failed = reached(send("rec.fail"), S.FAILED)
    assert failed.exception == "ValueError: as asked"
    assert "raise ValueError" in failed.traceback

    retried = reached(send("rec.retry"), S.SUCCEEDED)
    assert [(row.attempt, row.delivery, row.state) for row in retried.attempts.all()] == [
        (0, 1, "retrying"),
        (1, 1, "retrying"),
        (2, 1, "succeeded"),
    ]
    soft = send("rec.slow", 30, soft_time_limit=1)
    hard = send("rec.slow", 30, time_limit=1)
    assert reached(soft, S.FAILED).exception.startswith("SoftTimeLimitExceeded")
    assert reached(hard, S.FAILED).exception.startswith("TimeLimitExceeded")
    assert hard.started_at is not None
    assert hard.attempts.count() == 1

    assert "not today" in reached(send("rec.ignore"), S.IGNORED).exception
    assert "no good" in reached(send("rec.reject"), S.REJECTED).exception
    assert "rec.nowhere" in reached(send("rec.nowhere"), S.REJECTED).reason
    assert "expiry" in reached(send("rec.add", 1, 2, expires=ONE_HOUR_AGO), S.EXPIRED).reason
    assert "WorkerLostError" in reached(send("rec.suicide"), S.FAILED).exception

    running = reached(send("rec.slow", 30), S.STARTED)
    app.control.revoke(running.task_id, terminate=True)
    assert "terminated" in reached(running, S.REVOKED).reason
    waiting = send("rec.add", 1, 2, countdown=3)
    reached(waiting, S.RECEIVED)
    app.control.revoke(waiting.task_id)
    assert "revoked" in reached(waiting, S.REVOKED).reason
    assert waiting.started_at is None


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_pools_that_do_not_fork_are_recorded_too(start_worker, send, pool):
    start_worker("-P", pool)
    assert reached(send("rec.add", 1, 2), S.SUCCEEDED).started_at is not None
    assert reached(send("rec.fail"), S.FAILED).attempts.count() == 1
    assert reached(send("rec.ignore"), S.IGNORED)


def test_a_worker_that_stops_says_goodbye(start_worker, environment):
    process = start_worker()
    eventually(Worker.objects.exists, within=10)
    worker = Worker.objects.get()
    assert worker.queues == [environment["TEST_QUEUE"]]
    assert (worker.pool_size, worker.pid, worker.active) == (2, process.pid, 0)
    assert "rec.add" in worker.tasks
    assert set(worker.software) == {"python", "celery", "django", "schedulerui", "tzdata"}
    process.terminate()
    worker.refresh_from_db()
    assert state_of(worker, clock.now()) == "stopped"


def test_what_a_killed_worker_was_running_is_lost_and_its_successor_is_another_instance(
    start_worker, send, start_monitor, environment
):
    process = start_worker()
    run = reached(send("rec.slow", 60), S.STARTED)
    process.kill9()
    successor = start_worker()
    died = Worker.objects.get(pid=process.pid)
    eventually(lambda: Worker.objects.filter(pk=died.pk, died_at__isnull=False).exists(), within=20)
    assert died.instance == run.worker_instance
    monitor = start_monitor()
    assert "gone" in reached(run, S.LOST, within=30).reason
    queues = Queue.objects.filter(name=environment["TEST_QUEUE"])
    eventually(queues.exists, within=10)
    queue = queues.get()
    assert (queue.depth, queue.error) == (0, "")
    assert monitor.terminate() == 0
    alive = Worker.objects.get(pid=successor.pid)
    assert alive.instance != died.instance
    assert state_of(alive, clock.now()) == "online"


@pytest.fixture
def start_monitor(environment, tmp_path):
    started: list[Process] = []

    def start():
        command = [sys.executable, "-m", "tests.service.monitor_process"]
        started.append(Process(command, log=tmp_path / "monitor.log", env=environment, name="monitor"))
        return started[0]

    yield start
    for process in started:
        process.close()


def test_a_locked_database_delays_no_task_and_loses_no_row(start_worker, send, environment, tmp_path):
    start_worker()
    warm = send("rec.add", 1, 1)
    reached(warm, S.SUCCEEDED)
    marks = [tmp_path / f"mark-{n}" for n in range(5)]
    runs = [send("rec.touch", str(mark), countdown=1) for mark in marks]
    other = sqlite3.connect(environment["TEST_DATABASE_URL"].removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked_at = clock.monotonic()
    eventually(lambda: all(mark.exists() for mark in marks), within=6)
    assert clock.monotonic() - locked_at < 5
    eventually(lambda: list((tmp_path / "spool").rglob("*.jsonl")), within=5, describe="reports in the spool")
    other.execute("ROLLBACK")
    other.close()
    for run in runs:
        assert reached(run, S.SUCCEEDED).started_at is not None
    eventually(lambda: not [p for p in (tmp_path / "spool").rglob("*.*") if p.is_file()], within=10)
