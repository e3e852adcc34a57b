"""Part: one task of a run that is a canvas."""

from __future__ import annotations

from django.db import models

from schedulerui.models.run import STATES, Run


class Part(models.Model):
    """One task of a chain, group or chord, under its own task id; the run's state follows from its parts."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveSmallIntegerField()
    """Place in the order in which a reader meets the tasks, from 0."""
    path = models.CharField(max_length=100)
    """Where it stands in the signature, for example ``1.0``: the second step's first task."""
    role = models.CharField(max_length=10, default="task")
    """Task, or the body of a chord."""
    task = models.CharField(max_length=200)
    task_id = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=STATES, default="waiting")
    progress = models.BigIntegerField(default=0)
    worker = models.CharField(max_length=255, blank=True, default="")
    worker_instance = models.UUIDField(null=True, blank=True)
    start_token = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - null means: nobody has started it
    received_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    runtime = models.FloatField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    result = models.TextField(blank=True, default="")
    exception = models.TextField(blank=True, default="")
    traceback = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["position"]
        indexes = [models.Index(fields=["worker_instance", "state"], name="su_part_instance")]
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="su_part_once")]

    def __str__(self) -> str:
        return f"part {self.path} of run {self.run_id}"
