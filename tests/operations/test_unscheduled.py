"""Rows for tasks that no schedule sent, and the log of a run, as reports bring them."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from schedulerui.facts import RunState, Trigger
from schedulerui.models import Run
from schedulerui.operations import housekeeping
from schedulerui.operations.history import record
from schedulerui.operations.reports import Report
from tests.operations.history_cases import OLD, after, ended, make_run, report, started

pytestmark = pytest.mark.django_db

S = RunState
TOLD = {"task": "shop.orders", "queue": "fast", "args": "(1,)", "origin": "gen7@here"}


def of_other_code(state, second=1.0, *, task_id="other-1", **fields):
    return Report(
        task_id=task_id,
        state=state,
        moment=after(second),
        attempt=0,
        worker="celery@one",
        instance=OLD,
        **{"received_at": after(1), "unscheduled": TOLD, **fields},
    )


def test_the_first_report_makes_the_row_and_the_others_move_it():
    for state, second in [(S.RECEIVED, 1.0), (S.STARTED, 2.0), (S.SUCCEEDED, 3.0)]:
        assert record(of_other_code(state, second))
    run = Run.objects.get()
    assert (run.key, run.trigger, run.schedule_id, run.task_id) == (
        "t:other-1",
        Trigger.TASK,
        None,
        "other-1",
    )
    assert (run.task, run.queue, run.state) == ("shop.orders", "fast", S.SUCCEEDED)
    assert run.headers == {"args": "(1,)", "origin": "gen7@here"}
    assert (run.due_at, run.received_at, run.sent_at) == (after(1), after(1), None)


@pytest.mark.parametrize(
    "fields",
    [{"unscheduled": None}, {"unscheduled": {}}, {"unscheduled": {"queue": "x"}}, {"task_id": "x" * 65}],
)
def test_it_makes_no_row_of_a_report_that_does_not_bring_enough(fields):
    assert not record(of_other_code(S.STARTED, **fields))
    assert Run.objects.count() == 0


def test_hostile_names_and_arguments_are_cut_and_cleaned():
    told = {"task": "t" * 500, "queue": "q\x00" * 500, "args": "a\ud800" * 5_000}
    assert record(of_other_code(S.STARTED, unscheduled=told))
    run = Run.objects.get()
    assert (len(run.task), len(run.headers["args"]) <= 1_000, "\x00" in run.queue) == (200, True, False)


@pytest.fixture
def most(settings):
    def choose(n_kept):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, "RECORD_ALL_MAX": n_kept}

    return choose


def test_only_the_newest_are_kept_and_those_of_schedules_do_not_count(most):
    most(3)
    ours = make_run(state=S.SUCCEEDED, at=after(-9_000))
    running = of_other_code(S.STARTED, task_id="running")
    record(running)
    for number in range(7):
        moment = after(10) + timedelta(seconds=number)
        record(of_other_code(S.SUCCEEDED, task_id=f"other-{number}", received_at=moment))
    assert housekeeping.purge_unscheduled(after(100), batch=2) == 4
    left = set(Run.objects.values_list("task_id", flat=True))
    assert left == {ours.task_id, "running", "other-4", "other-5", "other-6"}
    assert housekeeping.purge_unscheduled(after(100)) == 0


def test_what_a_run_logged_is_kept_with_it_once():
    run = make_run()
    record(started(run))
    told = ended(run, S.SUCCEEDED, started=2.0, log="12:00:00 INFO shop: done")
    record(told)
    record(told)
    run.refresh_from_db()
    assert run.log == "12:00:00 INFO shop: done"


def test_the_logs_of_all_attempts_are_kept_under_their_numbers():
    run = make_run()
    record(ended(run, S.RETRYING, started=2.0, log="first"))
    record(report(run, S.STARTED, 6.0, attempt=1, received=5.0, started=6.0))
    record(report(run, S.SUCCEEDED, 7.0, attempt=1, received=5.0, started=6.0, log="second"))
    run.refresh_from_db()
    assert run.log.splitlines() == ["first", "=== attempt 2, delivery 1 ===", "second"]


SO_FAR = "=== attempt 1, delivery 1, so far ==="


def log_of(run):
    run.refresh_from_db()
    return run.log.splitlines()


def test_what_a_body_logs_is_kept_while_it_runs_and_its_end_takes_its_place():
    run = make_run()
    record(started(run))
    for text in ("one", "one\ntwo"):
        record(started(run, log=text))
    assert log_of(run) == [SO_FAR, "one", "two"]
    assert run.state == S.STARTED
    record(ended(run, S.SUCCEEDED, started=2.0, log="one\ntwo\nthree"))
    assert log_of(run) == ["one", "two", "three"]
    record(started(run, log="one"))
    assert log_of(run) == ["one", "two", "three"]


def test_what_is_logged_so_far_takes_two_statements(django_assert_num_queries):
    run = make_run()
    record(started(run))
    with django_assert_num_queries(2):
        record(started(run, log="one"))


def test_the_lines_of_a_body_that_never_ended_stay_beside_those_of_the_next():
    run = make_run()
    record(started(run, log="one"))
    assert log_of(run) == [SO_FAR, "one"]
    record(report(run, S.STARTED, 6.0, attempt=1, received=5.0, started=6.0))
    record(report(run, S.STARTED, 6.0, attempt=1, received=5.0, started=6.0, log="two"))
    second = "=== attempt 2, delivery 1, so far ==="
    assert log_of(run) == [SO_FAR, "one", second, "two"]
    record(ended(run, S.RETRYING, started=2.0, log="one\nlast"))
    assert log_of(run)[:2] == [second, "two"]
    record(report(run, S.SUCCEEDED, 7.0, attempt=1, received=5.0, started=6.0, log="two\nthree"))
    assert log_of(run)[-3:] == ["=== attempt 2, delivery 1 ===", "two", "three"]
    assert SO_FAR not in run.log


def test_a_long_log_so_far_gives_way_to_its_end(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "LOG_TAIL_LIMIT": 100}
    run = make_run()
    record(started(run))
    record(started(run, log="a" * 300))
    assert log_of(run)[0] == SO_FAR
    assert len(run.log) <= 100
    record(ended(run, S.SUCCEEDED, started=2.0, log="b" * 20))
    assert log_of(run) == ["b" * 20]


def test_the_end_of_a_long_log_is_what_is_kept(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "LOG_TAIL_LIMIT": 100}
    run = make_run(task_id=str(uuid.uuid4()))
    record(ended(run, S.RETRYING, started=2.0, log="a" * 90))
    record(report(run, S.SUCCEEDED, 7.0, attempt=1, received=5.0, started=6.0, log="b" * 80 + "\x00end"))
    run.refresh_from_db()
    assert run.log.endswith("bend")
    assert run.log.startswith("[... cut ...]")
    assert len(run.log) < 120


def test_the_log_of_an_attempt_is_kept_when_the_next_one_was_told_of_before():
    run = make_run()
    record(started(run))
    record(report(run, S.RECEIVED, 3.0, attempt=1, received=3.0))
    assert not record(ended(run, S.RETRYING, 3.5, started=2.0, log="first"))
    record(report(run, S.SUCCEEDED, 5.0, attempt=1, received=3.0, log="second"))
    run.refresh_from_db()
    assert run.log.splitlines() == ["first", "=== attempt 2, delivery 1 ===", "second"]
