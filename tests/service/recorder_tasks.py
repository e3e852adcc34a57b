"""A host for the recorder's tests: a Celery app whose Django loads schedulerui, and a task for each way to end."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path
from threading import Event

import django
from celery import signals

from tests import pace

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.service.recorder_settings")

_measured: dict[str, float] = {}


def _begins(task_id="", **_):
    _measured[task_id] = pace.seconds()


def _has_begun(task_id="", **_):
    _measured[task_id] = pace.seconds() - _measured.get(task_id, 0.0)


def _ends(**_):
    _measured["end"] = pace.seconds()


def _has_ended(sender=None, **_):
    """Write for how many seconds all other receivers held the task up, before its body and after it."""
    task_id = sender.request.id
    held = _measured.pop(task_id, 0.0), pace.seconds() - _measured.pop("end", pace.seconds())
    folder = os.environ.get("HELD_FOLDER")
    if folder:
        with Path(folder, f"{os.getpid()}.jsonl").open("a") as lines:
            lines.write(json.dumps([task_id, *held]) + "\n")


# Connected before and after the recorder's receivers: between the two stands what recording costs the task.
signals.task_prerun.connect(_begins, weak=False)
signals.task_success.connect(_ends, weak=False)
django.setup()
signals.task_prerun.connect(_has_begun, weak=False)
signals.task_success.connect(_has_ended, weak=False)

from celery import Celery  # noqa: E402 - the app's receivers are connected by Django's setup
from celery.exceptions import Ignore, Reject  # noqa: E402

app = Celery("recorder-tests", broker=os.environ["TEST_BROKER_URL"], set_as_current=False)
app.conf.update(
    result_backend=os.environ.get("TEST_RESULTS") or None,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)
if app.conf.broker_url.startswith("redis"):
    app.conf.broker_transport_options = {
        "visibility_timeout": float(os.environ.get("TEST_VISIBILITY", "3600")),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # A worker that is killed while it holds this lock holds it for 5 minutes by default, in which nothing is restored.
        "unacked_mutex_expire": 5,
    }


@app.task(name="rec.add")
def add(x, y):
    return x + y


@app.task(name="rec.keep", ignore_result=False)
def keep(value):
    return value


@app.task(name="rec.fail")
def fail():
    raise ValueError("as asked")


@app.task(name="rec.log")
def log(password):
    logging.getLogger("shop").error("order 7 is late, password=%s", password)
    print("printed by the task")
    return "logged"


@app.task(name="rec.retry", bind=True, max_retries=3)
def retry(self):
    logging.getLogger("shop").error("try %d", self.request.retries)
    if self.request.retries < 2:
        raise self.retry(countdown=0.1, exc=TimeoutError("busy"))
    return self.request.retries


@app.task(name="rec.slow")
def slow(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        Event().wait(0.1)  # in slices, so that a soft time limit can interrupt it


@app.task(name="rec.chatty")
def chatty(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        logging.getLogger("shop").error("%d s to go", deadline - time.monotonic())
        Event().wait(0.2)


@app.task(name="rec.late", bind=True, acks_late=True)
def late(self, seconds):
    """Slow in its first delivery only."""
    if not self.request.delivery_info.get("redelivered"):
        slow(seconds)
    return "late"


@app.task(name="rec.die_once", bind=True, acks_late=True, reject_on_worker_lost=True)
def die_once(self):
    if not self.request.delivery_info.get("redelivered"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(name="rec.ignore")
def ignore():
    raise Ignore("not today")


@app.task(name="rec.reject", acks_late=True)
def reject():
    raise Reject("no good", requeue=False)


@app.task(name="rec.suicide")
def suicide():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="rec.touch")
def touch(path):
    Path(path).touch()
    return path
