"""Fixtures for tests of the recorder with real workers: a database of its own, a queue of its own, workers, monitors, runs."""

from __future__ import annotations

import gc
import itertools
import json
import shutil
import sqlite3
import sys
import uuid
import warnings
from contextlib import contextmanager

import dj_database_url
import psycopg
import pytest
from celery import Celery
from django.core.management import call_command
from django.db import connections

from schedulerui import clock
from schedulerui.facts import RunState, progress
from schedulerui.models import Run
from schedulerui.recorder.receivers import HEADER
from tests.processes import Process
from tests.waiting import eventually

__all__ = ["app", "broker_url", "database_url", "environment", "send", "start_monitor", "start_worker"]

_numbers = itertools.count()


_migrated: dict[str, str] = {}
"""PostgreSQL servers by their address, each with the name of a migrated database to copy: migrating takes seconds."""


@contextmanager
def connected(url):
    """Let Django's default connection in this process be the database at ``url``."""
    usual = connections["default"]
    wanted = {**usual.settings_dict, **dj_database_url.parse(url)}
    is_sqlite = url.startswith("sqlite")
    wanted["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"} if is_sqlite else {}
    connections["default"] = type(connections)({"default": wanted}).create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = usual


@pytest.fixture
def database_url(tmp_path):
    """A SQLite file; a test for another database has a fixture of this name of its own."""
    return f"sqlite:///{tmp_path}/db.sqlite3"


def new_sqlite(path, *, template):
    """Make a migrated file at ``path``: a copy of the one at ``template``, which is made when it is not there."""
    if not template.exists():
        draft = template.with_suffix(".draft")
        with connected(f"sqlite:///{draft}"):
            call_command("migrate", verbosity=0)
        draft.rename(template)
    shutil.copy(template, path)
    sqlite3.connect(path).execute("PRAGMA journal_mode=WAL").close()


def new_postgres(server):
    """Return the address of a new migrated database on a PostgreSQL server."""
    if server.url not in _migrated:
        template = f"rec_template_{uuid.uuid4().hex[:8]}"
        with connected(_create(server, template, template="template1")):
            call_command("migrate", verbosity=0)
        _migrated[server.url] = template
    return _create(server, f"rec_{uuid.uuid4().hex[:8]}", template=_migrated[server.url])


def _create(server, name, *, template):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return f"{server.url.rpartition('/')[0]}/{name}"


@pytest.fixture
def broker_url(valkey):
    return valkey.url


@pytest.fixture
def environment(database_url, broker_url, tmp_path, tmp_path_factory):
    """What workers and monitors are started with."""
    if database_url.startswith("sqlite"):
        template = tmp_path_factory.getbasetemp() / "template.sqlite3"
        new_sqlite(database_url.removeprefix("sqlite:///"), template=template)
    with connected(database_url):
        yield {
            "TEST_DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "tests.service.recorder_settings",
            "RECORDER_SPOOL": str(tmp_path / "spool"),
            "TEST_BROKER_URL": broker_url,
            "TEST_QUEUE": f"q-{uuid.uuid4().hex[:8]}",
        }


@pytest.fixture
def app(environment):
    app = Celery("client", broker=environment["TEST_BROKER_URL"], set_as_current=False)
    app.conf.task_default_queue = environment["TEST_QUEUE"]
    yield app
    app.close()
    with warnings.catch_warnings():
        # Celery and redis-py leave a connection in a cycle with its socket, and Python may let go of the socket first.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # results of canvases let go of their channels while their server still answers


@pytest.fixture
def start_worker(environment, tmp_path):
    """Start a worker on the test's queue; keyword ``env`` adds to its environment, ``options`` to its settings."""
    started: list[Process] = []

    def start(*arguments, name="one", env=None, **options):
        command = [sys.executable, "-m", "celery", "-A", "tests.service.recorder_tasks", "worker"]
        command += [
            "-Q",
            environment["TEST_QUEUE"],
            "-n",
            f"{name}@here",
            "-l",
            "INFO",
            "-c",
            "2",
            *arguments,
        ]
        process = Process(
            command,
            log=tmp_path / f"worker-{next(_numbers)}.log",
            env={**environment, "TEST_SCHEDULERUI": json.dumps(options), **(env or {})},
            name="worker",
        )
        started.append(process)
        process.wait_for("ready.", within=120)
        return process

    yield start
    for process in started:
        process.kill9()  # an end in order takes seconds, and a test of its own


@pytest.fixture
def start_monitor(environment, tmp_path):
    started: list[Process] = []

    def start(**options):
        command = [sys.executable, "-m", "tests.service.monitor_process"]
        env = {**environment, "TEST_SCHEDULERUI": json.dumps(options)}
        log = tmp_path / f"monitor-{next(_numbers)}.log"
        started.append(Process(command, log=log, env=env, name="monitor"))
        return started[-1]

    yield start
    for process in started:
        process.kill9()  # an end in order takes seconds, and a test of its own


def make_sent(name, **fields):
    """A run as beat leaves it when the broker has its message."""
    now = clock.now()
    return Run.objects.create(
        key=f"m:{uuid.uuid4()}",
        due_at=now,
        created_at=now,
        task_id=str(uuid.uuid4()),
        task=name,
        state=RunState.SENT,
        progress=progress(RunState.SENT),
        publishes=1,
        **fields,
    )


@pytest.fixture
def send(app, environment):
    """Make a run and publish its message; ``n_messages`` of them for a duplicate."""

    def send_(name, *args, n_messages=1, **options):
        run = make_sent(name, sent_at=clock.now(), queue=environment["TEST_QUEUE"], args=list(args))
        for _ in range(n_messages):
            headers = {HEADER: {"run": str(run.uuid)}}
            app.send_task(name, args, task_id=run.task_id, headers=headers, **options)
        return run

    return send_


def reached(run, state, *, within=90):
    """Wait until the run is in the state and return it."""

    def look():
        run.refresh_from_db()
        return run.state == state

    eventually(look, within=within, describe=lambda: f"{run.task} {state}, it is {run.state} ({run.reason})")
    return run


def held_in(folder):
    """Task id to the seconds for which recording held the task up in all, of all tasks that have succeeded."""
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return {task_id: sum(seconds) for task_id, *seconds in map(json.loads, lines)}


def attempts_of(run):
    return [(row.attempt, row.delivery, row.state) for row in run.attempts.all()]
