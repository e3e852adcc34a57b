"""Several processes tell at once: nothing is counted twice, nothing is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import OperationalError, connection

from schedulerui.facts import RunState
from schedulerui.models import Attempt, ScheduleState
from schedulerui.operations.history import record
from tests.operations.history_cases import NEW, OLD, ended, make_run, received, report, started
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

N_THREADS = 4


def is_taken(report):
    record(report)
    return True


def tell(reports):
    """Tell as the recorder does: a refused write (a lock, a deadlock) is tried again."""
    try:
        for report in reports:
            eventually(partial(is_taken, report), within=60, every=0.01, ignoring=OperationalError)
    finally:
        connection.close()


def all_at_once(jobs):
    with ThreadPoolExecutor(N_THREADS) as pool:
        list(pool.map(tell, jobs))


def test_each_of_many_ends_counts_once_on_the_schedule(make_schedule):
    schedule = make_schedule()
    runs = [make_run(schedule=schedule) for _ in range(10 * N_THREADS)]
    all_at_once([[ended(run, RunState.FAILED) for run in runs[n::N_THREADS]] for n in range(N_THREADS)])
    state = ScheduleState.objects.get(schedule=schedule)
    assert (state.failure_streak, state.recent) == (40, "f0" * 30)


def test_a_delivery_told_by_two_processes_is_one_attempt():
    runs = [make_run() for _ in range(10)]
    main = [[received(run) for run in runs], [ended(run, RunState.FAILED, 3.0) for run in runs]]
    child = [
        [started(run) for run in runs],
        [ended(run, RunState.SUCCEEDED, 4.0, started=2.0) for run in runs],
    ]
    all_at_once([*main, *child])
    assert Attempt.objects.count() == 10
    for run in runs:
        run.refresh_from_db()
        assert run.state == run.attempts.get().state
        assert run.started_at is not None


def test_deliveries_that_are_told_by_several_processes_at_once_are_counted_in_their_order():
    runs = [make_run() for _ in range(5)]
    of_delivery = [
        [
            report(run, state, second + 2, received=second, started=second + 1, instance=instance)
            for run in runs
        ]
        for second, state, instance in [
            (1.0, RunState.STARTED, OLD),
            (10.0, RunState.STARTED, NEW),
            (20.0, RunState.FAILED, OLD),
            (30.0, RunState.SUCCEEDED, NEW),
        ]
    ]
    all_at_once(of_delivery)
    for run in runs:
        run.refresh_from_db()
        assert (run.state, run.delivery) == ("succeeded", 4)
        told = list(run.attempts.values_list("delivery", "state"))
        assert told == [(1, "started"), (2, "started"), (3, "failed"), (4, "succeeded")]
