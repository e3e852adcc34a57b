"""The guard's decisions one by one, and what a task is told of its run."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime

import pytest
from celery import _state
from celery.exceptions import Ignore
from django.db import OperationalError

import schedulerui
from schedulerui import messages
from schedulerui.facts import RunState, progress
from schedulerui.models import Run
from schedulerui.operations import starts
from schedulerui.operations.history import record
from schedulerui.recorder import admission
from schedulerui.testing import DULL_WEDNESDAY
from tests.celery_app import app
from tests.operations.history_cases import make_run, report

S = RunState
pytestmark = pytest.mark.django_db


@app.task(name="tests.guarded", base=schedulerui.ScheduledTask)
def guarded():
    return schedulerui.current_run()


@pytest.fixture
def admitted():
    """Return a function that asks the guard about a delivery of a run: True when its body may begin."""

    def ask(run, *, delivery="at_least_once", **request):
        header = {"run": str(run.uuid), "delivery": delivery}
        guarded.push_request(id=run.task_id, schedulerui=header, called_directly=False, **request)
        try:
            admission.admit(guarded)
        except Ignore:
            return False
        finally:
            guarded.pop_request()
        return True

    return ask


def begin(run, **options):
    values = {"run": str(run.uuid), "token": "t", "may_repeat": False, **options}
    return starts.begin(run.task_id, **values)


def test_it_takes_the_start_in_one_statement_when_nobody_has(django_assert_num_queries):
    run = make_run()
    with django_assert_num_queries(1):
        assert not begin(run, token="mine").reason
    run.refresh_from_db()
    assert run.start_token == "mine"


def test_it_refuses_a_second_start_and_lets_a_repeated_one_pass(admitted):
    run = make_run()
    assert admitted(run)
    assert not admitted(run)
    assert admitted(run, retries=1)
    assert admitted(run, delivery_info={"redelivered": True})
    assert admitted(run, replaced_task_nesting=1)


def test_it_refuses_a_cancelled_run_also_when_it_is_a_retry_or_a_part(admitted):
    run = make_run(cancel_requested_at=DULL_WEDNESDAY, cancel_requested_by="ana")
    assert not admitted(run)
    assert not admitted(run, retries=1)
    part = starts.begin("a-part", run=str(run.uuid), token="t", may_repeat=False)
    assert part.reason == "cancelled by ana before it started"


def test_it_lets_a_part_and_a_run_without_a_row_begin(admitted):
    run = make_run()
    assert not starts.begin("a-part", run=str(run.uuid), token="t", may_repeat=False).reason
    run.refresh_from_db()
    assert run.start_token is None
    Run.objects.all().delete()
    assert admitted(run)


def test_it_runs_at_least_once_and_refuses_at_most_once_when_the_database_is_away(admitted, monkeypatch):
    def away(*_args, **_options):
        raise OperationalError("gone")

    run = make_run()
    monkeypatch.setattr(starts, "begin", away)
    assert admitted(run)
    assert not admitted(run, delivery="at_most_once")


def test_it_does_not_ask_the_database_for_messages_that_no_schedule_sent(django_assert_num_queries):
    guarded.push_request(id="x", called_directly=False)
    try:
        with django_assert_num_queries(0):
            admission.admit(guarded)
    finally:
        guarded.pop_request()


def test_it_puts_the_run_back_when_the_dropped_message_had_moved_it():
    run = make_run(state=S.RECEIVED)
    Run.objects.filter(pk=run.pk).update(
        attempt=0, delivery=2, progress=progress(S.RECEIVED, attempt=0, delivery=2)
    )
    told = report(run, S.RECEIVED, 1.0)
    run.attempts.create(attempt=0, delivery=1, state=S.SUCCEEDED, runtime=2.5, finished_at=DULL_WEDNESDAY)
    run.attempts.create(
        attempt=0, delivery=2, state=S.RECEIVED, worker_instance=told.instance, received_at=told.received_at
    )
    starts.drop(told, reason=starts.DUPLICATE)
    run.refresh_from_db()
    assert (run.state, run.delivery, run.runtime) == (S.SUCCEEDED, 1, 2.5)
    assert run.attempts.get(delivery=2).reason == starts.DUPLICATE


def test_it_leaves_the_first_delivery_to_the_message_that_runs():
    run = make_run()
    starts.drop(report(run, S.IGNORED, 1.0), reason=starts.DUPLICATE)
    run.refresh_from_db()
    assert run.state == S.SENT
    assert [row.delivery for row in run.attempts.all()] == [2]


def test_it_does_not_move_the_run_when_the_arrival_of_a_dropped_message_is_told_late():
    run = make_run(state=S.SUCCEEDED)
    run.attempts.create(attempt=0, delivery=1, state=S.SUCCEEDED)
    starts.drop(report(run, S.IGNORED, 1.0), reason=starts.DUPLICATE)
    assert not record(report(run, S.RECEIVED, 1.0))
    run.refresh_from_db()
    assert run.state == S.SUCCEEDED


def test_it_tells_a_task_its_run_from_the_message_alone(django_assert_num_queries):
    run = make_run(
        nominal_at=DULL_WEDNESDAY, previous_nominal_at=datetime(2026, 7, 1, tzinfo=UTC), schedule_version=3
    )
    header = messages.message_options(run)["headers"]["schedulerui"]
    with django_assert_num_queries(0):
        told = told_with(header, retries=2)
    assert (told.run, told.version, told.attempt) == (run.uuid, 3, 2)
    assert told.nominal_at == DULL_WEDNESDAY
    assert told.previous_nominal_at == run.previous_nominal_at
    with pytest.raises(AttributeError):
        told.version = 4


@pytest.mark.parametrize(
    "header", [None, "text", {}, {"run": "x"}, {"run": str(uuid.uuid4()), "nominal": "x"}]
)
def test_it_tells_nothing_when_the_header_is_not_ours(header):
    assert told_with(header) is None


def test_it_tells_nothing_outside_of_a_task():
    assert schedulerui.current_run() is None


def told_with(header, **request):
    guarded.push_request(id="x", schedulerui=header, **request)
    _state._task_stack.push(guarded)  # type: ignore[attr-defined]  # missing in the stubs
    try:
        return schedulerui.current_run()
    finally:
        _state._task_stack.pop()  # type: ignore[attr-defined]  # missing in the stubs
        guarded.pop_request()


def test_it_is_a_host_s_task_class_before_django_is_set_up():
    code = (
        "import sys; from celery import Celery\n"
        "app = Celery(task_cls='schedulerui.recorder.guard:ScheduledTask')\n"
        "assert app.Task.schedulerui_guards\n"
        "import schedulerui; assert issubclass(app.Task, schedulerui.ScheduledTask)\n"
        "assert 'schedulerui.models' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_it_says_which_name_is_not_there():
    with pytest.raises(AttributeError, match="nonsense"):
        schedulerui.nonsense  # noqa: B018 - the access is what raises
