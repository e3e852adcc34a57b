"""Many rows in one statement, where Django's own way takes one per row or splits by a limit that SQLite no longer has.

Names come from the models, values are always parameters. A database that is none of the three goes Django's way.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from django.db import connection, models

from schedulerui.operations import json_rows

KNOWN = frozenset({"sqlite", "postgresql", "mysql"})
"""Vendors whose statements are written here; MariaDB calls itself mysql."""
SQLITE_UPDATE_FROM = (3, 33, 0)
"""The first SQLite that updates from other rows."""

Value = Any


def insert(rows: Sequence[models.Model], *, unique: str) -> None:
    """Insert all rows of one model in as few statements as parameters allow, and give each its primary key.

    ``unique`` names a unique text column by which the keys are told apart. Raises django.db.Error as ``bulk_create`` does.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor not in KNOWN:
        model._default_manager.bulk_create(rows)  # noqa: SLF001 - Django's documented introspection
        return
    columns = [_column(rows, field) for field in _fields(model)]
    n_given = sum(1 for column in columns if not column.literal) or 1
    step = max(_max_parameters() // n_given, 1)
    if connection.vendor == "postgresql" or step >= len(rows):
        _insert(rows, columns, unique=unique)
        return
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        _insert(part, [_column(part, column.field) for column in columns], unique=unique)


def update(
    model: type[models.Model],
    rows: Sequence[Sequence[Value]],
    *,
    changes: Sequence[str],
    where: Sequence[str],
) -> int:
    """Set the ``changes`` of each row whose ``where`` fields, a unique one first, are as given; returns how many were.

    A row of ``rows`` holds the values of ``changes``, then those of ``where``.
    """
    if not rows:
        return 0
    fields: list[Any] = [model._meta.get_field(name) for name in (*changes, *where)]  # noqa: SLF001 - Django's documented introspection
    names = [connection.ops.quote_name(str(field.column)) for field in fields]
    columns = zip(*rows, strict=True)
    if connection.vendor == "postgresql":
        return _update_from_json(model, fields, names, list(columns), n_changes=len(changes))
    encoded = [_encoded(field, list(column)) for field, column in zip(fields, columns, strict=True)]
    values = list(zip(*encoded, strict=True))
    if not _can_update_from():
        return _update_singly(model, values, names, n_changes=len(changes))
    statement = _statement_of_update(model, fields, names, n_changes=len(changes))
    done, step = 0, max(_max_parameters() // len(fields), 1)
    with connection.cursor() as cursor:
        for start in range(0, len(values), step):
            part = values[start : start + step]
            cursor.execute(statement(len(part)), [value for row in part for value in row])
            done += int(cursor.rowcount)
    return done


def _update_from_json(
    model: type[models.Model],
    fields: Sequence[Any],
    names: Sequence[str],
    columns: Sequence[Sequence[Value]],
    *,
    n_changes: int,
) -> int:
    table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - as above
    keys = [f"c{place}" for place in range(len(names))]  # a column may be both changed and asked for
    rows = json_rows.rows(fields, keys, columns)
    pairs = list(zip(names, rows.places, strict=True))
    changes = ", ".join(f"{name} = {place}" for name, place in pairs[:n_changes])
    where = " AND ".join(f"{table}.{name} = {place}" for name, place in pairs[n_changes:])
    statement = f"UPDATE {table} SET {changes} FROM {rows.source} WHERE {where}"  # noqa: S608 - names of our own models
    set_to, asked = rows.common[:n_changes], rows.common[n_changes:]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*chain(*set_to), rows.parameter, *chain(*asked)])
        return int(cursor.rowcount)


def can_write_two() -> bool:
    """Return whether one statement may change the rows of two tables."""
    return bool(connection.vendor == "postgresql")


def execute(statement: str, parameters: Sequence[Value], *, tables: Mapping[str, type[models.Model]]) -> int:
    """Execute a statement on the ``{tables}`` of these models; returns how many rows it changed, of two tables in the second.

    A parameter may be a moment, and a list of numbers for an ``IN %s``, which must not be empty.
    """
    adapt = connection.ops.adapt_datetimefield_value
    is_postgres = connection.vendor == "postgresql"
    given: list[Value] = []
    places: list[str] = []
    for value in parameters:
        # One parameter there for all numbers: its driver looks for each place with a pattern.
        values = value if isinstance(value, list) and not is_postgres else [value]
        given += [adapt(each) if isinstance(each, datetime) else each for each in values]
        marks = ", ".join(["%s"] * len(values))
        places.append(f"({marks})" if isinstance(value, list) else marks)
    if is_postgres:
        statement = statement.replace(" IN %s", " = ANY %s")
    names = {name: connection.ops.quote_name(model._meta.db_table) for name, model in tables.items()}  # noqa: SLF001 - as above
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**names) % tuple(places), given)
        return int(cursor.rowcount)


def _insert(rows: Sequence[models.Model], columns: Sequence[_Column], *, unique: str) -> None:
    """Insert what these columns hold of these rows, in one statement, and give each row its key."""
    meta = rows[0]._meta  # noqa: SLF001 - Django's documented introspection
    quote = connection.ops.quote_name
    table, names = quote(meta.db_table), ", ".join(quote(str(column.field.column)) for column in columns)
    given = [column for column in columns if not column.literal]
    if connection.vendor == "postgresql":
        keys = [f"c{place}" for place in range(len(given))]
        told = json_rows.rows([column.field for column in given], keys, [column.values for column in given])
        places = iter(told.places)
        picked = ", ".join(column.literal or next(places) for column in columns)
        statement = f"INSERT INTO {table} ({names}) SELECT {picked} FROM {told.source}"  # noqa: S608 - names of our own models
        parameters = [*chain(*told.common), told.parameter]
    else:
        row = "(" + ", ".join(column.literal or "%s" for column in columns) + ")"
        encoded = [_encoded(column.field, column.values) for column in given]
        parameters = [value for each in zip(*encoded, strict=True) for value in each]
        statement = f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * len(rows))}"  # noqa: S608 - names of our own models
    returns = bool(connection.features.can_return_rows_from_bulk_insert)
    told_by: Any = meta.get_field(unique)
    returned = f"{quote(str(told_by.column))}, {quote(str(meta.pk.column))}"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {returned}" if returns else statement, parameters)
        found = dict(cursor.fetchall()) if returns else {}
    if not returns:
        known = {f"{unique}__in": [getattr(each, unique) for each in rows]}
        found = dict(type(rows[0])._default_manager.filter(**known).values_list(unique, "pk"))  # noqa: SLF001 - as above
    alias = connection.alias
    for each in rows:
        each.pk = found[getattr(each, unique)]
        each._state.adding, each._state.db = False, alias  # noqa: SLF001 - what bulk_create does


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column of a batch: a literal if all rows have the same trivial value, else their values."""

    field: Any
    literal: str = ""
    values: list[Value]


def _column(rows: Sequence[models.Model], field: Any) -> _Column:
    values = list(map(attrgetter(field.attname), rows))
    first = values[0]
    if first is None and not any(value is not None for value in values):
        return _Column(field=field, literal="NULL", values=[])
    if first == "" and not any(values):
        return _Column(field=field, literal="''", values=[])
    if type(first) is int and values.count(first) == len(values) and set(map(type, values)) == {int}:
        return _Column(field=field, literal=str(first), values=[])
    return _Column(field=field, values=values)


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]  # noqa: SLF001 - as above


def _encoded(field: Any, values: list[Value]) -> list[Value]:
    """Return one column as the driver takes it: what ``get_db_prep_save`` does, without its ceremony for each value."""
    if isinstance(field, models.DateTimeField):
        adapt = connection.ops.adapt_datetimefield_value
        known = {value: adapt(value) for value in set(values)}  # a burst has few moments
        return [known[value] for value in values]
    if isinstance(field, models.JSONField) and field.encoder is None:
        return [_json(value) for value in values]
    if isinstance(field, models.UUIDField) and not connection.features.has_native_uuid_field:
        return [_hex(value) for value in values]
    if any(issubclass(kind, Enum) for kind in set(map(type, values))):
        return [value.value if isinstance(value, Enum) else value for value in values]
    return values


def _hex(value: Value) -> str | None:
    return None if value is None else str(value.hex)


def _json(value: Value) -> str:
    if not value:
        if isinstance(value, dict):
            return "{}"
        if isinstance(value, list):
            return "[]"
    return json.dumps(value)


def _max_parameters() -> int:
    """Return how many parameters one statement may have: SQLite tells its own limit, the others take 65,535."""
    if connection.vendor != "sqlite":
        return 65_535
    connection.ensure_connection()
    return int(connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))


def _can_update_from() -> bool:
    if connection.vendor == "sqlite":
        return sqlite3.sqlite_version_info >= SQLITE_UPDATE_FROM
    return connection.vendor in KNOWN


def _update_singly(
    model: type[models.Model],
    values: list[tuple[Value, ...]],
    names: Sequence[str],
    *,
    n_changes: int,
) -> int:
    table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - as above
    changes = ", ".join(f"{name} = %s" for name in names[:n_changes])
    where = " AND ".join(f"{name} = %s" for name in names[n_changes:])
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {changes} WHERE {where}", values)  # noqa: S608 - names of our own models
        return int(cursor.rowcount)


def _statement_of_update(
    model: type[models.Model], fields: Sequence[Any], names: Sequence[str], *, n_changes: int
) -> Callable[[int], str]:
    """Return what writes the statement for a number of rows. Each row says its types, where the database asks for them."""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)  # noqa: SLF001 - as above
    # PostgreSQL and SQLite call the columns of VALUES so. A WITH in front would hide from sqlite3 that rows are changed.
    places = [f"column{number}" for number in range(1, len(names) + 1)]
    where = " AND ".join(
        f"{table}.{name} = v.{place}"
        for name, place in zip(names[n_changes:], places[n_changes:], strict=True)
    )
    pairs = list(zip(names[:n_changes], places[:n_changes], strict=True))
    if connection.vendor == "mysql":
        changes = ", ".join(f"{table}.{name} = v.{place}" for name, place in pairs)
        row = ", ".join(f"{_cast(field)} AS {place}" for field, place in zip(fields, places, strict=True))
        # The given rows first: read the other way round, rows that nobody asked for are locked, and those of others waited for.
        return lambda n: (
            f"UPDATE ({' UNION ALL '.join([f'SELECT {row}'] * n)}) v STRAIGHT_JOIN {table} ON {where} SET {changes}"  # noqa: S608 - names of our own models
        )
    changes = ", ".join(f"{name} = v.{place}" for name, place in pairs)
    row = "(" + ", ".join(_cast(field) for field in fields) + ")"
    return lambda n: (
        f"UPDATE {table} SET {changes} FROM (VALUES {', '.join([row] * n)}) AS v WHERE {where}"  # noqa: S608 - names of our own models
    )


def _cast(field: Any) -> str:
    return _cast_of(connection.vendor, str(field.db_type(connection)))


@lru_cache(maxsize=64)
def _cast_of(vendor: str, db_type: str) -> str:
    """Return a parameter with its type: a bare one is text to PostgreSQL, and a moment is text to MariaDB."""
    if vendor == "postgresql":
        return f"%s::{db_type}"
    if vendor == "mysql" and db_type.startswith("datetime"):
        return f"CAST(%s AS {db_type})"
    return "%s"
