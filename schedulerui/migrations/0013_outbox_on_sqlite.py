"""Let SQLite find what of a schedule is alive without reading its history."""

from __future__ import annotations

from django.db import migrations, models

import schedulerui.indexes

NAME = "su_run_outbox"
FIELDS = ["state", "lease_until"]
BEFORE = models.Index(fields=FIELDS, name=NAME)
AFTER = schedulerui.indexes.IndexOfOutbox(fields=FIELDS, on_sqlite="schedule", name=NAME)


def _put_in_place(index):
    def change(apps, schema_editor):
        """Make the index anew; on the other databases both are the same."""
        if schema_editor.connection.vendor == "sqlite":
            run = apps.get_model("schedulerui", "Run")
            schema_editor.remove_index(run, BEFORE)
            schema_editor.add_index(run, index)

    return change


class Migration(migrations.Migration):
    dependencies = [
        ("schedulerui", "0012_orders_of_runs"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(_put_in_place(AFTER), _put_in_place(BEFORE))],
            state_operations=[
                migrations.RemoveIndex(model_name="run", name=NAME),
                migrations.AddIndex(model_name="run", index=AFTER),
            ],
        ),
    ]
