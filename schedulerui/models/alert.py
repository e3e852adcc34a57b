"""Alert: what is wrong with one subject at present; Notification: one message about it; Silence: when nobody is told."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from schedulerui.models.run import Run
from schedulerui.models.schedule import Schedule

KINDS = [("schedule", _("Schedule")), ("beat", _("Beat")), ("queue", _("Queue"))]
ALERT_STATES = [
    ("ok", _("OK")), ("late", _("Late")), ("failing", _("Failing")), ("down", _("Down")),
]  # fmt: skip
OUTBOX_STATES = [("waiting", _("Waiting")), ("sent", _("Sent")), ("failed", _("Failed"))]


class Alert(models.Model):
    """One subject that was in trouble at least once. Every change of ``state`` is conditional on ``version``."""

    key = models.CharField(max_length=220, unique=True)
    """``schedule:<id>``, ``beat``, or ``queue:<name>``."""
    kind = models.CharField(max_length=10, choices=KINDS)
    schedule = models.ForeignKey(
        Schedule, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts"
    )
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    """The run that showed it, where one did."""
    state = models.CharField(max_length=10, choices=ALERT_STATES, default="ok")
    message = models.CharField(max_length=500, blank=True, default="")
    since = models.DateTimeField()
    """When it came into its present state."""
    version = models.PositiveIntegerField(default=1)
    told_state = models.CharField(max_length=10, choices=ALERT_STATES, default="ok")
    """The state that people were last told of."""
    told_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    """When to say it again; null when there is nothing to say."""

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        indexes = [
            models.Index(fields=["state", "-since"], name="su_alert_state"),
            models.Index(fields=["remind_at"], name="su_alert_remind"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"


class Notification(models.Model):
    """One message on one channel; written with the flip that it tells of, sent by whichever monitor is first."""

    key = models.CharField(max_length=250, unique=True)
    """Alert, its version (or the reminder's moment) and the channel: nobody is told twice."""
    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    channel = models.CharField(max_length=60)
    event = models.CharField(max_length=10)
    """Late, failing, down, recovered, reminder, several or test; start, success or fail for a ping."""
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=OUTBOX_STATES, default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        indexes = [
            models.Index(fields=["state", "next_try_at"], name="su_notification_outbox"),
            models.Index(fields=["-created_at", "-id"], name="su_notification_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.channel}"


class Silence(models.Model):
    """A window in which flips are noted and nobody is told; what is still wrong at its end is told then."""

    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    schedule = models.ForeignKey(
        Schedule, on_delete=models.CASCADE, null=True, blank=True, related_name="silences"
    )
    """Null: everything."""
    reason = models.CharField(max_length=500, blank=True, default="")
    actor = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        indexes = [models.Index(fields=["ends_at"], name="su_silence_end")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="su_silence_order"
            )
        ]

    def __str__(self) -> str:
        return f"silence until {self.ends_at:%Y-%m-%d %H:%M}"
