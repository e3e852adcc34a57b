"""kombu makes a new Redis client for every message, a quarter of what a message costs; here one channel keeps one client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def keep_one(channel: Any) -> bool:
    """Let this channel use one client for all that it publishes; returns whether it is a channel of Redis.

    A client takes its connections from the channel's pool, which connects anew by itself. A channel that kombu opens after
    a failure is another one and makes its clients as before, and so does every other transport and an unknown kombu.
    """
    create = getattr(channel, "_create_client", None)
    if create is None or not hasattr(channel, "conn_or_acquire"):
        return False
    kept = create()

    @contextmanager
    def conn_or_acquire(client: Any = None) -> Iterator[Any]:
        yield client or kept

    channel.conn_or_acquire = conn_or_acquire
    return True
