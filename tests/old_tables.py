"""The tables of django-celery-beat as its migrations leave them, in the newest version and in two old ones, without the package.

Rows refer to each other by plain numbers: a row whose time is gone can be made, as raw SQL and other tools leave it.
"""

from __future__ import annotations

from contextlib import contextmanager

from django.apps.registry import Apps
from django.db import connection, models

TIMES = {
    "interval": {"every": models.IntegerField, "period": lambda: models.CharField(max_length=24)},
    "crontab": {
        "minute": lambda: models.CharField(max_length=240),
        "hour": lambda: models.CharField(max_length=96),
        "day_of_week": lambda: models.CharField(max_length=64),
        "day_of_month": lambda: models.CharField(max_length=124),
        "month_of_year": lambda: models.CharField(max_length=64),
        "timezone": lambda: models.CharField(max_length=63),
    },
    "solar": {
        "event": lambda: models.CharField(max_length=24),
        "latitude": lambda: models.DecimalField(max_digits=9, decimal_places=6),
        "longitude": lambda: models.DecimalField(max_digits=9, decimal_places=6),
    },
    "clocked": {"clocked_time": models.DateTimeField},
}
TASK = {
    "name": lambda: models.CharField(max_length=200, unique=True),
    "task": lambda: models.CharField(max_length=200),
    "args": lambda: models.TextField(default="[]"),
    "kwargs": lambda: models.TextField(default="{}"),
    "queue": lambda: models.CharField(max_length=200, null=True),
    "exchange": lambda: models.CharField(max_length=200, null=True),
    "routing_key": lambda: models.CharField(max_length=200, null=True),
    "headers": lambda: models.TextField(null=True, default="{}"),
    "priority": lambda: models.IntegerField(null=True),
    "expires": lambda: models.DateTimeField(null=True),
    "expire_seconds": lambda: models.BigIntegerField(null=True),
    "one_off": lambda: models.BooleanField(default=False),
    "start_time": lambda: models.DateTimeField(null=True),
    "enabled": lambda: models.BooleanField(default=True),
    "last_run_at": lambda: models.DateTimeField(null=True),
    "total_run_count": lambda: models.IntegerField(default=0),
    "date_changed": lambda: models.DateTimeField(null=True),
    "description": lambda: models.TextField(default=""),
    "interval_id": lambda: models.IntegerField(null=True),
    "crontab_id": lambda: models.IntegerField(null=True),
    "solar_id": lambda: models.IntegerField(null=True),
    "clocked_id": lambda: models.IntegerField(null=True),
}
ABSENT = {
    "2.9": set(),
    "1.5": {"expire_seconds"},
    "1.0": {
        "headers", "priority", "expire_seconds", "one_off", "start_time", "solar_id", "clocked_id", "timezone",
    },
}  # fmt: skip
"""Columns that a version does not have yet; one without ``clocked_id`` has no table of moments either, and so on."""


class Old:
    """The tables of one version, and rows in them."""

    def __init__(self, version):
        self.absent = ABSENT[version]
        registry = Apps()
        kinds = [kind for kind in TIMES if f"{kind}_id" not in self.absent]
        self.times = {kind: self._model(f"{kind}schedule", TIMES[kind], registry) for kind in kinds}
        self.tasks = self._model("periodictask", TASK, registry)

    def _model(self, name, columns, registry):
        meta = type("Meta", (), {"app_label": "django_celery_beat", "apps": registry})
        fields = {column: make() for column, make in columns.items() if column not in self.absent}
        key = {"id": models.AutoField(primary_key=True)}
        return type(name, (models.Model,), {"Meta": meta, "__module__": __name__, **key, **fields})

    @property
    def models(self):
        return [*self.times.values(), self.tasks]

    def add(self, name, *, interval=None, crontab=None, solar=None, clocked=None, zone="UTC", **columns):
        """Make a row with its time: ``interval=(10, "seconds")``, ``crontab="30 2 * * *"`` in cron's order, and so on."""
        if interval:
            columns["interval_id"] = self._time("interval", every=interval[0], period=interval[1])
        if crontab is not None:
            names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
            parts = crontab if isinstance(crontab, tuple) else crontab.split(" ")
            zoned = {} if "timezone" in self.absent else {"timezone": zone}
            columns["crontab_id"] = self._time("crontab", **dict(zip(names, parts, strict=True)), **zoned)
        if solar:
            event, latitude, longitude = solar
            columns["solar_id"] = self._time("solar", event=event, latitude=latitude, longitude=longitude)
        if clocked:
            columns["clocked_id"] = self._time("clocked", clocked_time=clocked)
        return self.tasks.objects.create(name=name, **{"task": "tests.add", **columns})

    def _time(self, kind, **columns):
        return self.times[kind].objects.create(**columns).pk


@contextmanager
def old_tables(version="2.9"):
    """Have the tables for a while; not within a transaction, which MariaDB would end."""
    old = Old(version)
    for model in old.models:
        model._meta.db_table = f"django_celery_beat_{model.__name__}"
    with connection.schema_editor() as editor:
        for model in old.models:
            editor.create_model(model)
    try:
        yield old
    finally:
        with connection.schema_editor() as editor:
            for model in old.models:
                editor.delete_model(model)
