"""Runs by how late they were sent: to the microsecond, whatever the moment that they were due at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.models import Run
from schedulerui.web.lateness import sent_later, sent_within
from tests.web.people import a_run

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = timedelta(seconds=3.25)
A_BIT = timedelta(microseconds=1)


def runs_due_at_many_moments(*, late: timedelta) -> set[int]:
    """Runs due at moments whose part of a second is of each kind: none, halves of milliseconds, and odd ones."""
    parts = [0, 1, 499, 500, 501, 999, 1_000, 250_500, 499_999, 500_500, 749_500, 750_499, 999_500, 999_999]
    moments = [NOON + timedelta(seconds=7 * n, microseconds=part) for n in range(12) for part in parts]
    return {a_run(due_at=due_at, sent_at=due_at + late).pk for due_at in moments}


def found(condition) -> set[int]:
    return set(Run.objects.filter(condition).values_list("pk", flat=True))


def test_what_was_sent_exactly_that_late_was_not_sent_later():
    exactly = runs_due_at_many_moments(late=LIMIT)
    later = runs_due_at_many_moments(late=LIMIT + A_BIT)
    sooner = runs_due_at_many_moments(late=LIMIT - A_BIT)

    assert found(sent_later(LIMIT)) == later
    assert found(sent_within(LIMIT)) == exactly | sooner


def test_what_was_not_sent_is_neither_late_nor_in_time():
    a_run(due_at=NOON, sent_at=None)

    assert found(sent_later(timedelta(0))) == found(sent_within(LIMIT)) == set()
