"""`run NAME`: once, at once, whether the schedule is on or off."""

from __future__ import annotations

import uuid

from django.core.management.base import CommandError

from schedulerui.clock import DatabaseClock
from schedulerui.facts import RunState
from schedulerui.management.verbs import naming
from schedulerui.operations import runs


def run(name: str) -> str:
    """Run a schedule now and return the sentence that says what became of it.

    Raises CommandError for an unknown name, and for a run that can never be sent.
    """
    queued = runs.run_now(
        naming.find(name).pk, token=uuid.uuid4().hex, actor=naming.actor(), now=DatabaseClock().now()
    )
    if queued.sent:
        return f"Run {queued.run.uuid} of {name} was sent as task {queued.run.task_id}."
    if queued.run.state == RunState.UNSENT:
        raise CommandError(f"Run {queued.run.uuid} of {name} cannot be sent. {queued.reason}")
    return f"Run {queued.run.uuid} of {name} is queued for dispatch: beat sends it as soon as it can. {queued.reason}"
