"""A host for the recorder's tests: a Celery app whose Django loads schedulerui, and a task for each way to end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from threading import Event

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.service.recorder_settings")
django.setup()

from celery import Celery  # noqa: E402 - the app's receivers are connected by Django's setup
from celery.exceptions import Ignore, Reject  # noqa: E402

app = Celery("recorder-tests", broker=os.environ["TEST_BROKER_URL"], set_as_current=False)
app.conf.update(
    result_backend=None,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_transport_options={"visibility_timeout": 3600},
)


@app.task(name="rec.add")
def add(x, y):
    return x + y


@app.task(name="rec.fail")
def fail():
    raise ValueError("as asked")


@app.task(name="rec.retry", bind=True, max_retries=3)
def retry(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1, exc=TimeoutError("busy"))
    return self.request.retries


@app.task(name="rec.slow")
def slow(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        Event().wait(0.1)  # in slices, so that a soft time limit can interrupt it


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
