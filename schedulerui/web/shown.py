"""The rows that a page which tells of everything may tell somebody of."""

from __future__ import annotations

from schedulerui.access import Visitor, is_limited, visible
from schedulerui.models import Alert, Notification, Run, Schedule, ScheduleState
from schedulerui.presenters.tally import Shown


def shown_to(user: Visitor) -> Shown:
    """Return what ``user`` may know of; all of it where the host hides nothing from anybody."""
    if not is_limited():
        return Shown()
    return Shown(
        schedules=visible(user, Schedule.objects.all()),
        states=visible(user, ScheduleState.objects.all()),
        runs=visible(user, Run.objects.all()),
        alerts=visible(user, Alert.objects.all()),
        messages=visible(user, Notification.objects.all(), through="alert__schedule"),
        scope=str(user.pk),
    )
