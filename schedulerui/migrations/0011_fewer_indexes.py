"""Keep runs in fewer indexes: each of them is written at every claim and at every mark."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

OF_FEW = {"blocked_by_id": "su_run_blocked_by", "retry_of_id": "su_run_retry_of"}
"""Columns that are null in nearly every run, and the names of their indexes without those."""


def drop_what_nobody_asks(apps, schema_editor):
    """Drop what the index su_run_schedule answers too, and on PostgreSQL those for LIKE, which nobody asks of keys and ids.

    MariaDB keeps its own: it wants an index for each foreign key.
    """
    connection = schema_editor.connection
    if connection.vendor not in {"sqlite", "postgresql"}:
        return
    run = apps.get_model("schedulerui", "Run")
    table, quote = run._meta.db_table, connection.ops.quote_name  # noqa: SLF001 - Django's documented introspection
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    is_postgres = connection.vendor == "postgresql"
    columns = {"schedule_id", "key", "task_id", *OF_FEW} if is_postgres else {"schedule_id"}
    for name, about in found.items():
        is_plain = about["index"] and not about["unique"] and not about["primary_key"]
        if is_plain and len(about["columns"]) == 1 and about["columns"][0] in columns:
            schema_editor.execute(f"DROP INDEX {quote(name)}")
    if is_postgres:
        for column, name in OF_FEW.items():
            of = f"{quote(table)} ({quote(column)}) WHERE {quote(column)} IS NOT NULL"
            schema_editor.execute(f"CREATE INDEX {quote(name)} ON {of}")


class Migration(migrations.Migration):
    dependencies = [
        ("schedulerui", "0010_run_promoted_at"),
    ]

    operations = [
        # Not as an AlterField: that would make PostgreSQL look at every run for its foreign key, and SQLite copy the table.
        migrations.SeparateDatabaseAndState(
            # There is no way back to take: without these indexes everything works as with them.
            database_operations=[migrations.RunPython(drop_what_nobody_asks, migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name="run",
                    name="schedule",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to="schedulerui.schedule",
                    ),
                ),
            ],
        ),
    ]
