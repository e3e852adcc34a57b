"""Indexes that differ by database: of some rows where the database has such, of other columns where its planner needs them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

NOTHING = "DO 0"
"""What MariaDB does nothing for; it has no indexes of some rows."""


class _IndexByDatabase(models.Index):
    """One that some databases make otherwise, and the others as it says."""

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **options: Any,
    ) -> Any:
        """Return the statement that makes it; one that does nothing where it is left out."""
        if self.is_left_out(schema_editor.connection):
            return NOTHING
        other = self.instead(schema_editor.connection)
        if other is None:
            return super().create_sql(model, schema_editor, using=using, **options)
        return other.create_sql(model, schema_editor, using=using, **options)

    def instead(self, connection: BaseDatabaseWrapper) -> models.Index | None:
        """Return the index that this database makes in its place; None for itself."""
        raise NotImplementedError

    def remove_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, **options: Any
    ) -> Any:
        """Return the statement that drops it; one that does nothing where it was left out."""
        if self.is_left_out(schema_editor.connection):
            return NOTHING
        return super().remove_sql(model, schema_editor, **options)

    def is_left_out(self, _connection: BaseDatabaseWrapper) -> bool:
        """Return whether this database has no such index."""
        return False


class IndexOfSome(_IndexByDatabase):
    """Rows for which ``where`` is true, so that writing the others does not cost an entry.

    Django's own ``condition`` makes no index at all on MariaDB, and warns of it at each migration. There all rows are in it, by
    the columns of ``elsewhere`` where those are named; none: it is made without.
    """

    def __init__(self, *, where: Q, fields: list[str], name: str, elsewhere: list[str] | None = None) -> None:
        super().__init__(fields=fields, name=name)
        self.where, self.elsewhere = where, elsewhere

    def instead(self, connection: BaseDatabaseWrapper) -> models.Index | None:
        """Return the partial index where there are such, else the one of other columns."""
        if connection.features.supports_partial_indexes:
            return models.Index(fields=self.fields, name=self.name, condition=self.where)
        return models.Index(fields=self.elsewhere, name=self.name) if self.elsewhere else None

    def deconstruct(self) -> Any:
        """Return how a migration writes it."""
        path, arguments, options = super().deconstruct()
        more = {} if self.elsewhere is None else {"elsewhere": self.elsewhere}
        return path, arguments, {**options, "where": self.where, **more}

    def is_left_out(self, connection: BaseDatabaseWrapper) -> bool:
        """Return whether no columns are named for a database without indexes of some rows, and this is one."""
        return self.elsewhere == [] and not connection.features.supports_partial_indexes


class IndexOfOutbox(_IndexByDatabase):
    """One with another column in second place on SQLite.

    The planner there has no statistics, and takes the index that names most of what is asked for: without this it would read
    all runs of a schedule to find the few that are alive. What has no schedule to look for reads a few rows more.
    """

    def __init__(self, *, on_sqlite: str, fields: list[str], name: str) -> None:
        super().__init__(fields=fields, name=name)
        self.on_sqlite = on_sqlite

    def instead(self, connection: BaseDatabaseWrapper) -> models.Index | None:
        """Return the one of SQLite."""
        if connection.vendor != "sqlite":
            return None
        return models.Index(fields=[self.fields[0], self.on_sqlite, *self.fields[1:]], name=self.name)

    def deconstruct(self) -> Any:
        """Return how a migration writes it."""
        path, arguments, options = super().deconstruct()
        return path, arguments, {**options, "on_sqlite": self.on_sqlite}
