"""Worlds of service tests: each on a database of its own and on a number of its own of the shared Redis."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis

from tests.service.world import World

_databases = itertools.cycle(range(1, 16))


@pytest.fixture
def make_world(request, tmp_path) -> Iterator[Callable[..., World]]:
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
            url = new_database(postgres or request.getfixturevalue("postgres"))
        else:
            url = f"sqlite:///{folder / 'world.sqlite3'}"
        made.append(World(database_url=url, broker_url=broker_url, folder=folder, options=options))
        return made[-1]

    yield make
    for world in made:
        world.close()


def new_database(server: Any) -> str:
    """An empty database on a PostgreSQL server; its address."""
    name = f"world_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.url.rsplit('/', 1)[0]}/{name}"
