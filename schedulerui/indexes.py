"""Indexes that differ by database: of some rows where the database has such, of other columns where its planner needs them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


class IndexOfSome(models.Index):
    """Rows for which ``where`` is true, so that writing the others does not cost an entry.

    Django's own ``condition`` makes no index at all on MariaDB, and warns of it at each migration.
    """

    def __init__(self, *, where: Q, fields: list[str], name: str) -> None:
        super().__init__(fields=fields, name=name)
        self.where = where

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **options: Any,
    ) -> Any:
        """Return the statement that makes it."""
        if not schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using=using, **options)
        whole = models.Index(fields=self.fields, name=self.name, condition=self.where)
        return whole.create_sql(model, schema_editor, using=using, **options)

    def deconstruct(self) -> Any:
        """Return how a migration writes it."""
        path, arguments, options = super().deconstruct()
        return path, arguments, {**options, "where": self.where}


class IndexOfOutbox(models.Index):
    """One with another column in second place on SQLite.

    The planner there has no statistics, and takes the index that names most of what is asked for: without this it would read
    all runs of a schedule to find the few that are alive. What has no schedule to look for reads a few rows more.
    """

    def __init__(self, *, on_sqlite: str, fields: list[str], name: str) -> None:
        super().__init__(fields=fields, name=name)
        self.on_sqlite = on_sqlite

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **options: Any,
    ) -> Any:
        """Return the statement that makes it."""
        if schema_editor.connection.vendor != "sqlite":
            return super().create_sql(model, schema_editor, using=using, **options)
        fields = [self.fields[0], self.on_sqlite, *self.fields[1:]]
        return models.Index(fields=fields, name=self.name).create_sql(
            model, schema_editor, using=using, **options
        )

    def deconstruct(self) -> Any:
        """Return how a migration writes it."""
        path, arguments, options = super().deconstruct()
        return path, arguments, {**options, "on_sqlite": self.on_sqlite}
