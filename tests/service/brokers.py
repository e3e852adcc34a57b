"""What waits in a broker's queue that nobody reads, of Redis and of RabbitMQ."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import redis
from kombu import Connection


def n_waiting(url: str, queue: str) -> int:
    """How many messages wait."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            return int(client.llen(queue))
    with Connection(url, heartbeat=0) as connection:
        channel: Any = connection.default_channel  # kombu declares nothing of what its channels can do
        return int(channel.queue_declare(queue, passive=True).message_count)


def task_ids(url: str, queue: str) -> Counter[str]:
    """How often each task id waits."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            raw: list[bytes] = client.lrange(queue, 0, -1)
        return Counter(json.loads(message)["headers"]["id"] for message in raw)
    found: Counter[str] = Counter()
    with Connection(url, heartbeat=0) as connection:
        channel: Any = connection.default_channel
        # Unacknowledged, so all of them wait again when the connection closes.
        while (message := channel.basic_get(queue, no_ack=False)) is not None:
            found[message.headers["id"]] += 1
    return found
