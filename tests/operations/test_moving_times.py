"""When an imported schedule runs next, and when Celery would have run it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.moving import importing, rows
from schedulerui.moving.draft import Surroundings
from schedulerui.testing import DULL_WEDNESDAY
from tests.old_tables import old_tables

pytestmark = pytest.mark.django_db
NOW = DULL_WEDNESDAY
AROUND = Surroundings(now=NOW, zone="Europe/Berlin")
NIGHTLY = {"crontab": "30 3 * * *"}


@pytest.fixture(scope="module")
def tables(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), old_tables() as old:
        yield old


@pytest.fixture
def import_row(tables):
    def do(*, around=AROUND, **columns):
        tables.add("report", **columns)
        (draft,) = importing.plan(rows.read(), around)
        importing.carry_out([draft], actor=Actor(name="ana"), now=around.now)
        return draft, Schedule.objects.get()

    return do


AS_BEFORE: dict[str, dict[str, Any]] = {
    "a crontab": NIGHTLY,
    "a crontab in a zone": {**NIGHTLY, "zone": "America/New_York"},
    "both days": {"crontab": "0 0 13 * fri"},
    "the last days": {"crontab": "*/7 */10 28-3 */3 *"},
    "an interval": {"interval": (90, "minutes"), "last_run_at": NOW - timedelta(minutes=5)},
    "an interval to begin": {"interval": (1, "minutes"), "start_time": NOW + timedelta(days=1)},
    "a crontab to begin": {**NIGHTLY, "start_time": NOW + timedelta(days=40)},
    "an end": {"crontab": "0 15 * * *", "expires": NOW + timedelta(days=1, hours=4)},
    "once": {**NIGHTLY, "one_off": True},
    "a moment": {"clocked": NOW + timedelta(days=1), "one_off": True},
    "the sun": {"solar": ("dawn_civil", "52.520000", "13.400000")},
    "off": {**NIGHTLY, "enabled": False},
}


@pytest.mark.parametrize("what", AS_BEFORE)
def test_it_runs_when_celery_would_have(what, import_row):
    draft, schedule = import_row(**AS_BEFORE[what])
    new, former = importing.new_times(draft, now=NOW), importing.former_times(draft, now=NOW)
    assert importing.is_same(draft, new, former), (new, former)
    assert new[:1] == [at for at in [schedule.next_run_at] if at]
    assert bool(new) is schedule.enabled


def test_it_says_when_celery_would_have_run_at_once(import_row):
    draft, _schedule = import_row(interval=(1, "hours"), last_run_at=NOW - timedelta(minutes=90))
    former = importing.former_times(draft, now=NOW)
    assert former[0] == NOW
    assert importing.new_times(draft, now=NOW)[0] == NOW + timedelta(minutes=30)


def test_it_tells_where_the_night_of_a_clock_change_makes_a_difference(import_row):
    evening = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    around = replace(AROUND, now=evening)
    draft, _schedule = import_row(crontab="30 2 * * *", zone="Europe/Berlin", around=around)
    new, former = importing.new_times(draft, now=evening), importing.former_times(draft, now=evening)
    assert not importing.is_same(draft, new, former)
    assert new[0] == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert new[1:] == former[1:]
