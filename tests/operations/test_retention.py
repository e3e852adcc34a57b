"""Retention by count: the newest runs of each schedule stay, whatever their number before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import override_settings

from schedulerui.models import Attempt, Part, Run
from schedulerui.operations import retention
from schedulerui.operations.retention import Surplus
from schedulerui.testing import DULL_WEDNESDAY as NOW
from tests.web.people import a_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept():
    with override_settings(SCHEDULERUI={"CELERY_APP": "tests.celery_app.app", "KEEP_RUNS_PER_SCHEDULE": 3}):
        yield 3


def runs_of(schedule, n_runs, **fields):
    return [a_run(schedule, due_at=NOW - timedelta(minutes=n), **fields) for n in range(n_runs)]


def left(schedule):
    return [run.due_at for run in Run.objects.filter(schedule=schedule).newest_first()]


def test_the_newest_finished_runs_stay(make_schedule, kept):
    busy, quiet = make_schedule(), make_schedule()
    runs_of(busy, 10)
    runs_of(quiet, 2)
    assert Surplus().purge(NOW) == 7
    assert left(busy) == [NOW - timedelta(minutes=n) for n in range(3)]
    assert len(left(quiet)) == 2
    assert Surplus().purge(NOW) == 0


def test_active_runs_stay_and_do_not_count(make_schedule, kept):
    schedule = make_schedule()
    runs_of(schedule, 5, state="started")
    runs_of(schedule, 4)
    assert Surplus().purge(NOW) == 1
    assert len(left(schedule)) == 5 + 3


def test_what_hangs_on_a_run_goes_with_it(make_schedule, kept):
    schedule = make_schedule()
    runs = runs_of(schedule, 5)
    Attempt.objects.create(run=runs[4], state="succeeded")
    Part.objects.create(run=runs[4], position=0, path="0", task="tests.add", task_id="x")
    Run.objects.filter(pk=runs[0].pk).update(blocked_by=runs[4], retry_of=runs[3])
    Surplus().purge(NOW)
    assert not Attempt.objects.exists()
    assert not Part.objects.exists()
    assert Run.objects.get(pk=runs[0].pk).blocked_by_id is None


def test_it_goes_on_in_batches_and_stops_at_the_most(make_schedule, kept):
    schedule = make_schedule()
    runs_of(schedule, 10)
    assert Surplus().purge(NOW, batch=2, most=4) == 4
    assert len(left(schedule)) == 6


def test_it_goes_round_all_schedules_a_part_at_a_time(make_schedule, kept, monkeypatch):
    monkeypatch.setattr(retention, "LOOKED_AT", 2)
    schedules = [make_schedule() for _n in range(3)]
    for schedule in schedules:
        runs_of(schedule, 4)
    surplus = Surplus()
    assert [surplus.purge(NOW), surplus.purge(NOW), surplus.purge(NOW)] == [2, 1, 0]


def test_zero_keeps_all(make_schedule):
    with override_settings(SCHEDULERUI={"CELERY_APP": "tests.celery_app.app", "KEEP_RUNS_PER_SCHEDULE": 0}):
        runs_of(make_schedule(), 5)
        assert Surplus().purge(NOW) == 0
