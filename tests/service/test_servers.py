"""The private servers themselves: each starts, answers, and comes back at its address after a kill -9."""

from __future__ import annotations

import os

import psycopg
import pymysql
import pytest
import redis
from kombu import Connection

from tests.processes import descendants
from tests.servers.mariadb import MariadbServer
from tests.servers.needs import running
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitmqServer
from tests.servers.redis import RedisServer, ValkeyServer

pytestmark = pytest.mark.service
KINDS = [PostgresServer, MariadbServer, RedisServer, ValkeyServer, RabbitmqServer]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def server(request):
    """A server of its own for one test: the shared ones must not be killed."""
    yield from running(request.param)


def write(server):
    match server:
        case PostgresServer():
            with psycopg.connect(server.url) as connection:
                connection.execute("CREATE TABLE kept (word text)")
                connection.execute("INSERT INTO kept VALUES ('kept')")
        case MariadbServer():
            with pymysql.connect(host="127.0.0.1", port=server.port, user="root") as connection:
                cursor = connection.cursor()
                cursor.execute("CREATE TABLE schedulerui.kept (word varchar(9))")
                cursor.execute("INSERT INTO schedulerui.kept VALUES ('kept')")
                connection.commit()
        case ValkeyServer():
            redis.Redis(unix_socket_path=server.socket).set("word", "kept")
        case RedisServer():
            redis.Redis(port=server.port).set("word", "kept")
        case RabbitmqServer():
            with Connection(server.url, transport_options={"confirm_publish": True}) as connection:
                queue = connection.SimpleQueue("kept")
                queue.put("kept")
                queue.close()


def still_has_it(server) -> bool:
    match server:
        case PostgresServer():
            with psycopg.connect(server.url) as connection:
                return connection.execute("SELECT word FROM kept").fetchone() == ("kept",)
        case MariadbServer():
            with pymysql.connect(host="127.0.0.1", port=server.port, user="root") as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT word FROM schedulerui.kept")
                return bool(cursor.fetchone() == ("kept",))
        case ValkeyServer():
            return redis.Redis(unix_socket_path=server.socket).get("word") == b"kept"
        case RedisServer():
            return redis.Redis(port=server.port).get("word") == b"kept"
        case _:
            with Connection(server.url) as connection:
                queue = connection.SimpleQueue("kept")
                message = queue.get(timeout=10)
                message.ack()
                queue.close()
                return bool(message.payload == "kept")


def test_it_comes_back_with_its_data_and_address_when_it_was_killed_and_leaves_nothing_when_it_is_stopped(
    server,
):
    address, first = server.url, server.process.pid
    write(server)
    server.kill()
    assert not server.process.is_running
    with pytest.raises(Exception, match=r"."):
        server.answers()
    server.restart()
    assert server.url == address
    assert server.process.pid != first
    assert still_has_it(server)

    family = [server.process.pid, *descendants(server.process.pid)]
    home = server.home
    server.stop()
    assert [pid for pid in family if os.path.exists(f"/proc/{pid}/exe")] == []  # noqa: PTH110 -- a link, not a file
    assert list(home.parent.glob(f"{home.name}*")) == []


def test_the_shared_servers_answer_side_by_side(postgres, mariadb, redis_server, valkey, rabbitmq):
    servers = [postgres, mariadb, redis_server, valkey, rabbitmq]
    assert [server.answers() for server in servers] == [True] * len(servers)
    assert len({server.url for server in servers}) == len(servers)
