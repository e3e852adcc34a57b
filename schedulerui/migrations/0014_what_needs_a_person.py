"""Find what needs a person, and what is off, without reading the schedules: each by an index of few rows."""

from __future__ import annotations

from django.db import migrations
from django.db.models import Q

import schedulerui.indexes


class Migration(migrations.Migration):
    dependencies = [
        ("schedulerui", "0013_outbox_on_sqlite"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="schedule",
            index=schedulerui.indexes.IndexOfSome(
                fields=["id", "next_run_at"],
                name="su_schedule_off",
                where=Q(enabled=False),
                elsewhere=["enabled", "id"],
            ),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=schedulerui.indexes.IndexOfSome(
                fields=["name"], name="su_schedule_broken", where=~Q(error=""), elsewhere=[]
            ),
        ),
        migrations.AddIndex(
            model_name="schedulestate",
            index=schedulerui.indexes.IndexOfSome(
                fields=["failure_streak", "last_state", "schedule"],
                name="su_state_unhappy",
                where=Q(last_state__in=["failed", "lost", "rejected", "unsent", "expired", "missed"]),
                elsewhere=[],
            ),
        ),
    ]
