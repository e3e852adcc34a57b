"""ScheduleState: what runs tell of a schedule, beside the row that a person edits."""

from __future__ import annotations

from django.db import models

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

    class Meta:
        indexes = [
            models.Index(fields=["last_state", "schedule"], name="su_state_last"),
            models.Index(fields=["last_run_at", "schedule"], name="su_state_ran"),
            models.Index(fields=["failure_streak", "schedule"], name="su_state_streak"),
        ]

    def __str__(self) -> str:
        return f"state of schedule {self.schedule_id}"
