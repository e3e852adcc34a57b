"""How late runs were sent: a difference of two columns, which no index answers, as each database computes it fastest."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.db.models import F, FloatField, Func, Q
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThan, LessThanOrEqual

DAY = 86_400
"""Seconds."""


class _Days(Func):
    """A moment as a number of days, to the millisecond; of SQLite, which keeps moments as texts."""

    function = "julianday"
    output_field = FloatField()


def sent_later(than: timedelta) -> Q:
    """Ask for runs that were sent more than so long after they were due; for none that were not sent."""
    if connection.vendor == "sqlite":
        return Q(GreaterThan(_seconds_late(), than.total_seconds()))
    return Q(sent_at__gt=F("due_at") + than)


def sent_within(limit: timedelta) -> Q:
    """Ask for runs that were sent no later than so long after they were due."""
    if connection.vendor == "sqlite":
        return Q(LessThanOrEqual(_seconds_late(), limit.total_seconds()))
    return Q(sent_at__lte=F("due_at") + limit)


def _seconds_late() -> Combinable:
    # Django would call a function of Python for each row.
    return (_Days("sent_at") - _Days("due_at")) * DAY
