"""Many rows as one JSON parameter, for PostgreSQL: its driver takes longer to find a thousand parameters than it to read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, models


def source(fields: Sequence[Any], names: Sequence[str]) -> str:
    """Return the rows of one parameter as the table ``v`` with these column names, as types of the fields."""
    types = ", ".join(f"{name} {_type(field)}" for name, field in zip(names, fields, strict=True))
    return f"json_to_recordset(%s::json) AS v({types})"


def parameter(fields: Sequence[Any], names: Sequence[str], columns: Sequence[Sequence[object]]) -> str:
    """Return the parameter of ``source`` for these columns of values; raises TypeError for what JSON cannot say."""
    ready = [_ready(field, values) for field, values in zip(fields, columns, strict=True)]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*ready, strict=True)]
    return json.dumps(rows, separators=(",", ":"))


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
