"""Many rows as one JSON parameter, for PostgreSQL: its driver takes longer to find a thousand parameters than it to read them.

What all rows have in common is a parameter by itself: reading it from each of them again is a third of an insert.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, models


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows as a statement takes them."""

    places: tuple[str, ...]
    """What stands for each column: its name in ``source``, or a parameter."""
    common: tuple[tuple[Any, ...], ...]
    """The parameter of each column, where its place is one."""
    source: str
    """The table ``v`` of what differs, with one parameter."""
    parameter: str


def rows(fields: Sequence[Any], names: Sequence[str], columns: Sequence[Sequence[object]]) -> Rows:
    """Return the rows of these columns, of which one at least differs in all rows; raises TypeError for what JSON cannot say."""
    shared = [_common(field, values) for field, values in zip(fields, columns, strict=True)]
    places = (
        f"%s::{_type(field)}" if common else f"v.{name}"
        for field, name, common in zip(fields, names, shared, strict=True)
    )
    differing = [place for place, common in enumerate(shared) if not common]
    own_fields, own_names = [fields[place] for place in differing], [names[place] for place in differing]
    return Rows(
        places=tuple(places),
        common=tuple(shared),
        source=source(own_fields, own_names),
        parameter=parameter(own_fields, own_names, [columns[place] for place in differing]),
    )


def _common(field: Any, values: Sequence[object]) -> tuple[Any, ...]:
    """Return the value of all rows as a parameter, nothing when they differ."""
    first = values[0]
    is_common = len(values) > 1 and len(set(map(type, values))) == 1 and all(v == first for v in values)
    if not is_common:
        return ()
    if isinstance(field, models.JSONField) and first not in ({}, []):
        return ()  # {"x": 1} equals {"x": True} here and nowhere else
    return (field.get_db_prep_save(first.value if isinstance(first, Enum) else first, connection),)


def source(fields: Sequence[Any], names: Sequence[str]) -> str:
    """Return the rows of one parameter as the table ``v`` with these column names, as types of the fields."""
    types = ", ".join(f"{name} {_type(field)}" for name, field in zip(names, fields, strict=True))
    return f"json_to_recordset(%s::json) AS v({types})"


def parameter(fields: Sequence[Any], names: Sequence[str], columns: Sequence[Sequence[object]]) -> str:
    """Return the parameter of ``source`` for these columns of values; raises TypeError for what JSON cannot say."""
    ready = [_ready(field, values) for field, values in zip(fields, columns, strict=True)]
    made = [dict(zip(names, row, strict=True)) for row in zip(*ready, strict=True)]
    return json.dumps(made, separators=(",", ":"))


def _type(field: Any) -> str:
    """Return the type to read a value as; a text that is too long is refused when it is written, and not cut before."""
    db_type = str(field.db_type(connection))
    return "text" if db_type.startswith("varchar") else db_type


def _ready(field: Any, values: Sequence[Any]) -> Sequence[Any]:
    """Return one column's values as JSON has them: moments and identifiers are text, which the database reads."""
    if isinstance(field, models.JSONField):
        return values
    if isinstance(field, models.DateTimeField):
        moments = {value for value in values if isinstance(value, datetime)}
        told: dict[object, str | None] = {moment: moment.isoformat() for moment in moments}
        return [told.get(value) for value in values]
    kinds = set(map(type, values))
    if UUID in kinds:
        return [None if value is None else str(value) for value in values]
    if any(issubclass(kind, Enum) for kind in kinds):
        return [value.value if isinstance(value, Enum) else value for value in values]
    return values
