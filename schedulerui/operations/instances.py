"""Model instances by the hundred, without the ceremony that Django has for each one: half of what a claim would cost.

An instance is what ``Model(...)`` or a query would give, with two differences: no ``pre_init`` and ``post_init`` signals, and
columns that were left out are fetched when somebody asks for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.base import ModelState

Made = TypeVar("Made", bound=models.Model)
LENGTHS = frozenset({19, 26})
"""How long Django's own spelling of a moment in SQLite is, without and with microseconds."""


def new(model: type[Made], values: Mapping[str, object]) -> Made:
    """Return an unsaved instance; ``values`` are by the names of attributes (``schedule_id``), the rest are defaults."""
    constant, called = _defaults(model)
    made = model.__new__(model)
    attributes = made.__dict__
    attributes["_state"] = ModelState()
    attributes.update(constant)
    for name, default in called:
        if name not in values:
            attributes[name] = default()
    attributes.update(values)
    return made


def load(
    model: type[Made], ids: Sequence[int], *, order_by: Sequence[str], left_out: Collection[str] = ()
) -> list[Made]:
    """Read these rows in one statement, without the columns of ``left_out``; raises as ``select`` does."""
    if not ids:
        return []
    order = ", ".join(connection.ops.quote_name(name) for name in order_by)
    is_postgres = connection.vendor == "postgresql"  # whose driver looks for each place with a pattern
    among = "= ANY (%s)" if is_postgres else f"IN ({', '.join(['%s'] * len(ids))})"
    given = [list(ids)] if is_postgres else list(ids)
    return select(model, f"WHERE id {among} ORDER BY {order}", given, left_out=left_out)


def select(
    model: type[Made], rest: str, given: Sequence[Any], *, left_out: Collection[str] = ()
) -> list[Made]:
    """Read the rows that the ``rest`` of a statement with its parameters asks for, without the columns of ``left_out``.

    Raises what a query would: ValueError or TypeError for a row that cannot be read, django.db.Error.
    """
    fields: list[Any] = [field for field in model._meta.concrete_fields if field.name not in left_out]  # noqa: SLF001 - Django's documented introspection
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    statement = f"SELECT {columns} FROM {quote(model._meta.db_table)} {rest}"  # noqa: S608, SLF001 - names of our own models
    with connection.cursor() as cursor:
        cursor.execute(statement, list(given))
        found = cursor.fetchall()
    if not found:
        return []
    names = [str(field.attname) for field in fields]
    decoded = [
        _decoded(field, list(values)) for field, values in zip(fields, zip(*found, strict=True), strict=True)
    ]
    alias = connection.alias  # asked once: it is looked up in the thread each time
    return [_existing(model, names, values, alias=alias) for values in zip(*decoded, strict=True)]


def _existing(model: type[Made], names: Iterable[str], values: Iterable[object], *, alias: str) -> Made:
    made = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, alias
    made.__dict__.update(zip(names, values, strict=True))
    made.__dict__["_state"] = state
    return made


@lru_cache(maxsize=16)
def _defaults(
    model: type[models.Model],
) -> tuple[dict[str, object], tuple[tuple[str, Callable[[], object]], ...]]:
    """Return the defaults that are the same for all instances, and the functions that make the others."""
    constant: dict[str, object] = {}
    called: list[tuple[str, Callable[[], object]]] = []
    for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's documented introspection
        if callable(field.default) and field.has_default():
            called.append((field.attname, field.get_default))
        else:
            constant[field.attname] = field.get_default()
    return constant, tuple(called)


def _decoded(field: Any, values: list[Any]) -> list[Any]:
    """Return one column's values as Django would give them."""
    if isinstance(field, models.DateTimeField) and connection.vendor == "sqlite":
        return _moments(field, values)
    if isinstance(field, models.JSONField) and field.decoder is None:
        return [_json(value) for value in values]
    return _converted(field, values)


def _converted(field: Any, values: list[Any]) -> list[Any]:
    """Do what a query does with each value."""
    expression = field.get_col(field.model._meta.db_table)  # noqa: SLF001 - Django's documented introspection
    for convert in [*connection.ops.get_db_converters(expression), *field.get_db_converters(connection)]:
        values = [convert(value, expression, connection) for value in values]
    return values


def _moments(field: Any, values: list[Any]) -> list[Any]:
    """Read Django's own spelling at once and leave any other to Django; the same text is read once."""
    known: dict[Any, datetime | None] = {None: None}
    for value in values:
        if value not in known:
            known[value] = moment(value) or _converted(field, [value])[0]
    return [known[value] for value in values]


def moment(value: Any) -> datetime | None:
    """Return the moment of Django's own spelling in SQLite, None for anything else."""
    if not isinstance(value, str) or len(value) not in LENGTHS or value[10] != " ":
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else None


def _json(value: Any) -> Any:
    if value == "{}":
        return {}
    if value == "[]":
        return []
    if value is None:
        return None
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
