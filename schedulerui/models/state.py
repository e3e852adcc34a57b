"""ScheduleState: what runs tell of a schedule, beside the row that a person edits."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from schedulerui.indexes import IndexOfSome
from schedulerui.models.schedule import Schedule


class ScheduleState(models.Model):
    """One row beside each schedule for what runs tell: so that a finishing run never holds the row that beat claims."""

    schedule = models.OneToOneField(
        Schedule, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    last_run_id = models.BigIntegerField(null=True, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)
    last_state = models.CharField(max_length=10, blank=True, default="")
    last_success_at = models.DateTimeField(null=True, blank=True)
    """The nominal time of the newest run that succeeded, or its due time where it has none."""
    failure_streak = models.PositiveIntegerField(default=0)
    recent = models.CharField(max_length=60, blank=True, default="")
    """The last 30 outcomes, newest last, two characters each: a state's letter and a digit for the duration's logarithm."""
    failure_rate = models.PositiveSmallIntegerField(null=True, blank=True)
    """Failures among those that were to run, in a thousand; null where none of them failed."""
    usual_runtime = models.FloatField(null=True, blank=True)
    """Seconds that a run takes, the newer ones counting more; null until one has told."""

    class Meta:
        indexes = [
            models.Index(fields=["last_state", "schedule"], name="su_state_last"),
            models.Index(fields=["last_run_at", "schedule"], name="su_state_ran"),
            # Beat writes last_run_at with each run, and PostgreSQL then writes the row into each index that it is in.
            IndexOfSome(
                fields=["failure_streak", "schedule"], name="su_state_streak", where=Q(failure_streak__gt=0)
            ),
            IndexOfSome(
                fields=["failure_rate", "schedule"], name="su_state_rate", where=Q(failure_rate__isnull=False)
            ),
            models.Index(fields=["usual_runtime", "schedule"], name="su_state_runtime"),
            # What needs a person, in the order of the overview.
            IndexOfSome(
                fields=["failure_streak", "last_state", "schedule"],
                name="su_state_unhappy",
                where=Q(last_state__in=["failed", "lost", "rejected", "unsent", "expired", "missed"]),
                elsewhere=[],
            ),
        ]

    def __str__(self) -> str:
        return f"state of schedule {self.schedule_id}"
