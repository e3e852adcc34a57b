"""Let schedules be sorted by how long they take and how often they fail, by index."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Length, Replace

import schedulerui.indexes

FAILED = "fleu"
"""Letters of failures among the outcomes that are kept with a schedule; ``s`` is a success."""


def _n(letter):
    return Length("recent") - Length(Replace(F("recent"), Value(letter), Value("")))


def tell_from_what_is_kept(apps, schema_editor):
    """Count the failures among the outcomes that are kept, and take the last run's time as the usual one: two statements.

    From the next run on, each adds to it.
    """
    states = apps.get_model("schedulerui", "ScheduleState").objects.using(schema_editor.connection.alias)
    runs = apps.get_model("schedulerui", "Run").objects.using(schema_editor.connection.alias)
    failed = sum((_n(letter) for letter in FAILED[1:]), start=_n(FAILED[0]))
    has_failed = Q(*(("recent__contains", letter) for letter in FAILED), _connector=Q.OR)
    states.filter(has_failed).update(failure_rate=failed * 1000 / (failed + _n("s")))
    newest = runs.filter(pk=OuterRef("last_run_id"), runtime__gte=0).values("runtime")
    states.filter(last_run_id__isnull=False).update(usual_runtime=Subquery(newest))


class Migration(migrations.Migration):
    dependencies = [
        ("schedulerui", "0011_fewer_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="schedulestate",
            name="failure_rate",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="schedulestate",
            name="usual_runtime",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.RunPython(tell_from_what_is_kept, migrations.RunPython.noop),
        migrations.RemoveIndex(
            model_name="schedulestate",
            name="su_state_streak",
        ),
        migrations.AddIndex(
            model_name="schedulestate",
            index=schedulerui.indexes.IndexOfSome(
                fields=["failure_streak", "schedule"], name="su_state_streak", where=Q(failure_streak__gt=0)
            ),
        ),
        migrations.AddIndex(
            model_name="schedulestate",
            index=schedulerui.indexes.IndexOfSome(
                fields=["failure_rate", "schedule"], name="su_state_rate", where=Q(failure_rate__isnull=False)
            ),
        ),
        migrations.AddIndex(
            model_name="schedulestate",
            index=models.Index(fields=["usual_runtime", "schedule"], name="su_state_runtime"),
        ),
    ]
