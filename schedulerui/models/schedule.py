"""Schedule: the row that a person edits."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from schedulerui.facts import Misfire, Overlap, ScheduleFacts
from schedulerui.indexes import IndexOfSome
from schedulerui.models.choices import (
    DELIVERIES,
    KINDS,
    MISFIRES,
    OVERLAPS,
    PERIODS,
    SEMANTICS,
    SOLAR_EVENTS,
    SOURCES,
)
from schedulerui.recurrence import Rule, parse_rule
from schedulerui.recurrence.window import Timetable

JITTER_MAX = 86_400
"""Longest stretch, seconds, over which occurrences may be spread: a day."""


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Questions asked of schedules."""

    def due(self, now: datetime) -> ScheduleQuerySet:
        """Return those to dispatch at ``now``, the longest overdue first; one probe of the due index."""
        return self.filter(next_run_at__lte=now).order_by("next_run_at", "id")

    def enabled(self) -> ScheduleQuerySet:
        """Return those that are switched on."""
        return self.filter(enabled=True)


class Schedule(models.Model):
    """When to send which task. ``next_run_at`` is null exactly when nothing is to come: disabled, finished or in error."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=190, unique=True)
    task = models.CharField(_("task"), max_length=200)
    description = models.TextField(_("description"), blank=True, default="")
    enabled = models.BooleanField(_("enabled"), default=True)
    tags = models.CharField(_("tags"), max_length=200, blank=True, default="")
    """Words between single spaces, with one before the first and after the last, so that a search finds whole ones."""
    owner = models.CharField(_("owner"), max_length=150, blank=True, default="")

    kind = models.CharField(_("kind"), max_length=10, choices=KINDS, default="interval")
    expression = models.CharField(_("crontab expression"), max_length=250, blank=True, default="")
    semantics = models.CharField(_("day fields"), max_length=12, choices=SEMANTICS, default="celery-and")
    tz = models.CharField(_("time zone"), max_length=63, default="UTC")
    every = models.PositiveIntegerField(_("every"), null=True, blank=True, validators=[MinValueValidator(1)])
    period = models.CharField(_("period"), max_length=8, choices=PERIODS, blank=True, default="")
    anchor_at = models.DateTimeField(_("counted from"), null=True, blank=True)
    clocked_at_utc = models.DateTimeField(_("moment"), null=True, blank=True)
    clocked_at_local = models.CharField(_("wall time"), max_length=26, blank=True, default="")
    solar_event = models.CharField(
        _("solar event"), max_length=24, choices=SOLAR_EVENTS, blank=True, default=""
    )
    latitude = models.DecimalField(_("latitude"), max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=9, decimal_places=6, null=True, blank=True)

    args = models.JSONField(_("positional arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("keyword arguments"), default=dict, blank=True)
    headers = models.JSONField(_("headers"), default=dict, blank=True)
    queue = models.CharField(_("queue"), max_length=200, blank=True, default="")
    exchange = models.CharField(_("exchange"), max_length=200, blank=True, default="")
    routing_key = models.CharField(_("routing key"), max_length=200, blank=True, default="")
    priority = models.PositiveSmallIntegerField(
        _("priority"), null=True, blank=True, validators=[MaxValueValidator(255)]
    )
    expires_after = models.PositiveIntegerField(_("message expires after, seconds"), null=True, blank=True)
    soft_time_limit = models.PositiveIntegerField(_("soft time limit, seconds"), null=True, blank=True)
    time_limit = models.PositiveIntegerField(_("time limit, seconds"), null=True, blank=True)
    ignore_result = models.BooleanField(_("ignore the result"), null=True, blank=True)
    options = models.JSONField(_("other send options"), default=dict, blank=True)
    canvas = models.JSONField(_("canvas"), default=dict, blank=True)
    """A Celery signature (chain, group, chord) as its dictionary; empty for a plain task."""

    start_at = models.DateTimeField(_("not before"), null=True, blank=True)
    end_at = models.DateTimeField(_("not after"), null=True, blank=True)
    max_runs = models.PositiveIntegerField(
        _("most runs"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    jitter = models.PositiveIntegerField(
        _("spread over, seconds"), default=0, validators=[MaxValueValidator(JITTER_MAX)]
    )
    misfire = models.CharField(_("after an outage"), max_length=8, choices=MISFIRES, default="latest")
    grace = models.PositiveIntegerField(_("late after, seconds"), default=30)
    catchup_window = models.PositiveIntegerField(_("forget times older than, seconds"), null=True, blank=True)
    catchup_max = models.PositiveSmallIntegerField(
        _("most missed times to run"), default=100, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    overlap = models.CharField(_("while a run is active"), max_length=16, choices=OVERLAPS, default="allow")
    queue_max = models.PositiveSmallIntegerField(
        _("most runs that wait"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    cancel_grace = models.PositiveIntegerField(_("time to end after cancelling, seconds"), default=30)
    retry_max = models.PositiveSmallIntegerField(
        _("tries again after a failure"), default=0, validators=[MaxValueValidator(20)]
    )
    retry_after = models.PositiveIntegerField(_("first wait before trying again, seconds"), default=60)
    auto_pause_after = models.PositiveSmallIntegerField(
        _("pause after failures in a row"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_duration = models.PositiveIntegerField(_("longest normal run, seconds"), null=True, blank=True)
    alert_grace = models.PositiveIntegerField(_("alert when late by, seconds"), null=True, blank=True)
    delivery = models.CharField(
        _("when sending is in doubt"), max_length=14, choices=DELIVERIES, default="at_least_once"
    )

    source = models.CharField(_("defined in"), max_length=8, choices=SOURCES, default="browser")
    source_key = models.CharField(max_length=190, null=True, blank=True)  # noqa: DJ001 - nulls do not collide in the key
    source_app = models.CharField(max_length=190, blank=True, default="", editable=False)
    """The Celery app whose configuration defines it; empty until that app's beat has said so."""
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    next_nominal_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    previous_nominal_at = models.DateTimeField(null=True, blank=True, editable=False)
    """The newest nominal time that a claim has dealt with: where the next run's data interval begins."""
    runs_created = models.PositiveBigIntegerField(default=0, editable=False)
    error = models.TextField(blank=True, default="", editable=False)
    skips = models.JSONField(default=list, blank=True, editable=False)
    """Times that will not run: objects of ``nominal`` (ISO, UTC), ``reason``, ``actor`` and ``at`` (ISO, UTC)."""

    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, default="", editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, default="", editable=False)
    resume_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When beat switches it on again; only of a schedule that is off."""

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        permissions = [
            ("operate_schedule", "May enable, disable and run schedules"),
            ("run_custom", "May run with other arguments"),
            ("view_values", "May see arguments, results and tracebacks"),
            ("control_workers", "May control workers"),
            ("view_metrics", "May see totals over all schedules"),
        ]
        indexes = [
            # Beat's query and the list's default order. Null is not in the way: no range scan reaches it, on any database.
            models.Index(fields=["next_run_at", "id"], name="su_schedule_due"),
            models.Index(fields=["task"], name="su_schedule_task"),
            models.Index(fields=["resume_at"], name="su_schedule_resume"),
            # Those that are off by key, and whether they would have a next run, so that they are counted from the index alone.
            IndexOfSome(
                fields=["id", "next_run_at"],
                name="su_schedule_off",
                where=Q(enabled=False),
                elsewhere=["enabled", "id"],
            ),
            IndexOfSome(fields=["name"], name="su_schedule_broken", where=~Q(error=""), elsewhere=[]),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="su_schedule_named"),
            models.CheckConstraint(condition=~Q(task=""), name="su_schedule_task_given"),
            models.CheckConstraint(
                condition=~Q(kind="crontab") | ~Q(expression=""), name="su_schedule_crontab"
            ),
            models.CheckConstraint(
                condition=~Q(kind="interval")
                | (Q(every__gte=1) & ~Q(period="") & Q(anchor_at__isnull=False)),
                name="su_schedule_interval",
            ),
            models.CheckConstraint(
                condition=~Q(kind="clocked")
                | (Q(clocked_at_utc__isnull=False) & Q(clocked_at_local=""))
                | (Q(clocked_at_utc__isnull=True) & ~Q(clocked_at_local="")),
                name="su_schedule_clocked",
            ),
            models.CheckConstraint(
                condition=~Q(kind="solar")
                | (~Q(solar_event="") & Q(latitude__isnull=False) & Q(longitude__isnull=False)),
                name="su_schedule_solar",
            ),
            models.CheckConstraint(
                condition=Q(priority__isnull=True) | Q(priority__lte=255), name="su_schedule_priority"
            ),
            models.CheckConstraint(
                condition=Q(next_run_at__isnull=True) | (Q(enabled=True) & Q(error="")),
                name="su_schedule_runnable",
            ),
            models.CheckConstraint(
                condition=(Q(next_run_at__isnull=True) & Q(next_nominal_at__isnull=True))
                | (Q(next_run_at__isnull=False) & Q(next_nominal_at__isnull=False)),
                name="su_schedule_next",
            ),
            models.CheckConstraint(
                condition=Q(resume_at__isnull=True) | Q(enabled=False), name="su_schedule_resuming"
            ),
            models.UniqueConstraint(fields=["source", "source_key"], name="su_schedule_source"),
        ]

    def __str__(self) -> str:
        return self.name

    def spec(self) -> Mapping[str, object]:
        """Return the rule's fields as ``recurrence.parse_rule`` takes them."""
        fields_of_kind: dict[str, dict[str, object]] = {
            "interval": {"every": self.every, "period": self.period, "anchor": self.anchor_at},
            "clocked": {"at_utc": self.clocked_at_utc}
            if self.clocked_at_utc
            else {"at_local": self.clocked_at_local},
            "solar": {"event": self.solar_event, "latitude": self.latitude, "longitude": self.longitude},
        }
        return {
            "kind": self.kind,
            "tz": self.tz,
            "semantics": self.semantics,
            "expression": self.expression,
            "fields": fields_of_kind.get(self.kind, {}),
            "seed": str(self.uuid),
        }

    def rule(self) -> Rule:
        """Return the parsed rule; raises RuleError when the row does not hold a valid one."""
        return parse_rule(self.spec())

    def timetable(self) -> Timetable:
        """Return when the schedule is due; raises RuleError when the row does not hold a valid rule."""
        return Timetable(
            rule=self.rule(),
            seed=self.uuid,
            start_at=self.start_at,
            end_at=self.end_at,
            jitter=timedelta(seconds=self.jitter),
        )

    def skipped(self) -> dict[datetime, str]:
        """Return the times that will not run with the reason of each; raises ValueError for a broken column."""
        try:
            return {
                datetime.fromisoformat(item["nominal"]): f"skipped by {item['actor']}: {item['reason']}"
                for item in self.skips
            }
        except (TypeError, KeyError) as error:
            raise ValueError("the times to skip cannot be read") from error

    def facts(self) -> ScheduleFacts:
        """Return what planning needs; raises RuleError for a broken rule and ValueError for a broken policy.

        Only for a row with a next occurrence.
        """
        if self.next_nominal_at is None:
            message = f"{self.name} has no next occurrence"
            raise ValueError(message)
        return ScheduleFacts(
            uuid=self.uuid,
            rule=self.rule(),
            next_nominal_at=self.next_nominal_at,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
            runs_created=self.runs_created,
            misfire=Misfire(self.misfire),
            grace=timedelta(seconds=self.grace),
            catchup_window=None if self.catchup_window is None else timedelta(seconds=self.catchup_window),
            catchup_max=self.catchup_max,
            overlap=Overlap(self.overlap),
            queue_max=self.queue_max,
            previous_nominal_at=self.previous_nominal_at,
            jitter=timedelta(seconds=self.jitter),
            skips=self.skipped(),
        )
