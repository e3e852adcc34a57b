"""A Redis whose disk is not what is measured."""

from __future__ import annotations

from tests.servers.redis import RedisServer


class InMemoryRedis(RedisServer):
    """Keeps nothing on disk, for the bare loop and for beat alike."""

    def command(self):
        return [*super().command(), "--appendonly", "no"]
