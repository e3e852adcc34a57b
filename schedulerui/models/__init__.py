"""Tables, constraints, indexes and querysets; no verbs over several rows, no HTTP, no Celery."""

from __future__ import annotations

from schedulerui.models.change import Change
from schedulerui.models.processes import Beat, Queue, Worker
from schedulerui.models.run import Attempt, Run
from schedulerui.models.schedule import Schedule, ScheduleState

__all__ = ["Attempt", "Beat", "Change", "Queue", "Run", "Schedule", "ScheduleState", "Worker"]
