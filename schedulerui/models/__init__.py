"""Tables, constraints, indexes and querysets; no verbs over several rows, no HTTP, no Celery."""

from __future__ import annotations

from schedulerui.models.alert import Alert, Notification, Silence
from schedulerui.models.change import Change
from schedulerui.models.finding import Finding
from schedulerui.models.part import Part
from schedulerui.models.processes import Beat, Queue, Worker
from schedulerui.models.run import Attempt, Run
from schedulerui.models.schedule import Schedule
from schedulerui.models.state import ScheduleState
from schedulerui.models.view import SavedView

__all__ = [
    "Alert",
    "Attempt",
    "Beat",
    "Change",
    "Finding",
    "Notification",
    "Part",
    "Queue",
    "Run",
    "SavedView",
    "Schedule",
    "ScheduleState",
    "Silence",
    "Worker",
]
