"""One running server of each kind for the whole session, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.servers.mariadb import MariadbServer
from tests.servers.needs import running
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitmqServer
from tests.servers.redis import RedisServer, ValkeyServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    yield from cast("Iterator[PostgresServer]", running(PostgresServer))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    yield from cast("Iterator[MariadbServer]", running(MariadbServer))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    yield from cast("Iterator[RedisServer]", running(RedisServer))


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    yield from cast("Iterator[ValkeyServer]", running(ValkeyServer))


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitmqServer]:
    yield from cast("Iterator[RabbitmqServer]", running(RabbitmqServer))
