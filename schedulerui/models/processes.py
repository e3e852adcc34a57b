"""Beat, Worker, Queue: what the running processes last told of themselves; information, never a lock."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Beat(models.Model):
    """One running beat process. A clean end deletes the row; a killed one goes stale."""

    instance = models.UUIDField(default=uuid.uuid4, unique=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    clock_seen_at = models.DateTimeField(null=True, blank=True)
    """The furthest moment this beat has seen: intervals never go back behind it."""
    clock_offset = models.FloatField(default=0.0)
    """Database clock minus the host's clock, seconds."""
    lag = models.FloatField(default=0.0)
    """How late the last claim was behind the due time, seconds."""
    dispatched = models.PositiveBigIntegerField(default=0)
    latency = models.JSONField(default=dict)
    """Sent runs by how late they went: upper bound in seconds (as text) to how many, and ``sum`` to the seconds of all."""
    degraded = models.CharField(max_length=500, blank=True, default="")
    """Why it cannot work as it should, in a sentence; empty when all is well."""
    software = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("beat")
        verbose_name_plural = _("beats")
        indexes = [models.Index(fields=["seen_at"], name="su_beat_seen")]

    def __str__(self) -> str:
        return f"beat {self.host}:{self.pid}"


class Worker(models.Model):
    """One worker process from its start to its end; a successor under the same name is another instance."""

    instance = models.UUIDField(unique=True)
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    died_at = models.DateTimeField(null=True, blank=True)
    """When the monitor, or a successor of the same name, took it for dead; null for one that said goodbye."""
    pool = models.CharField(max_length=100, blank=True, default="")
    pool_size = models.PositiveIntegerField(null=True, blank=True)
    prefetch = models.PositiveIntegerField(null=True, blank=True)
    queues = models.JSONField(default=list)
    active = models.PositiveIntegerField(null=True, blank=True)
    reserved = models.PositiveIntegerField(null=True, blank=True)
    processed = models.PositiveBigIntegerField(null=True, blank=True)
    load = models.FloatField(null=True, blank=True)
    """The host's load average over one minute."""
    clock_offset = models.FloatField(null=True, blank=True)
    """This host's clock minus the database's, seconds."""
    heard_by = models.CharField(max_length=8, default="recorder")
    """Recorder: the worker itself wrote this row. Events: a monitor heard of it on the broker."""
    tasks = models.JSONField(default=list)
    software = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        indexes = [
            models.Index(fields=["seen_at"], name="su_worker_seen"),
            models.Index(fields=["hostname", "-started_at"], name="su_worker_name"),
        ]

    def __str__(self) -> str:
        return f"{self.hostname} ({self.pid})"


class Queue(models.Model):
    """The last measured depth of one queue; a failed measurement keeps its reason, never a zero."""

    name = models.CharField(max_length=200, unique=True)
    depth = models.PositiveBigIntegerField(null=True, blank=True)
    consumers = models.PositiveIntegerField(null=True, blank=True)
    measured_at = models.DateTimeField()
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return self.name
