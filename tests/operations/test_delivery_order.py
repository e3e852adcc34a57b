"""Several deliveries of one run, told late, doubled and in any order: the run ends as its last delivery did, and stays so."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedulerui.facts import RunState, progress
from schedulerui.models import Worker
from schedulerui.operations import losses, starts
from schedulerui.operations.history import record
from schedulerui.operations.losses import mark_lost
from tests.operations.history_cases import NEW, OLD, after, make_run, received, report

pytestmark = pytest.mark.django_db

S = RunState
any_order = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def attempts_of(run):
    return list(run.attempts.values_list("attempt", "delivery", "state"))


def deliver(run, second, *states, instance=OLD, attempt=0):
    """The reports of a delivery that was received at this second, began one later and ended after another."""
    at = {S.RECEIVED: second, S.STARTED: second + 1}
    return [
        report(
            run,
            state,
            at.get(state, second + 2),
            attempt=attempt,
            received=second,
            started=None if state is S.RECEIVED else second + 1,
            instance=instance,
        )
        for state in states
    ]


def tell(run, reports):
    for one in reports:
        record(one)
    run.refresh_from_db()


def three_deliveries(run):
    return [
        *deliver(run, 1.0, S.RECEIVED, S.STARTED),
        *deliver(run, 10.0, S.STARTED, instance=NEW),
        *deliver(run, 20.0, S.RECEIVED, S.STARTED, S.SUCCEEDED),
    ]


@any_order
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=6))
def test_three_deliveries_end_as_the_last_one_whatever_order_they_are_told_in(order, again):
    run = make_run()
    told = three_deliveries(run)
    tell(run, [told[index] for index in (*order, *again)])
    assert (run.state, run.delivery, run.finished_at) == (S.SUCCEEDED, 3, after(22.0))
    assert run.progress == progress(S.SUCCEEDED, delivery=3)
    assert attempts_of(run) == [(0, 1, "started"), (0, 2, "started"), (0, 3, "succeeded")]


@any_order
@given(order=st.permutations(range(8)), again=st.lists(st.integers(0, 7), max_size=6))
def test_a_retry_that_is_delivered_twice_ends_as_its_last_delivery(order, again):
    run = make_run()
    told = [
        *deliver(run, 1.0, S.RECEIVED, S.STARTED, S.RETRYING),
        *deliver(run, 10.0, S.RECEIVED, S.STARTED, attempt=1),
        *deliver(run, 20.0, S.RECEIVED, S.STARTED, S.FAILED, attempt=1, instance=NEW),
    ]
    tell(run, [told[index] for index in (*order, *again)])
    assert (run.state, run.attempt, run.delivery) == (S.FAILED, 1, 2)
    assert attempts_of(run) == [(0, 1, "retrying"), (1, 1, "started"), (1, 2, "failed")]


def test_two_results_of_two_deliveries_leave_the_last_one():
    for order in permutations(range(4)):
        run = make_run()
        told = [
            *deliver(run, 1.0, S.STARTED, S.FAILED),
            *deliver(run, 10.0, S.STARTED, S.SUCCEEDED, instance=NEW),
        ]
        tell(run, [told[index] for index in (*order, *order)])
        assert (run.state, run.delivery, run.exception) == (S.SUCCEEDED, 2, ""), order
        assert attempts_of(run) == [(0, 1, "failed"), (0, 2, "succeeded")], order


def test_the_result_of_one_delivery_stands_when_the_other_is_lost_whatever_is_told_first():
    for order in permutations(range(4)):
        run = make_run()
        told = [
            *deliver(run, 1.0, S.STARTED, S.SUCCEEDED),
            *deliver(run, 10.0, S.STARTED, instance=NEW),
            report(run, S.LOST, 90.0, received=10.0, instance=NEW, reason="gone"),
        ]
        tell(run, [told[index] for index in order])
        assert (run.state, run.reason, run.finished_at) == (S.SUCCEEDED, "", after(3.0)), order
        assert run.progress == progress(S.SUCCEEDED, delivery=run.delivery), order
        # What another worker tells first of after a loss counts as the next delivery: its clock says nothing then.
        assert {row[2] for row in attempts_of(run)} == {"succeeded", "lost"}, order


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_message_that_came_back_to_the_broker_leaves_the_result_of_the_delivery_before(order):
    run = make_run()
    steps = [
        lambda: tell(run, deliver(run, 1.0, S.STARTED, S.SUCCEEDED)),
        lambda: tell(run, deliver(run, 10.0, S.RECEIVED, instance=NEW)),
        lambda: mark_lost(after(100)),
    ]
    for index in order:
        steps[index]()
    mark_lost(after(100))
    run.refresh_from_db()
    assert (run.state, run.reason, run.worker_instance) == (S.SUCCEEDED, "", OLD)
    assert {row[2] for row in attempts_of(run)} == {"succeeded", "lost"}


def test_a_start_of_the_same_worker_that_is_told_after_a_loss_is_counted_before_it():
    run = make_run()
    tell(run, deliver(run, 10.0, S.STARTED))
    mark_lost(after(100))
    tell(run, deliver(run, 1.0, S.STARTED))
    assert (run.state, run.delivery) == (S.LOST, 2)
    assert attempts_of(run) == [(0, 1, "started"), (0, 2, "lost")]


def test_a_duplicate_that_was_dropped_before_the_first_message_was_told_of_stops_nobody():
    for is_told in (False, True):
        run = make_run()
        dropped = report(run, S.IGNORED, 2.0, received=2.0, instance=NEW)
        if is_told:
            record(received(run, 2.0, instance=NEW))
        starts.drop(dropped, reason=starts.DUPLICATE)
        run.refresh_from_db()
        assert (run.state, run.delivery) == (S.SENT, 0)
        tell(run, deliver(run, 2.0, S.RECEIVED, instance=NEW))  # told late, or again
        assert (run.state, run.delivery) == (S.SENT, 0)
        tell(run, deliver(run, 1.0, S.STARTED, S.SUCCEEDED))
        assert run.state == S.SUCCEEDED
        assert sorted(row[2] for row in attempts_of(run)) == ["ignored", "succeeded"]


@pytest.mark.parametrize("state", [S.PENDING, S.UNSENT, S.SENT])
@pytest.mark.parametrize("first", [1.0, 9.0])
def test_what_runs_takes_the_number_that_was_kept_free_for_it(state, first):
    run = make_run(state=state, lease_until=after(30) if state is S.PENDING else None)
    starts.drop(report(run, S.IGNORED, 5.0, received=5.0, instance=NEW), reason=starts.DUPLICATE)
    tell(run, deliver(run, first, S.STARTED, S.SUCCEEDED))
    assert (run.state, run.delivery) == (S.SUCCEEDED, 1)
    assert attempts_of(run) == [(0, 1, "succeeded"), (0, 2, "ignored")]


def test_what_logged_before_and_after_stands_under_the_number_that_its_delivery_has():
    run = make_run()
    late = deliver(run, 1.0, S.STARTED, S.FAILED)
    second = deliver(run, 10.0, S.STARTED, instance=NEW)[0]
    tell(run, [second, replace(second, log="two")])
    tell(run, [replace(late[1], log="one")])
    tell(run, [replace(deliver(run, 10.0, S.SUCCEEDED, instance=NEW)[0], log="two and all")])
    assert run.log == ("=== attempt 1, delivery 1 ===\none\n=== attempt 1, delivery 2 ===\ntwo and all")


def test_what_a_body_logs_is_kept_under_its_own_delivery_when_one_worker_has_two():
    run = make_run()
    first, second = (deliver(run, second, S.STARTED)[0] for second in (1.0, 10.0))
    tell(run, [first, second, replace(second, log="two"), replace(first, log="one")])
    assert run.log == "=== attempt 1, delivery 2, so far ===\ntwo"


def test_the_loss_of_a_delivery_is_written_of_it_when_its_number_has_changed_meanwhile():
    run = make_run()
    tell(run, deliver(run, 10.0, S.STARTED))
    stale = list(losses._orphans(after(100)))
    tell(run, deliver(run, 1.0, S.STARTED, instance=NEW))
    record(losses._obituary(stale[0], after(100)))
    assert attempts_of(run) == [(0, 1, "started"), (0, 2, "lost")]
    run = make_run()
    tell(run, deliver(run, 10.0, S.RECEIVED))
    stale = list(losses._orphans(after(100)))
    tell(run, deliver(run, 1.0, S.RECEIVED, instance=NEW))
    losses._hand_back(stale[-1], after(100))
    run.refresh_from_db()
    assert (run.state, run.delivery) == (S.SENT, 2)


def test_that_one_worker_does_not_know_the_task_is_not_said_of_what_another_one_runs():
    run = make_run()
    unknown = report(run, S.REJECTED, 5.0, received=None, instance=NEW)
    begun, end = deliver(run, 100.0, S.STARTED, S.SUCCEEDED)
    tell(run, [begun, unknown, unknown, end])
    assert (run.state, run.delivery) == (S.SUCCEEDED, 2)
    assert attempts_of(run) == [(0, 1, "rejected"), (0, 2, "succeeded")]


LOSS = "the monitor looks after what was on workers that are gone"


def run_beside_a_living_worker(make_worker):
    """A run, and of the two workers only the new one alive; each example begins anew."""
    Worker.objects.all().delete()
    make_worker(instance=NEW, seen_at=after(90))
    return make_run()


def in_order(run, steps, order):
    for index in order:
        if steps[index] is LOSS:
            mark_lost(after(100))
        else:
            record(steps[index])
    mark_lost(after(100))  # as it does every few seconds
    run.refresh_from_db()


@any_order
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=6))
def test_a_message_that_was_handed_over_again_ends_the_same_whatever_is_told_first(make_worker, order, again):
    run = run_beside_a_living_worker(make_worker)
    again_delivered = deliver(run, 50.0, S.RECEIVED, S.STARTED, S.SUCCEEDED, instance=NEW)
    steps = [*deliver(run, 1.0, S.RECEIVED), LOSS, LOSS, *again_delivered]
    in_order(run, steps, (*order, *again))
    assert (run.state, run.delivery, run.worker_instance) == (S.SUCCEEDED, 2, NEW)
    assert attempts_of(run) == [(0, 1, "lost"), (0, 2, "succeeded")]


@any_order
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=6))
def test_a_result_that_comes_late_gives_way_to_that_of_the_next_delivery(make_worker, order, again):
    run = run_beside_a_living_worker(make_worker)
    late = deliver(run, 1.0, S.STARTED, S.SUCCEEDED)
    next_one = deliver(run, 50.0, S.STARTED, S.FAILED, instance=NEW)
    in_order(run, [*late, LOSS, LOSS, *next_one], (*order, *again))
    assert (run.state, run.delivery) == (S.FAILED, 2)
    assert attempts_of(run) == [(0, 1, "succeeded"), (0, 2, "failed")]


@any_order
@given(order=st.permutations(range(5)), again=st.lists(st.sampled_from([0, 1, 3, 4]), max_size=4))
def test_a_dropped_duplicate_changes_no_end_whenever_it_is_dropped_or_told_of(order, again):
    run = make_run()
    steps = [
        *(lambda one=one: record(one) for one in deliver(run, 1.0, S.STARTED, S.SUCCEEDED)),
        lambda: starts.drop(report(run, S.IGNORED, 6.0, received=5.0, instance=NEW), reason=starts.DUPLICATE),
        *(lambda one=one: record(one) for one in deliver(run, 5.0, S.RECEIVED, instance=NEW)),
        *(lambda one=one: record(one) for one in deliver(run, 1.0, S.RECEIVED)),
    ]
    for index in (*order, *again):
        steps[index]()
    run.refresh_from_db()
    assert run.state == S.SUCCEEDED
    assert sorted(row[2] for row in attempts_of(run)) == ["ignored", "succeeded"]
