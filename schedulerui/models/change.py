"""Change: who did what to which schedule, when, from where; append-only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from schedulerui.models.schedule import Schedule


class Change(models.Model):
    """One line of the audit log, with the field differences and the values after the change."""

    at = models.DateTimeField()
    action = models.CharField(max_length=24)
    """The verb: create, edit, restore, enable, disable, delete, run_now, reset_timer, resend, adopt, skip, unskip, recompute."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor = models.CharField(max_length=150)
    via = models.CharField(max_length=10)
    address = models.CharField(max_length=45, blank=True, default="")
    schedule = models.ForeignKey(
        Schedule, on_delete=models.SET_NULL, null=True, blank=True, related_name="changes"
    )
    schedule_uuid = models.UUIDField(null=True, blank=True)
    schedule_name = models.CharField(max_length=190, blank=True, default="")
    version = models.PositiveIntegerField(default=0)
    diff = models.JSONField(default=dict)
    """Field name to ``[before, after]``."""
    snapshot = models.JSONField(default=dict)
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [
            models.Index(fields=["-at", "-id"], name="su_change_newest"),
            models.Index(fields=["schedule", "-at", "-id"], name="su_change_schedule"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.schedule_name}"
