"""The Celery app of the tests' host: no broker but memory, a task that works, one that fails and one that waits."""

from __future__ import annotations

import os
from threading import Event

from celery import Celery

# Service tests point the same app at a real broker; everything else never leaves the process.
BROKER = os.environ.get("TEST_BROKER_URL", "memory://")
app = Celery("tests", broker=BROKER, set_as_current=False)
app.conf.update(
    result_backend=None,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    broker_transport_options={"confirm_publish": True} if BROKER.startswith("amqp") else {},
)


@app.task(name="tests.add")
def add(x: int = 1, y: int = 1) -> int:
    return x + y


@app.task(name="tests.fail")
def fail(message: str = "as asked") -> None:
    raise ValueError(message)


@app.task(name="tests.slow")
def slow(seconds: float = 5.0) -> float:
    """Work for so many seconds."""
    Event().wait(seconds)
    return seconds
