"""The life of a run as workers tell it: every sequence that was seen of real workers, in every order."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedulerui.facts import FINISHED, RunState, progress
from schedulerui.models import Attempt, Run, ScheduleState
from schedulerui.operations.history import TOLD, append_outcome, record
from schedulerui.operations.losses import mark_lost
from schedulerui.operations.reports import Report
from tests.operations.history_cases import NEW, OLD, after, ended, make_run, received, report, started

pytestmark = pytest.mark.django_db

S = RunState


def ok(run):
    return [received(run), started(run), ended(run, S.SUCCEEDED, started=2.0, runtime=1.0, result="3")]


def exception(run):
    return [
        received(run),
        started(run),
        ended(run, S.FAILED, started=2.0, exception="ValueError: no", traceback="tb"),
    ]


def hard_limit(run):
    # The parent tells it twice; the child's end comes without a state, which is no report.
    return [received(run), started(run), ended(run, S.FAILED, 3.0), ended(run, S.FAILED, 3.1)]


def ignored(run):
    return [received(run), started(run), ended(run, S.IGNORED, started=2.0)]


def rejected(run):
    return [received(run), started(run), ended(run, S.REJECTED, started=2.0), ended(run, S.REJECTED, 3.5)]


def expired(run):
    return [ended(run, S.EXPIRED, received=None, reason="too late")]


def expired_after_receipt(run):
    return [received(run), ended(run, S.EXPIRED)]


def unknown(run):
    return [ended(run, S.REJECTED, received=None, reason="no worker knows the task")]


def terminated(run):
    return [received(run), started(run), ended(run, S.REVOKED, reason="terminated (15)")]


def killed_and_delivered_again(run):
    second = {"received": 10.0, "started": 11.0}
    return [
        received(run),
        started(run),
        received(run, 10.0),
        report(run, S.STARTED, 11.0, **second),
        report(run, S.SUCCEEDED, 12.0, **second),
    ]


def retried_once(run):
    second = {"attempt": 1, "received": 5.0, "started": 6.0}
    return [
        received(run),
        started(run),
        ended(run, S.RETRYING, started=2.0, exception="TimeoutError: busy"),
        received(run, 5.0, attempt=1),
        report(run, S.STARTED, 6.0, **second),
        report(run, S.SUCCEEDED, 7.0, **second),
    ]


SEQUENCES = [
    (ok, S.SUCCEEDED, ["succeeded"]),
    (exception, S.FAILED, ["failed"]),
    (hard_limit, S.FAILED, ["failed"]),
    (ignored, S.IGNORED, ["ignored"]),
    (rejected, S.REJECTED, ["rejected"]),
    (expired, S.EXPIRED, ["expired"]),
    (expired_after_receipt, S.EXPIRED, ["expired"]),
    (unknown, S.REJECTED, ["rejected"]),
    (terminated, S.REVOKED, ["revoked"]),
    (killed_and_delivered_again, S.SUCCEEDED, ["started", "succeeded"]),
    (retried_once, S.SUCCEEDED, ["retrying", "succeeded"]),
]


def attempts_of(run):
    return list(run.attempts.values_list("attempt", "delivery", "state"))


@pytest.mark.parametrize(
    ("sequence", "state", "attempts"), SEQUENCES, ids=lambda value: getattr(value, "__name__", "")
)
def test_it_ends_in_the_state_that_the_worker_told(sequence, state, attempts):
    run = make_run()
    for told in sequence(run):
        record(told)
    run.refresh_from_db()
    assert run.state == state
    assert run.finished_at is not None
    assert [row[2] for row in attempts_of(run)] == attempts


@pytest.mark.parametrize("sequence", [ok, exception, ignored, expired_after_receipt, terminated])
def test_the_order_of_reports_does_not_matter_when_they_are_shuffled_and_repeated(sequence):
    seen = set()
    for order in permutations(range(len(sequence(make_run())))):
        run = make_run()
        told = sequence(run)
        for index in (*order, *order):
            record(told[index])
        run.refresh_from_db()
        (row,) = run.attempts.values_list(
            "attempt", "delivery", "state", "received_at", "started_at", "finished_at"
        )
        seen.add((run.state, run.progress, run.received_at, run.started_at, run.finished_at, run.result, row))
    assert len(seen) == 1


def test_a_message_that_came_twice_ends_the_same_whatever_order_its_reports_come_in():
    for order in permutations(range(5)):
        run = make_run()
        told = killed_and_delivered_again(run)
        for index in (*order, *order):
            record(told[index])
        run.refresh_from_db()
        assert (run.state, run.delivery, run.finished_at) == (S.SUCCEEDED, 2, after(12.0)), order
        assert (run.received_at, run.started_at) == (after(1.0), after(2.0)), order
        assert run.progress == progress(S.SUCCEEDED, delivery=2), order
        assert attempts_of(run) == [(0, 1, "started"), (0, 2, "succeeded")], order


def test_a_start_that_is_told_after_the_end_of_the_next_delivery_does_not_open_the_run_again(schedule):
    run = make_run(schedule=schedule)
    late, *_rest = told = [
        report(run, S.STARTED, 2.0, started=2.0, received=1.0),
        received(run, 10.0, instance=NEW),
        report(run, S.SUCCEEDED, 12.0, received=10.0, started=11.0, instance=NEW),
    ]
    for one in [*told[1:], late]:
        record(one)
    run.refresh_from_db()
    assert (run.state, run.worker_instance, run.delivery) == (S.SUCCEEDED, NEW, 2)
    assert attempts_of(run) == [(0, 1, "started"), (0, 2, "succeeded")]
    assert (state_of(schedule).last_state, state_of(schedule).recent) == ("succeeded", "s6")


@pytest.mark.parametrize("behind", [0.5, 30.0])
def test_what_comes_after_a_loss_is_the_next_delivery_by_whichever_clock(behind):
    run = make_run()
    record(received(run, 50.0))
    mark_lost(after(100))
    record(report(run, S.STARTED, 101.0, started=101.0, received=50.0 - behind, instance=NEW))
    run.refresh_from_db()
    assert (run.state, run.delivery) == (S.STARTED, 2)


def test_clocks_that_are_a_little_apart_do_not_say_which_delivery_was_first():
    run = make_run()
    record(started(run, 51.0, received=50.0))
    record(report(run, S.STARTED, 52.0, started=52.0, received=49.5, instance=NEW))
    run.refresh_from_db()
    assert (run.state, run.delivery, run.worker_instance) == (S.STARTED, 2, NEW)


def test_a_worker_with_a_wrong_clock_still_ends_the_run_that_another_one_lost():
    run = make_run()
    record(started(run, 51.0, received=50.0))
    record(report(run, S.STARTED, 52.0, started=22.0, received=21.0, instance=NEW))
    assert mark_lost(after(100)) == 1
    record(report(run, S.SUCCEEDED, 53.0, started=22.0, received=21.0, instance=NEW))
    run.refresh_from_db()
    assert (run.state, run.reason, run.worker_instance) == (S.SUCCEEDED, "", NEW)
    assert run.progress == progress(S.SUCCEEDED, delivery=run.delivery)
    assert [row[1:] for row in attempts_of(run)] == [(1, "succeeded"), (2, "lost")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=6))
def test_a_retry_ends_the_same_whatever_order_its_reports_come_in(order, again):
    run = make_run()
    told = retried_once(run)
    for index in (*order, *again):
        record(told[index])
    run.refresh_from_db()
    assert (run.state, run.attempt, run.delivery) == (S.SUCCEEDED, 1, 1)
    assert run.received_at == after(1.0)
    assert run.started_at == after(2.0)
    assert attempts_of(run) == [(0, 1, "retrying"), (1, 1, "succeeded")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(TOLD)), st.integers(0, 2)), max_size=8))
def test_progress_never_goes_back_whatever_is_told(told):
    run = make_run()
    before = run.progress
    for state, attempt in told:
        moved = record(report(run, state, 2.0, attempt=attempt))
        run.refresh_from_db()
        assert run.progress > before if moved else run.progress == before
        assert (run.finished_at is not None) is (RunState(run.state) in FINISHED)
        before = run.progress


@pytest.mark.parametrize("first", [[], [received]], ids=["told only of its end", "told of its arrival too"])
def test_who_cancelled_it_is_named_when_a_worker_gave_it_up_before_its_start(first):
    run = make_run(cancel_requested_at=after(0), cancel_requested_by="ana")
    for make in first:
        record(make(run))
    record(ended(run, S.REVOKED, reason="revoked before it started"))
    run.refresh_from_db()
    reasons = [run.reason, *run.attempts.values_list("reason", flat=True)]
    assert reasons == ["cancelled by ana before it started"] * 2


def test_a_body_that_was_ended_keeps_the_worker_s_words():
    run = make_run(cancel_requested_at=after(0), cancel_requested_by="ana")
    for one in terminated(run):
        record(one)
    run.refresh_from_db()
    assert run.reason == "terminated (15)"


def test_the_first_end_stands_when_two_ends_are_told():
    run = make_run()
    assert record(ended(run, S.REVOKED, reason="terminated"))
    assert not record(ended(run, S.SUCCEEDED, 4.0, result="3"))
    run.refresh_from_db()
    assert (run.state, run.result, run.reason) == (S.REVOKED, "", "terminated")


def test_a_report_of_a_stranger_changes_nothing_and_costs_two_queries(django_assert_num_queries):
    stranger = make_run()
    Run.objects.all().delete()
    with django_assert_num_queries(2):
        assert not record(started(stranger))


def test_it_refuses_a_state_that_no_worker_can_tell():
    with pytest.raises(ValueError, match="pending"):
        record(report(make_run(), S.PENDING, 1.0))


def test_run_time_is_measured_from_the_start_when_the_worker_did_not_tell_it():
    run = make_run()
    for told in hard_limit(run):
        record(told)
    run.refresh_from_db()
    assert run.runtime == pytest.approx(1.0)


def test_what_tasks_return_is_cut_and_cleaned():
    run = make_run()
    record(ended(run, S.FAILED, exception="a\x00b\ud800c", traceback="x" * 100_000, reason="r" * 600))
    run.refresh_from_db()
    assert run.exception == "ab?c"
    assert len(run.traceback) <= 32_768
    assert "cut" in run.traceback
    assert len(run.reason) == 500


def test_a_second_delivery_opens_a_lost_run_again_and_clears_its_reason():
    run = make_run()
    record(received(run))
    record(started(run))
    assert mark_lost(after(100)) == 1
    run.refresh_from_db()
    assert (run.state, run.finished_at) == (S.LOST, after(100))
    assert "gone" in run.reason
    assert record(received(run, 200.0, instance=NEW))
    run.refresh_from_db()
    assert (run.state, run.delivery, run.finished_at, run.reason) == (S.RECEIVED, 2, None, "")
    assert attempts_of(run) == [(0, 1, "lost"), (0, 2, "received")]


def test_a_late_result_corrects_a_lost_run():
    run = make_run()
    record(started(run))
    mark_lost(after(100))
    assert record(ended(run, S.SUCCEEDED, 3.0, started=2.0))
    run.refresh_from_db()
    assert (run.state, run.finished_at, run.reason) == (S.SUCCEEDED, after(3.0), "")


@pytest.fixture
def schedule(make_schedule):
    return make_schedule()


def state_of(schedule):
    return ScheduleState.objects.get(schedule=schedule)


def test_an_end_is_told_to_the_schedule_once(schedule):
    run = make_run(schedule=schedule)
    for told in [*hard_limit(run), *hard_limit(run)]:
        record(told)
    state = state_of(schedule)
    assert (state.last_state, state.recent, state.failure_streak) == ("failed", "f6", 1)


def test_success_ends_the_streak_and_a_revoked_run_leaves_it(schedule):
    for state, streak in [(S.FAILED, 1), (S.FAILED, 2), (S.REVOKED, 2), (S.FAILED, 3), (S.SUCCEEDED, 0)]:
        record(ended(make_run(schedule=schedule), state))
        assert state_of(schedule).failure_streak == streak
    assert state_of(schedule).recent == "f0f0x0f0s0"


def test_an_older_run_does_not_change_the_last_state_when_it_ends_later(schedule):
    old = make_run(schedule=schedule)
    new = make_run(schedule=schedule)
    record(started(new))
    record(ended(old, S.FAILED))
    state = state_of(schedule)
    assert (state.last_run_id, state.last_state, state.recent) == (new.pk, "started", "f0")


def test_a_corrected_run_counts_once_in_the_account(schedule):
    record(ended(make_run(schedule=schedule), S.SUCCEEDED))
    run = make_run(schedule=schedule, at=after(60))
    record(started(run))
    mark_lost(after(200))
    assert state_of(schedule).recent == "s0l0"
    assert state_of(schedule).failure_streak == 1
    record(ended(run, S.SUCCEEDED, 3.0, started=2.0, runtime=0.03))
    assert (state_of(schedule).recent, state_of(schedule).failure_streak) == ("s0s2", 0)


def test_a_run_delivered_twice_counts_once_in_the_account(schedule):
    run = make_run(schedule=schedule)
    for told in ok(run):
        record(told)
    record(received(run, 10.0))
    record(report(run, S.SUCCEEDED, 12.0, received=10.0, runtime=1.0))
    assert state_of(schedule).recent == "s6"


@pytest.mark.parametrize("told", [math.inf, -math.inf, math.nan, -1.0, 1e300])
def test_a_run_time_that_cannot_be_is_taken_from_the_moments_instead(schedule, told):
    run = make_run(schedule=schedule)
    spooled = ended(run, S.SUCCEEDED, 3.0, started=2.0, runtime=told).encode()
    record(Report.decode(spooled))
    run.refresh_from_db()
    assert run.runtime == Attempt.objects.get().runtime == 1.0
    assert state_of(schedule).usual_runtime == 1.0


@pytest.mark.parametrize(
    ("recent", "state", "runtime", "expected"),
    [
        ("", S.SUCCEEDED, None, "s0"),
        ("s0", S.FAILED, 0.005, "s0f0"),
        ("", S.SUCCEEDED, 0.01, "s1"),
        ("", S.SUCCEEDED, 1.0, "s6"),
        ("", S.SUCCEEDED, 1e9, "s9"),
        ("", S.LOST, float("nan"), "l0"),
        ("f1", S.STARTED, None, "f1"),
        ("s0" * 30, S.MISSED, None, "s0" * 29 + "m0"),
        ("s", S.SKIPPED, None, "k0"),
    ],
)
def test_outcomes_are_pairs_of_a_letter_and_a_digit(recent, state, runtime, expected):
    assert append_outcome(recent, state, runtime) == expected


def test_only_what_ran_on_a_silent_instance_is_lost(make_worker):
    silent, alive = make_run(), make_run()
    record(started(silent, instance=OLD))
    record(started(alive, instance=NEW))
    make_worker(instance=OLD, seen_at=after(10))
    make_worker(instance=NEW, seen_at=after(90))
    assert mark_lost(after(100)) == 1
    assert mark_lost(after(100)) == 0
    silent.refresh_from_db()
    alive.refresh_from_db()
    assert (silent.state, alive.state) == (S.LOST, S.STARTED)


def test_a_run_on_an_instance_without_a_row_is_lost_only_after_a_while():
    run = make_run()
    record(started(run, 2.0))
    assert mark_lost(after(31)) == 0
    assert mark_lost(after(33)) == 1


def test_a_run_that_ended_elsewhere_keeps_its_end_when_its_first_delivery_is_lost():
    run = make_run()
    for told in killed_and_delivered_again(run):
        record(told)
    assert mark_lost(after(500)) == 0
    run.refresh_from_db()
    assert run.state == S.SUCCEEDED
    assert attempts_of(run) == [(0, 1, "lost"), (0, 2, "succeeded")]


def test_what_a_dead_worker_had_only_received_is_sent_and_not_started_again(schedule):
    run = make_run(schedule=schedule)
    record(received(run))
    assert mark_lost(after(100)) == 1
    assert mark_lost(after(200)) == 0
    run.refresh_from_db()
    assert (run.state, run.received_at, run.worker_instance, run.finished_at) == (S.SENT, None, None, None)
    assert run.reason == "celery@one died before it started this; the broker will hand it over again"
    assert attempts_of(run) == [(0, 1, "lost")]
    state = state_of(schedule)
    assert (state.last_state, state.recent, state.failure_streak) == ("sent", "", 0)


def test_a_message_that_was_handed_over_again_starts_as_another_delivery():
    run = make_run()
    record(received(run))
    mark_lost(after(100))
    for told in [
        received(run, 200.0, instance=NEW),
        report(run, S.STARTED, 201.0, received=200.0, instance=NEW),
    ]:
        assert record(told)
    run.refresh_from_db()
    assert (run.state, run.delivery, run.reason) == (S.STARTED, 2, "")
    assert attempts_of(run) == [(0, 1, "lost"), (0, 2, "started")]


def test_late_reports_of_a_message_that_was_handed_back_change_nothing_but_a_result_does():
    run = make_run()
    record(received(run))
    mark_lost(after(100))
    assert not record(received(run))
    assert not record(started(run))
    run.refresh_from_db()
    assert run.state == S.SENT
    assert record(ended(run, S.SUCCEEDED, 3.0, started=2.0))
    run.refresh_from_db()
    assert (run.state, run.reason, attempts_of(run)) == (S.SUCCEEDED, "", [(0, 1, "succeeded")])


def test_a_retry_that_a_dead_worker_held_is_handed_back_too():
    run = make_run()
    record(started(run))
    record(ended(run, S.RETRYING, started=2.0))
    record(received(run, 5.0, attempt=1))
    assert mark_lost(after(100)) == 1
    run.refresh_from_db()
    assert (run.state, run.attempt) == (S.SENT, 1)
