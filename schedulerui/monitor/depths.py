"""How many messages wait in each queue, asked by a passive declaration: the same call for Redis and RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Connection

from schedulerui import redis_client
from schedulerui.error_text import error_text

TIMEOUT = 2
"""Seconds to wait for a broker that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """One measurement; ``depth`` is None when it failed, ``error`` then says why in a sentence."""

    name: str
    depth: int | None = None
    consumers: int | None = None
    error: str = ""


def measure(app: Celery, names: Iterable[str]) -> list[Depth]:
    """Ask the broker about each queue over a fresh connection; a broker that is away is the error of every queue."""
    wanted = list(names)
    options = redis_client.reading(app, within=TIMEOUT)
    try:
        with app.connection_for_read(connect_timeout=TIMEOUT, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=TIMEOUT)
            return list(_ask(connection, wanted))
    except Exception as error:  # noqa: BLE001 - each transport raises errors of its own; the page shows them
        return [Depth(name=name, error=f"The broker does not answer: {error_text(error)}") for name in wanted]


def _ask(connection: Connection, names: list[str]) -> Iterator[Depth]:
    # Celery's Redis keeps one list per priority; the passive declaration adds them up, and tells no consumers.
    tells_consumers = connection.transport.driver_type == "amqp"
    for name in names:
        # A channel of its own for each: RabbitMQ closes the channel on which it refuses a declaration.
        channel: Any = connection.channel()  # kombu declares nothing of what its channels can do
        try:
            answer = channel.queue_declare(name, passive=True)
            consumers = int(answer.consumer_count) if tells_consumers else None
            yield Depth(name=name, depth=int(answer.message_count), consumers=consumers)
        except connection.channel_errors as error:
            # Redis keeps a queue only while something waits in it: there, empty and absent are the same.
            if connection.transport.driver_type == "redis":
                yield Depth(name=name, depth=0)
            else:
                yield Depth(name=name, error=f"The broker has no such queue: {error_text(error)}")
        finally:
            if getattr(channel, "is_open", True):
                channel.close()
