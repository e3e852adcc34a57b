"""The tables of django-celery-beat, read as they are: the package need not be installed, and old versions lack columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models, router

from schedulerui.models import Schedule

KEY = "django-celery-beat "
"""Begins the ``source_key`` of an imported schedule; the key of the old row follows."""
CLEANUP = "celery.backend_cleanup"
"""Celery's own entry, which our beat adds by itself where there are results to clean up; it is never imported."""
KINDS = ("interval", "crontab", "solar", "clocked")
"""In the order in which django-celery-beat looks, should a row have several."""
_REGISTRY = Apps()
"""Apart from the project's, which may have the real models."""


class NoTables(Exception):
    """This database has no table of django-celery-beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How many schedules django-celery-beat has in this database, and how many of them were imported."""

    n_rows: int
    n_imported: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One row of a table of times; ``values`` are its columns, missing ones left out."""

    kind: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTask:
    """One row of the table of tasks; what its version has no column for is None. Moments are aware UTC."""

    pk: int
    name: str
    task: str
    enabled: bool
    args: str | None
    kwargs: str | None
    headers: str | None
    queue: str | None
    exchange: str | None
    routing_key: str | None
    priority: int | None
    expires: datetime | None
    expire_seconds: int | None
    one_off: bool
    start_time: datetime | None
    last_run_at: datetime | None
    total_run_count: int
    date_changed: datetime | None
    description: str
    timing: Timing | None
    n_timings: int
    """How many tables of times the row refers to; more than one is a mistake that their form refuses."""

    @property
    def key(self) -> str:
        """Return what an imported schedule is known by."""
        return f"{KEY}{self.pk}"

    @property
    def message_expires(self) -> int | None:
        """Return the seconds after which a message expires; 0 is none there."""
        return self.expire_seconds or None


class _Theirs:
    """What all of their tables have in common."""

    app_label = "django_celery_beat"
    managed = False
    apps = _REGISTRY


class _Interval(models.Model):
    every = models.IntegerField()
    period = models.TextField()

    class Meta(_Theirs):
        db_table = "django_celery_beat_intervalschedule"

    def __str__(self) -> str:
        return f"every {self.every} {self.period}"


class _Crontab(models.Model):
    minute = models.TextField()
    hour = models.TextField()
    day_of_month = models.TextField()
    month_of_year = models.TextField()
    day_of_week = models.TextField()
    timezone = models.TextField()

    class Meta(_Theirs):
        db_table = "django_celery_beat_crontabschedule"

    def __str__(self) -> str:
        return f"crontab {self.pk}"


class _Solar(models.Model):
    event = models.TextField()
    latitude = models.DecimalField(max_digits=9, decimal_places=6)
    longitude = models.DecimalField(max_digits=9, decimal_places=6)

    class Meta(_Theirs):
        db_table = "django_celery_beat_solarschedule"

    def __str__(self) -> str:
        return self.event


class _Clocked(models.Model):
    clocked_time = models.DateTimeField()

    class Meta(_Theirs):
        db_table = "django_celery_beat_clockedschedule"

    def __str__(self) -> str:
        return f"clocked {self.pk}"


class _Task(models.Model):
    name = models.TextField()
    task = models.TextField()
    enabled = models.BooleanField()
    args = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    kwargs = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    headers = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    queue = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    exchange = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    routing_key = models.TextField(null=True)  # noqa: DJ001 - their column, not ours
    priority = models.IntegerField(null=True)
    expires = models.DateTimeField(null=True)
    expire_seconds = models.BigIntegerField(null=True)
    one_off = models.BooleanField()
    start_time = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True)
    total_run_count = models.IntegerField()
    date_changed = models.DateTimeField(null=True)
    description = models.TextField()
    interval_id = models.IntegerField(null=True)
    crontab_id = models.IntegerField(null=True)
    solar_id = models.IntegerField(null=True)
    clocked_id = models.IntegerField(null=True)

    class Meta(_Theirs):
        db_table = "django_celery_beat_periodictask"

    def __str__(self) -> str:
        return self.name


_TIMES: dict[str, type[models.Model]] = {
    "interval": _Interval,
    "crontab": _Crontab,
    "solar": _Solar,
    "clocked": _Clocked,
}


def look() -> Found | None:
    """Return how many schedules there are and how many are here, or None without their tables; at most three queries."""
    using = _database()
    if _table(_Task) not in _tables(using):
        return None
    theirs: models.QuerySet[_Task] = models.QuerySet(_Task, using=using).exclude(name=CLEANUP)
    imported = Schedule.objects.filter(source="import", source_key__startswith=KEY)
    return Found(n_rows=theirs.count(), n_imported=imported.count())


def read() -> list[OldTask]:
    """Return all rows, by name; raises NoTables."""
    using = _database()
    tables = _tables(using)
    if _table(_Task) not in tables:
        raise NoTables
    times: dict[str, dict[int, dict[str, Any]]] = {
        kind: {row["id"]: row for row in _rows(model, using)} if _table(model) in tables else {}
        for kind, model in _TIMES.items()
    }
    found = (_task_of(row, times) for row in _rows(_Task, using))
    return sorted(found, key=lambda each: (each.name, each.pk))


def _task_of(row: Mapping[str, Any], times: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> OldTask:
    kinds = [kind for kind in KINDS if row.get(f"{kind}_id") is not None]
    timings = [
        Timing(kind=kind, values=times[kind][row[f"{kind}_id"]])
        for kind in kinds
        if row[f"{kind}_id"] in times[kind]
    ]
    names = (
        "args", "kwargs", "headers", "queue", "exchange", "routing_key", "priority", "expires", "expire_seconds", "start_time",
        "last_run_at", "date_changed",
    )  # fmt: skip
    return OldTask(
        pk=row["id"],
        name=row["name"] or "",
        task=row["task"] or "",
        enabled=bool(row["enabled"]),
        one_off=bool(row.get("one_off")),
        total_run_count=row.get("total_run_count") or 0,
        description=row.get("description") or "",
        timing=timings[0] if timings else None,
        n_timings=len(kinds),
        **{name: row.get(name) for name in names},
    )


def _rows(model: type[models.Model], using: str) -> list[dict[str, Any]]:
    """Return all rows with the columns that both the table and we know."""
    connection = connections[using]
    with connection.cursor() as cursor:
        there = {
            column.name for column in connection.introspection.get_table_description(cursor, _table(model))
        }
    known = [str(field.column) for field in model._meta.concrete_fields]  # noqa: SLF001 - Django's documented introspection
    return list(models.QuerySet(model, using=using).order_by("pk").values(*(n for n in known if n in there)))


def _table(model: type[models.Model]) -> str:
    return model._meta.db_table  # noqa: SLF001 - Django's documented introspection


def _tables(using: str) -> set[str]:
    return set(connections[using].introspection.table_names())


def _database() -> str:
    return router.db_for_write(Schedule)
