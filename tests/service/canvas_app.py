"""The tests' host with results and guarded tasks; a beat of it kills itself (signal 9) in the middle of sending.

``TEST_KILL_AT=n`` kills before the nth message leaves, ``TEST_NOTES`` is the folder in which each body leaves a line.
"""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

from celery import signals

from schedulerui import redis_client
from schedulerui.recorder.guard import ScheduledTask
from tests.celery_app import BROKER, app

app.conf.update(result_backend=BROKER)


def _no_batches(channel: Any) -> redis_client.Outbox | None:
    return None


KILL_AT = int(os.environ.get("TEST_KILL_AT", "0"))
if KILL_AT:
    # Message by message, as to a broker that takes no batches: a batch of Redis leaves nearly at once.
    redis_client.keep_one = _no_batches
_passed = itertools.count(1)


@signals.before_task_publish.connect(weak=False)
def _kill(**_):
    if next(_passed) == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="canvas.note", base=ScheduledTask, bind=True)
def note(self, value=0, more=0):
    """Leave the task id, and add up what was given; a chord's body gets a list."""
    with Path(os.environ["TEST_NOTES"], f"{os.getpid()}.bodies").open("a") as lines:
        lines.write(f"{self.request.id}\n")
    return (sum(value) if isinstance(value, list) else value) + more
