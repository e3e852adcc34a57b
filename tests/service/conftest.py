"""Worlds of service tests: each on a database of its own and on a number of its own of the shared Redis."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.service.world import World

_databases = itertools.cycle(range(1, 16))


class Templates:
    """Migrated databases to copy: migrating takes seconds, and a test needs several worlds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, str] = {}

    def sqlite(self, folder: Path) -> str:
        """Copy the migrated file; returns the address of the copy."""
        first = self._folder / "template.sqlite3"
        if "sqlite" not in self._known:
            self._known["sqlite"] = f"sqlite:///{first}"
            World(database_url=self._known["sqlite"], broker_url="memory://", folder=self._folder)
        shutil.copy(first, folder / "world.sqlite3")
        return f"sqlite:///{folder / 'world.sqlite3'}"

    def postgres(self, server: Any) -> str:
        """Copy the migrated database of this server; returns the address of the copy."""
        base = server.url.rsplit("/", 1)[0]
        if server.url not in self._known:
            self._known[server.url] = created(server, f"template_{uuid.uuid4().hex[:8]}")
            World(database_url=self._known[server.url], broker_url="memory://", folder=self._folder)
        template = self._known[server.url].removeprefix(f"{base}/")
        return created(server, f"world_{uuid.uuid4().hex[:8]}", template=template)


def created(server: Any, name: str, *, template: str = "template1") -> str:
    """Make a database on a PostgreSQL server; returns its address."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server.url.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="session")
def templates(tmp_path_factory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def make_world(request, tmp_path, templates) -> Iterator[Callable[..., World]]:
    """Make a world on ``sqlite`` or ``postgres``; everything it started ends with the test."""
    made: list[World] = []

    def make(database: str, *, broker_url: str = "", postgres: Any = None, **options: Any) -> World:
        folder = tmp_path / f"world-{len(made)}"
        folder.mkdir()
        if not broker_url:
            server = request.getfixturevalue("redis_server")
            broker_url = f"redis://127.0.0.1:{server.port}/{next(_databases)}"
        if broker_url.startswith("redis"):
            with redis.Redis.from_url(broker_url) as client:
                client.flushdb()
        if database == "postgres":
            url = templates.postgres(postgres or request.getfixturevalue("postgres"))
        else:
            url = templates.sqlite(folder)
        made.append(
            World(database_url=url, broker_url=broker_url, folder=folder, options=options, is_migrated=True)
        )
        return made[-1]

    yield make
    for world in made:
        world.close()
