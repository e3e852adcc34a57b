"""What a finished run leaves on its schedule for the orders of the list: how often it fails, how long it takes."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from schedulerui.facts import RunState
from schedulerui.models import Run, ScheduleState
from schedulerui.operations import outcomes
from schedulerui.operations.outcomes import failure_rate, usual_runtime
from tests.operations.history_cases import make_run

migration = importlib.import_module("schedulerui.migrations.0012_orders_of_runs")


@pytest.mark.parametrize(
    ("recent", "rate"),
    [
        ("", None),
        ("s1s2", None),
        ("m0k0x0", None),
        ("f1", 1000),
        ("s1f1s1", 333),
        ("s1f1k0m0x1", 500),
        ("s1l0e0u0", 750),
    ],
)
def test_it_counts_failures_among_what_was_to_run(recent, rate):
    assert failure_rate(recent) == rate


@pytest.mark.parametrize(
    ("usual", "recent", "runtime", "after"),
    [
        (None, "", 4.0, 4.0),
        (4.0, "s5", 8.0, 6.0),
        (6.0, "s5f5", 12.0, 8.0),
        (6.0, "m0s5k0", 12.0, 9.0),
        (10.0, "s5" * 30, 20.0, 11.0),
        (10.0, "s5", None, 10.0),
        (10.0, "s5", float("nan"), 10.0),
        (10.0, "s5", float("inf"), 10.0),
        (10.0, "s5", -1.0, 10.0),
        (None, "", 0.0, 0.0),
    ],
)
def test_the_usual_run_time_follows_the_newer_runs(usual, recent, runtime, after):
    assert usual_runtime(usual, recent, runtime) == after


@pytest.mark.django_db
def test_it_keeps_both_with_the_schedule_when_a_run_ends(make_schedule):
    run = make_run(schedule=make_schedule())
    for state, runtime in ((RunState.SUCCEEDED, 2.0), (RunState.FAILED, 4.0)):
        outcomes.follow(run, state, runtime=runtime, is_again=False)
    kept = ScheduleState.objects.get(schedule=run.schedule_id)
    assert (kept.recent, kept.failure_rate, kept.usual_runtime) == ("s7f8", 500, 3.0)


@pytest.mark.django_db
def test_it_counts_anew_from_the_rows_when_an_end_is_told_late(make_schedule):
    run = make_run(schedule=make_schedule())
    ScheduleState.objects.filter(pk=run.schedule_id).update(recent="l0", failure_rate=1000, usual_runtime=70)
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, runtime=2.0)
    outcomes.follow(run, RunState.SUCCEEDED, runtime=2.0, is_again=True)
    kept = ScheduleState.objects.get(schedule=run.schedule_id)
    assert (kept.recent, kept.failure_rate, kept.usual_runtime) == ("s7", None, 2.0)


@pytest.mark.django_db
def test_migrating_tells_both_from_what_was_kept(make_schedule):
    run = make_run(schedule=make_schedule())
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, runtime=2.5)
    states = ScheduleState.objects.filter(pk=run.schedule_id)
    states.update(recent="s7f8s7l0x0m0", last_run_id=run.pk, failure_rate=None, usual_runtime=None)
    migration.tell_from_what_is_kept(apps, SimpleNamespace(connection=connection))
    assert (states.get().failure_rate, states.get().usual_runtime) == (500, 2.5)
