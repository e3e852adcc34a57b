"""One row written by plain SQL, where it is written for every task: the values go through their fields as Django's own would."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from django.db import connection
from django.db.models import Field, Model

Columns = tuple[str, ...]


def update(model: type[Model], values: Mapping[str, object], *, where: Mapping[str, object]) -> int:
    """Set columns of the rows where all of ``where`` is equal; return how many there were."""
    sql = _update_sql(connection.vendor, model, tuple(values), tuple(where))
    with connection.cursor() as cursor:
        cursor.execute(sql, [*_prepared(model, values), *_prepared(model, where)])
        return int(cursor.rowcount)


def insert(model: type[Model], values: Mapping[str, object]) -> None:
    """Insert a row; ``values`` must name every column that has no default in the database."""
    sql = _insert_sql(connection.vendor, model, tuple(values))
    with connection.cursor() as cursor:
        cursor.execute(sql, _prepared(model, values))


def _prepared(model: type[Model], values: Mapping[str, object]) -> list[Any]:
    return [_field(model, name).get_db_prep_save(value, connection) for name, value in values.items()]


@lru_cache(maxsize=256)
def _update_sql(_vendor: str, model: type[Model], names: Columns, wanted: Columns) -> str:
    changes = ", ".join(f"{column} = %s" for column in _columns(model, names))
    found = " AND ".join(f"{column} = %s" for column in _columns(model, wanted))
    return f"UPDATE {_table(model)} SET {changes} WHERE {found}"  # noqa: S608 - names of the models' own columns


@lru_cache(maxsize=256)
def _insert_sql(_vendor: str, model: type[Model], names: Columns) -> str:
    places = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {_table(model)} ({', '.join(_columns(model, names))}) VALUES ({places})"  # noqa: S608 - see above


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - Django's documented introspection


def _columns(model: type[Model], names: Columns) -> list[str]:
    return [connection.ops.quote_name(str(_field(model, name).column)) for name in names]


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    return cast("Field[Any, Any]", model._meta.get_field(name))  # noqa: SLF001 - Django's documented introspection
