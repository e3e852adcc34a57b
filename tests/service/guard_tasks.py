"""Guarded tasks, loaded by a recorder's worker: each body writes a line that names its run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from threading import Event

import schedulerui
from tests.service.recorder_tasks import app


def _began(folder, task):
    told = schedulerui.current_run()
    line = [task.request.id, str(told.run), told.schedule, str(told.nominal_at), told.attempt]
    with Path(folder, f"{os.getpid()}.bodies").open("a") as lines:
        lines.write(json.dumps(line) + "\n")


@app.task(name="guard.note", base=schedulerui.ScheduledTask, bind=True)
def note(self, folder):
    _began(folder, self)


@app.task(name="guard.retry", base=schedulerui.ScheduledTask, bind=True)
def retry(self, folder):
    _began(folder, self)
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@app.task(name="guard.slow", base=schedulerui.ScheduledTask, bind=True)
def slow(self, folder):
    _began(folder, self)
    Event().wait(4)


@app.task(
    name="guard.die", base=schedulerui.ScheduledTask, bind=True, acks_late=True, reject_on_worker_lost=True
)
def die(self, folder):
    """Kill the process at the first delivery."""
    _began(folder, self)
    mark = Path(folder, f"{self.request.id}.died")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
