"""Schedules whose rows cannot be used: put aside with the reason on the row, so that one bad row costs one row."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F

from schedulerui.crash import crash_point
from schedulerui.models import Schedule
from schedulerui.operations.reports import clean

logger = logging.getLogger(__name__)

ERROR_MAX = 1_000
"""Most characters of the sentence that a schedule which was put aside shows."""
SHAPES = {"task": str, "args": list, "kwargs": dict, "headers": dict, "options": dict}
"""What these columns must hold: a database may keep anything that some program has written."""


def put_aside(broken: Iterable[tuple[int, str]], *, now: datetime) -> None:
    """Take broken schedules out of the due index, with the reason on the row; an edit or a switch brings them back."""
    for pk, reason in broken:
        crash_point("quarantine.before")
        Schedule.objects.filter(pk=pk, next_run_at__lte=now).update(
            error=clean(reason, limit=ERROR_MAX),
            next_nominal_at=None,
            next_run_at=None,
            updated_at=now,
        )


def refuse_unreadable(schedule: Schedule) -> None:
    """Raise ValueError or TypeError, with a sentence, for a row that was read and still holds nothing that can be sent."""
    if schedule.next_run_at is None:
        message = "the time of the next run cannot be read"
        raise ValueError(message)
    for column, shape in SHAPES.items():
        if not isinstance(getattr(schedule, column), shape):
            message = f"{column} is not a {shape.__name__}"
            raise TypeError(message)


def respell_first(now: datetime) -> None:
    """Spell the earliest time anew if it has come by its value and not by its text, such as one with a T in the middle."""
    if connection.vendor != "sqlite":
        return
    rows = Schedule.objects.filter(next_run_at__isnull=False).order_by("next_run_at", "id")
    for pk, seen in rows.values_list("pk", "next_run_at")[:1]:
        if seen is not None and seen <= now:
            respell(pk)


def respell(pk: int) -> None:
    """Write the time of the next run as Django writes it, where SQLite has kept another spelling of the same moment.

    An update on the time seen does not find such a row, and it would be due for ever. Elsewhere times have one form.
    """
    if connection.vendor != "sqlite":
        return
    row = Schedule.objects.filter(pk=pk, next_run_at__isnull=False)
    with transaction.atomic():
        row.update(version=F("version"))  # the write comes first: until the end nobody else moves it on
        for seen in row.values_list("next_run_at", flat=True):
            if seen is not None and not row.filter(next_run_at=seen).exists():
                row.update(next_run_at=seen)
                logger.warning(
                    "the next run of schedule %s is spelled anew", pk, extra={"action": "respelled"}
                )
