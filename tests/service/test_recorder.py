"""A real worker tells the life of runs: each way a task can end, and the ways a worker can."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from schedulerui import clock, conf, dispatch, results
from schedulerui.facts import Actor, RunState
from schedulerui.models import Queue, Run, Worker
from schedulerui.operations.resend import resend
from schedulerui.operations.workers import state_of
from tests.servers.needs import running
from tests.servers.rabbitmq import RabbitmqServer
from tests.servers.redis import ValkeyServer
from tests.service.recording import (
    app,
    attempts_of,
    broker_url,
    database_url,
    environment,
    held_in,
    new_postgres,
    reached,
    send,
    start_monitor,
    start_worker,
)
from tests.service.web import web
from tests.waiting import eventually

__all__ = [
    "app",
    "broker_url",
    "database_url",
    "environment",
    "send",
    "start_monitor",
    "start_worker",
    "web",
]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

S = RunState


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_pools_that_do_not_fork_are_recorded_too(start_worker, send, pool):
    start_worker("-P", pool)
    assert reached(send("rec.add", 1, 2), S.SUCCEEDED).started_at is not None
    assert reached(send("rec.fail"), S.FAILED).attempts.count() == 1
    assert reached(send("rec.ignore"), S.IGNORED)


def test_a_process_that_ends_with_its_task_tells_of_it(start_worker, send):
    start_worker("--max-tasks-per-child", "1")
    runs = [send("rec.add", number, 1) for number in range(12)]
    for run in runs:
        assert attempts_of(reached(run, S.SUCCEEDED)) == [(0, 1, "succeeded")]


def test_a_worker_that_stops_says_goodbye(start_worker, environment):
    process = start_worker()
    eventually(Worker.objects.exists, within=90)
    worker = Worker.objects.get()
    assert worker.queues == [environment["TEST_QUEUE"]]
    assert (worker.pool_size, worker.pid, worker.active) == (2, process.pid, 0)
    assert "rec.add" in worker.tasks
    assert set(worker.software) == {"python", "celery", "django", "schedulerui", "tzdata"}
    process.terminate()
    worker.refresh_from_db()
    assert state_of(worker, clock.now()) == "stopped"


AS_SHIPPED = {
    name: getattr(conf.Settings(), name)
    for name in ("HEARTBEAT_EVERY", "MONITOR_EVERY", "WORKER_OFFLINE_AFTER", "LOST_AFTER")
}
LOST_WITHIN = 60.0
"""Seconds from the death of a worker until what it ran is lost, with the times that a host gets without asking."""


def test_what_a_killed_worker_was_running_is_lost_and_its_successor_is_another_instance(
    start_worker, send, start_monitor, environment
):
    process = start_worker(**AS_SHIPPED)
    run = reached(send("rec.chatty", 90), S.STARTED)
    monitor = start_monitor(**AS_SHIPPED)
    told = Run.objects.filter(pk=run.pk, log__contains="s to go")
    eventually(told.exists, within=90, describe="what the body has logged so far")
    process.kill9()
    killed_at = clock.monotonic()
    successor = start_worker(**AS_SHIPPED)
    died = Worker.objects.get(pid=process.pid)
    eventually(lambda: Worker.objects.filter(pk=died.pk, died_at__isnull=False).exists(), within=90)
    assert died.instance == run.worker_instance
    left = LOST_WITHIN - (clock.monotonic() - killed_at)
    lost = reached(run, S.LOST, within=left)
    assert "gone" in lost.reason
    assert lost.log.startswith("=== attempt 1, delivery 1, so far ===\n")
    queues = Queue.objects.filter(name=environment["TEST_QUEUE"])
    eventually(queues.exists, within=90)
    queue = queues.get()
    assert (queue.depth, queue.error) == (0, "")
    assert monitor.terminate() == 0
    alive = Worker.objects.get(pid=successor.pid)
    assert alive.instance != died.instance
    assert state_of(alive, clock.now()) == "online"


def test_a_worker_that_was_only_held_up_corrects_what_was_called_lost(start_worker, start_monitor, send):
    process = start_worker("-P", "solo")
    run = reached(send("rec.slow", 6), S.STARTED)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        start_monitor()
        reached(run, S.LOST, within=90)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert attempts_of(reached(run, S.SUCCEEDED)) == [(0, 1, "succeeded")]


LOCKED_FOR = 6.0


class SqliteLock:
    """Another process's write transaction."""

    def __init__(self, url):
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self):
        self._connection.execute("ROLLBACK")
        self._connection.close()


class PostgresLock:
    """Another session's lock on the table of runs: whoever touches it waits, without any time-out."""

    def __init__(self, url):
        self._connection = psycopg.connect(url)
        self._connection.execute("LOCK TABLE schedulerui_run IN ACCESS EXCLUSIVE MODE")

    def release(self):
        self._connection.rollback()
        self._connection.close()


LOCKS: dict[str, Any] = {"sqlite": SqliteLock, "postgres": PostgresLock}


class TestALockedDatabase:
    @pytest.fixture(params=["sqlite", "postgres"])
    def kind(self, request):
        return request.param

    @pytest.fixture
    def database_url(self, kind, request, tmp_path):
        if kind == "postgres":
            return new_postgres(request.getfixturevalue("postgres"))
        return f"sqlite:///{tmp_path}/db.sqlite3"

    def test_it_delays_no_task_by_more_than_a_second_and_loses_no_row(
        self, kind, start_worker, send, environment, tmp_path
    ):
        held = tmp_path / "held"
        held.mkdir()
        start_worker(env={"HELD_FOLDER": str(held)})
        reached(send("rec.add", 1, 1), S.SUCCEEDED)
        runs = [send("rec.add", number, 1, countdown=0.5 * (number % 8)) for number in range(24)]
        lock = LOCKS[kind](environment["TEST_DATABASE_URL"])
        locked_at = clock.monotonic()
        eventually(lambda: len(held_in(held)) == 1 + len(runs), within=90)
        eventually(lambda: list((tmp_path / "spool").rglob("*.jsonl")), within=90)
        eventually(lambda: clock.monotonic() - locked_at >= LOCKED_FOR, within=LOCKED_FOR + 1)
        lock.release()

        assert max(held_in(held).values()) < 1.0
        for run in runs:
            ended = reached(run, S.SUCCEEDED)
            assert (ended.started_at is not None, attempts_of(ended)) == (True, [(0, 1, "succeeded")])
        spooled = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
        eventually(lambda: not any(path.exists() for path in spooled), within=90)


ANSWERED = '<dl class="facts">'
"""Stands on a page when the worker itself has answered."""


class TestABrokerThatIsKilled:
    @pytest.fixture(params=[ValkeyServer, RabbitmqServer], ids=lambda kind: kind.name)
    def server(self, request):
        yield from running(request.param)

    @pytest.fixture
    def broker_url(self, server):
        return server.url

    def test_everything_recovers_by_itself_when_it_returns(
        self, server, start_worker, start_monitor, send, environment, web
    ):
        worker, monitor = start_worker(), start_monitor()
        meanwhile = reached(send("rec.slow", 6), S.STARTED)
        queues = Queue.objects.filter(name=environment["TEST_QUEUE"])
        eventually(lambda: queues.filter(error="").exists(), within=90)
        asked_of = f"/workers/{Worker.objects.get().instance}/details/"
        eventually(lambda: ANSWERED in web.page(asked_of)[1], within=90)
        server.kill()
        eventually(lambda: queues.exclude(error="").exists(), within=90)
        assert queues.get().depth == 0
        status, text = web.page(asked_of)
        assert (status, "The broker could not be reached" in text) == (200, True)
        server.restart()
        eventually(lambda: queues.filter(error="").exists(), within=90)
        after = send("rec.add", 1, 2)
        assert attempts_of(reached(after, S.SUCCEEDED, within=120)) == [(0, 1, "succeeded")]
        eventually(
            lambda: ANSWERED in web.page(asked_of)[1], within=90, describe=lambda: web.page(asked_of)[1]
        )
        assert reached(meanwhile, S.SUCCEEDED).reason == ""
        running = [process.is_running for process in (worker, monitor, web.process)]
        assert running == [True, True, True]
        assert state_of(Worker.objects.get(), clock.now()) == "online"


def test_a_message_that_the_broker_forgot_is_found_and_sent_again_once(
    start_worker, start_monitor, send, app, valkey
):
    run = send("rec.add", 1, 2)
    with redis.Redis(unix_socket_path=valkey.socket) as client:
        client.flushall()
    start_monitor()
    start_worker()
    eventually(lambda: run.refresh_from_db() or "has lost it" in run.reason, within=90)
    assert run.state == S.SENT

    def publish(found):
        with dispatch.producer(app) as producer:
            dispatch.publish(found, producer=producer, celery_app=app)

    assert resend(run.pk, publishes=1, actor=Actor.system(), now=clock.now(), publish=publish).sent
    again = reached(run, S.SUCCEEDED)
    assert (again.publishes, again.result, attempts_of(again)) == (2, "3", [(0, 1, "succeeded")])


def test_a_result_that_the_task_keeps_is_read_from_redis(start_worker, send, app, redis_server):
    start_worker(env={"TEST_RESULTS": redis_server.url})
    run = reached(send("rec.keep", {"a": [1, 2]}, ignore_result=False), S.SUCCEEDED)
    app.conf.result_backend = redis_server.url
    stored = eventually(
        lambda: results.read(run.task_id, celery_app=app), within=90, ignoring=results.NoResult
    )
    assert (stored.state, stored.value) == ("SUCCESS", {"a": [1, 2]})


def test_two_hosts_share_a_spool_and_whoever_is_alive_writes_what_the_other_left(
    start_worker, send, environment, tmp_path
):
    """A worker that dies while the database is locked leaves its reports; another one's heart brings them in."""
    spool = tmp_path / "spool"
    first = start_worker()
    run = send("rec.add", 1, 2, countdown=5)
    reached(run, S.RECEIVED)
    lock = SqliteLock(environment["TEST_DATABASE_URL"])
    eventually(lambda: "succeeded" in _spooled(spool), within=90)
    first.kill9()
    lock.release()
    start_worker(name="two")
    assert attempts_of(reached(run, S.SUCCEEDED)) == [(0, 1, "succeeded")]


def _spooled(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*.jsonl"))
