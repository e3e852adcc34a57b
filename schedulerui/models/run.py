"""Run: one occurrence or one click, and one Celery task id; Attempt: one start of one delivery of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import models
from django.db.models import Case, Count, Q, Value, When
from django.utils.translation import gettext_lazy as _

from schedulerui.facts import ACTIVE, FINISHED, WITH_WORKER, RunState, Trigger
from schedulerui.indexes import IndexOfOutbox
from schedulerui.models.schedule import Schedule
from schedulerui.models.stretches import counted

STATES = [(str(state), str(state)) for state in RunState]
TRIGGERS = [(str(trigger), str(trigger)) for trigger in Trigger]


def _holds_back(queued_since: datetime) -> Q:
    queued = [str(RunState.PENDING), str(RunState.SENT)]
    since = Q(due_at__gt=queued_since) | Q(promoted_at__gt=queued_since)
    in_doubt = Q(state__in=[str(RunState.UNSENT), str(RunState.CANCELLED)], publishes__gt=0)
    unheard = Q(cancel_requested_at__gt=queued_since)
    return Q(state__in=WITH_WORKER) | Q(state__in=queued) & since | in_doubt & unheard


class RunQuerySet(models.QuerySet["Run"]):
    """Questions asked of runs."""

    def newest_first(self) -> RunQuerySet:
        """Return them as lists show them."""
        return self.order_by("-due_at", "-id")

    def active(self) -> RunQuerySet:
        """Return those that may be alive somewhere."""
        return self.filter(state__in=[str(state) for state in ACTIVE])

    def holding_back(self, *, queued_since: datetime) -> RunQuerySet:
        """Return those that a schedule which must not overlap waits for.

        With a worker: until its end is told, or it is lost. Still in a queue: only if due, or let go, after ``queued_since``,
        because nobody tells of a message that a broker has dropped. Given up although its message may be out: workers were
        told not to begin it, and hear of that in a while.
        """
        return self.filter(_holds_back(queued_since))

    def in_the_way(self, *, queued_since: datetime) -> RunQuerySet:
        """Return those that hold the next one back, and those that wait in front of it.

        Asked of schedules, it reads none of their runs that have ended as usual, however many these are.
        """
        waiting = Q(state=RunState.WAITING, trigger__in=[Trigger.SCHEDULE, Trigger.MANUAL])
        # Said once more for all: SQLite seeks an index by what every row must be, and not by one of several.
        states = [*ACTIVE, RunState.WAITING, RunState.UNSENT, RunState.CANCELLED]
        return self.filter(_holds_back(queued_since) | waiting, state__in=states)

    def finished(self) -> RunQuerySet:
        """Return those of which nothing more is expected."""
        return self.filter(state__in=[str(state) for state in FINISHED])

    def tally(self, edges: Sequence[datetime], *, groups: Sequence[Sequence[str]] = ((),)) -> list[list[int]]:
        """Count all runs by due time in each stretch between two edges (ascending), for each group of states; one query.

        A group without states counts any. Each stretch is a range of an index: a truncating function would have to read every
        row. Not narrowed by filters before it.
        """
        if not edges[1:]:
            return [[] for _group in groups]
        return counted(self.model._meta.db_table, edges, groups)  # noqa: SLF001 - Django's documented introspection

    def tally_narrowed(
        self, edges: Sequence[datetime], *, groups: Sequence[Sequence[str]]
    ) -> list[list[int]]:
        """Count as ``tally`` does, but only the runs of this query; reads each of them."""
        counts = [[0] * (len(edges) - 1) for _group in groups]
        if not edges[1:]:
            return counts
        whens = [When(due_at__lt=edge, then=Value(place)) for place, edge in enumerate(edges[1:])]
        inside = self.filter(due_at__gte=edges[0], due_at__lt=edges[-1]).order_by()
        placed = inside.annotate(place=Case(*whens, output_field=models.IntegerField()))
        for place, state, n in placed.values_list("place", "state").annotate(n=Count("pk")):
            for group, states in enumerate(groups):
                if not states or state in states:
                    counts[group][place] += n
        return counts

    def abandoned(self, now: datetime) -> RunQuerySet:
        """Return those claimed and not sent within their lease."""
        return self.filter(state=RunState.PENDING, lease_until__lt=now).order_by("lease_until", "id")


class Run(models.Model):
    """History, outbox and dedupe key in one row. ``key`` is unique: ``s:`` schedule, ``m:`` click, ``b:`` backfill, ``r:`` retry."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=120, unique=True)
    schedule = models.ForeignKey(
        Schedule, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs", db_index=False
    )
    """Found by the index su_run_schedule, which begins with it."""
    schedule_name = models.CharField(_("schedule"), max_length=190, blank=True, default="")
    schedule_version = models.PositiveIntegerField(default=0)
    trigger = models.CharField(_("trigger"), max_length=8, choices=TRIGGERS, default="schedule")
    actor = models.CharField(max_length=150, blank=True, default="")

    nominal_at = models.DateTimeField(null=True, blank=True)
    previous_nominal_at = models.DateTimeField(null=True, blank=True)
    """The nominal time before this one: together they are the interval of data that the run is about."""
    due_at = models.DateTimeField(_("due"))
    covers_until = models.DateTimeField(null=True, blank=True)
    count = models.PositiveBigIntegerField(default=1)

    task_id = models.CharField(_("task id"), max_length=64, null=True, blank=True, unique=True)
    state = models.CharField(_("state"), max_length=10, choices=STATES, default="pending")
    progress = models.BigIntegerField(default=0)
    """facts.progress of (attempt, delivery, state): every change is conditional on this growing."""
    attempt = models.PositiveIntegerField(default=0)
    delivery = models.PositiveSmallIntegerField(default=0)
    delivery_mode = models.CharField(max_length=14, default="at_least_once")
    publishes = models.PositiveSmallIntegerField(default=0)
    owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)

    task = models.CharField(_("task"), max_length=200)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    queue = models.CharField(_("queue"), max_length=200, blank=True, default="")
    canvas = models.JSONField(default=dict)
    """The signature that was sent, as its dictionary; empty for a plain task."""
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries"
    )
    """The first run of a row of schedule-level retries, or the run that a person ran again."""
    retry_number = models.PositiveSmallIntegerField(default=0)

    created_at = models.DateTimeField()
    promoted_at = models.DateTimeField(null=True, blank=True)
    """When a run that waited for others was let go; null for one that did not wait."""
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    runtime = models.FloatField(_("run time, seconds"), null=True, blank=True)

    worker = models.CharField(_("worker"), max_length=255, blank=True, default="")
    worker_instance = models.UUIDField(null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    blocked_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True, default="")
    cancel_terminate = models.BooleanField(default=False)
    """Whether the running body is to be stopped too, and not only kept from starting."""
    start_token = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - null means: nobody has started it
    result = models.TextField(blank=True, default="")
    exception = models.TextField(blank=True, default="")
    traceback = models.TextField(blank=True, default="")
    log = models.TextField(blank=True, default="")
    """The last lines that the task logged."""

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        indexes = [
            IndexOfOutbox(fields=["state", "lease_until"], on_sqlite="schedule", name="su_run_outbox"),
            models.Index(fields=["schedule", "-due_at", "-id"], name="su_run_schedule"),
            models.Index(fields=["-due_at", "-id"], name="su_run_newest"),
            models.Index(fields=["state", "-due_at", "-id"], name="su_run_state"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="su_run_key"),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "missed"]) | Q(task_id__isnull=True),
                name="su_run_decision",
            ),
            models.CheckConstraint(
                condition=~Q(state="pending") | Q(lease_until__isnull=False), name="su_run_leased"
            ),
            models.CheckConstraint(condition=Q(count__gte=1), name="su_run_count"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_name or self.task} at {self.due_at:%Y-%m-%d %H:%M:%S}"


class Attempt(models.Model):
    """One delivery of one attempt of a run, as its worker told it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    attempt = models.PositiveIntegerField(default=0)
    """Celery's retry number, 0 for the first."""
    delivery = models.PositiveSmallIntegerField(default=1)
    """How often the broker has handed over this attempt's message, from 1."""
    state = models.CharField(max_length=10, choices=STATES)
    worker = models.CharField(max_length=255, blank=True, default="")
    worker_instance = models.UUIDField(null=True, blank=True)
    pid = models.PositiveIntegerField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    runtime = models.FloatField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    exception = models.TextField(blank=True, default="")
    traceback = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["attempt", "delivery"]
        indexes = [models.Index(fields=["worker_instance", "state"], name="su_attempt_instance")]
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "delivery"], name="su_attempt_once")]

    def __str__(self) -> str:
        return f"attempt {self.attempt}.{self.delivery} of run {self.run_id}"
