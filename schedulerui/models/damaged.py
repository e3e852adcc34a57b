"""Rows that hold what no form lets in and Python cannot read: they can still be looked at, and deleted."""

from __future__ import annotations

from typing import Any

from django.db import DataError
from django.db.models import QuerySet

from schedulerui.models.schedule import Schedule

UNREADABLE = (ValueError, TypeError, ArithmeticError, RecursionError, DataError)
"""What reading a column raises whose value is none of its type."""


def read_schedule(pk: int) -> Schedule:
    """Return a schedule with its state; a column that cannot be read has its default. Raises Schedule.DoesNotExist.

    For looking and deleting only: whoever dispatches or edits must not take a default for what was meant.
    """
    try:
        return Schedule.objects.select_related("state").get(pk=pk)
    except UNREADABLE:
        return _by_columns(pk)


def readable(rows: QuerySet[Schedule]) -> list[Schedule]:
    """Return what a list asks for; where one row cannot be read, that one by its columns, so that it costs nobody else."""
    try:
        return list(rows)
    except UNREADABLE:
        return [read_schedule(pk) for pk in list(rows.values_list("pk", flat=True))]


def _by_columns(pk: int) -> Schedule:
    rows = Schedule.objects.filter(pk=pk)
    if not rows.exists():
        raise Schedule.DoesNotExist
    values: dict[str, Any] = {}
    for column in Schedule._meta.concrete_fields:  # noqa: SLF001 - Django's documented introspection
        try:
            values[column.attname] = rows.values_list(column.attname, flat=True).get()
        except UNREADABLE:
            values[column.attname] = column.get_default()
    schedule = Schedule(**values)
    schedule._state.adding = False  # noqa: SLF001 - what Model.from_db sets too
    schedule._state.db = rows.db  # noqa: SLF001 - what Model.from_db sets too
    return schedule
