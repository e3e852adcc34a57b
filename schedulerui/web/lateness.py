"""How late runs were sent: a difference of two columns, which no index answers, as each database computes it fastest."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, FloatField, Func, Q
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThan, LessThanOrEqual

DAY = 86_400
"""Seconds."""

NEAR = timedelta(milliseconds=3)
"""How far the number of days may be from the truth: each moment to a millisecond, and what a float loses."""


class _Days(Func):
    """A moment as a number of days, to the millisecond; of SQLite, which keeps moments as texts."""

    function = "julianday"
    output_field = FloatField()


def sent_later(than: timedelta) -> Q:
    """Ask for runs that were sent more than so long after they were due; for none that were not sent."""
    if connection.vendor != "sqlite":
        return Q(sent_at__gt=F("due_at") + than)
    is_surely = Q(GreaterThan(_seconds_late(), (than + NEAR).total_seconds()))
    is_perhaps = Q(GreaterThan(_seconds_late(), (than - NEAR).total_seconds()))
    return is_surely | (is_perhaps & Q(GreaterThan(_late(), than)))


def sent_within(limit: timedelta) -> Q:
    """Ask for runs that were sent no later than so long after they were due."""
    if connection.vendor != "sqlite":
        return Q(sent_at__lte=F("due_at") + limit)
    is_surely = Q(LessThanOrEqual(_seconds_late(), (limit - NEAR).total_seconds()))
    is_perhaps = Q(LessThanOrEqual(_seconds_late(), (limit + NEAR).total_seconds()))
    return is_surely | (is_perhaps & Q(LessThanOrEqual(_late(), limit)))


def _seconds_late() -> Combinable:
    # Fast and not exact: who is near the limit is asked a second time.
    return (_Days("sent_at") - _Days("due_at")) * DAY


def _late() -> Combinable:
    # Exact, to the microsecond, by a function of Python that Django has SQLite call: too slow for each row.
    return ExpressionWrapper(F("sent_at") - F("due_at"), output_field=DurationField())
