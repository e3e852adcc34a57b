"""A host of real processes on a database of its own: beats, workers, and the messages that reached the broker."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import REPOSITORY, Process
from tests.service.brokers import n_waiting, task_ids

SHORT = {"DISPATCH_LEASE": 3.0, "HEARTBEAT_EVERY": 1.0}
"""Seconds that make an outage short enough for a test."""

_numbers = itertools.count()


class World:
    """One database and one broker, shared by the processes that a test starts."""

    def __init__(
        self,
        *,
        database_url: str,
        broker_url: str,
        folder: Path,
        options: dict[str, Any] | None = None,
        is_migrated: bool = False,
    ) -> None:
        self.database_url, self.folder = database_url, folder
        self.broker_url = broker_url
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.service.settings",
            "TEST_DATABASE_URL": database_url,
            "TEST_BROKER_URL": broker_url,
            "TEST_SCHEDULERUI": json.dumps({**SHORT, **(options or {})}),
        }
        self.processes: list[Process] = []
        if not is_migrated:
            self.manage("migrate", "--verbosity=0")

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed; fails with its errors."""
        return self.run("-m", "django", *arguments)

    def run(self, *arguments: str) -> str:
        """Run Python in this world and return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.env,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=800,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> Process:
        """Start Python with these arguments; ended with everything else by ``close``."""
        log = self.folder / f"{name}-{next(_numbers)}.log"
        process = Process([sys.executable, *arguments], log=log, env={**self.env, **(env or {})}, name=name)
        self.processes.append(process)
        return process

    def populate(self, n: int, **fields: Any) -> None:
        """Make schedules; the fields are those of tests/service/populate.py."""
        self.run("-m", "tests.service.populate", str(n), json.dumps(fields))

    def beat(self, **env: str) -> Process:
        return self.start(
            "beat",
            "-m",
            "celery",
            "-A",
            "tests.celery_app",
            "beat",
            "-S",
            "schedulerui",
            "--pidfile=",
            "-l",
            "INFO",
            env=env,
        )

    def worker(self, *arguments: str) -> Process:
        return self.start(
            "worker", "-m", "celery", "-A", "tests.celery_app", "worker", "-l", "INFO", *arguments
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, asked on a connection of its own."""
        if self.database_url.startswith("postgres"):
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(statement).fetchall()
        with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as sqlite:
            return sqlite.execute(statement).fetchall()

    @property
    def _file(self) -> str:
        return self.database_url.removeprefix("sqlite:///")

    def execute(self, statement: str, *values: Any) -> None:
        """Change rows behind the product's back; ``%s`` stands for a value. SQLite's check constraints do not hold here."""
        if self.database_url.startswith("postgres"):
            with psycopg.connect(self.database_url) as connection:
                connection.execute(statement, values or None)
            return
        with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as sqlite, sqlite:
            sqlite.execute("PRAGMA ignore_check_constraints = ON")
            sqlite.execute(statement.replace("%s", "?"), values)

    def n_messages(self, queue: str = "celery") -> int:
        """Return how many messages wait in a queue that nobody reads."""
        return n_waiting(self.broker_url, queue)

    def messages(self, queue: str = "celery") -> Counter[str]:
        """Return how often each task id was put into a queue that nobody reads."""
        return task_ids(self.broker_url, queue)

    def close(self) -> None:
        for process in self.processes:
            process.close()
