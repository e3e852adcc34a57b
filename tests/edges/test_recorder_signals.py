"""Celery's signals become reports: sent by hand here, with the objects that Celery hands over."""

from __future__ import annotations

import logging
import threading
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from celery import signals
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, Retry
from django.test import override_settings

from schedulerui.facts import RunState
from schedulerui.recorder import identity, receivers, tail
from schedulerui.recorder.delivery import TAIL, is_recorded
from tests.celery_app import app

HOST = "celery@here"


class Sink:
    is_behind = False

    def __init__(self):
        self.reports = []
        self.waits = []
        self.moots = []
        self.settled = []

    def submit(self, report, *, patience):
        self.reports.append(report)
        self.waits.append(patience > 0)

    def take(self, report):
        self.reports.append(report)
        self.waits.append(False)
        return report

    def wait_for(self, taken, *, patience):
        self.settled.append(taken)

    def submit_later(self, report, *, after, is_moot):
        self.reports.append(report)
        self.waits.append(False)
        self.moots.append(is_moot)

    @property
    def states(self):
        return [report.state for report in self.reports]


@pytest.fixture
def sink(monkeypatch):
    sink = Sink()
    monkeypatch.setattr(receivers, "writer", lambda: sink)
    monkeypatch.setattr(receivers, "_pending", threading.local())
    return sink


class Request:
    """The main process's request, weakly referable as Celery's is."""

    time_start: float | None = None

    def __init__(self, values):
        self.request_dict = values
        self.id = values["id"]


def values(*, ours=True, **fields):
    header = {"schedulerui": {"run": "r"}} if ours else {}
    return {"id": str(uuid.uuid4()), "task": "tests.add", "retries": 0, "hostname": HOST, **header, **fields}


@pytest.fixture
def execute():
    """Push a context as the tracer does, built from the request that the main process has received."""
    task = app.tasks["tests.add"]
    pushed = []

    def push(request):
        context = Context(request, args=(), called_directly=False, kwargs={})
        task.request_stack.push(context)
        pushed.append(context)
        signals.task_prerun.send(sender=task, task_id=context.id, task=task, args=(), kwargs={})
        return task, context

    yield push
    for _ in pushed:
        task.request_stack.pop()


def test_the_child_tells_of_the_same_delivery_as_the_main_process(sink, execute):
    request = Request(values(retries=2))
    signals.task_received.send(sender=None, request=request)
    task, context = execute(dict(request.request_dict))
    signals.task_success.send(sender=task, result={"a": 1}, runtime=0.5)
    assert sink.states == [RunState.RECEIVED, RunState.STARTED, RunState.SUCCEEDED]
    assert sink.waits == [False, False, False]
    assert {report.received_at for report in sink.reports} == {sink.reports[0].moment}
    assert {report.attempt for report in sink.reports} == {2}
    assert {report.worker for report in sink.reports} == {HOST}
    assert (sink.reports[2].result, sink.reports[2].runtime) == ("{'a': 1}", 0.5)
    assert receivers.RECEIVED not in (context.headers or {})
    assert "schedulerui" in context.headers


def test_a_stranger_costs_nothing(sink, execute):
    request = Request(values(ours=False))
    signals.task_received.send(sender=None, request=request)
    task, context = execute(request.request_dict)
    signals.task_success.send(sender=task, result=1, runtime=0.5)
    signals.task_failure.send(sender=task, task_id=context.id, exception=ValueError())
    signals.task_retry.send(sender=task, request=context, reason=Retry())
    signals.task_revoked.send(sender=task, request=context, terminated=True, signum=15, expired=False)
    signals.task_unknown.send(sender=None, message=SimpleNamespace(headers=None), name="x", id="y")
    assert sink.reports == []


def test_failure_in_the_child_carries_the_error_and_the_time_it_took(sink, execute):
    task, context = execute(values())
    einfo = SimpleNamespace(traceback="Traceback ...")
    signals.task_failure.send(sender=task, task_id=context.id, exception=KeyError("k"), einfo=einfo)
    report = sink.reports[-1]
    assert (report.state, report.exception, report.traceback) == (
        RunState.FAILED,
        "KeyError: 'k'",
        "Traceback ...",
    )
    assert report.runtime >= 0


def test_failure_told_by_the_main_process_is_found_by_its_task_id_and_nobody_waits(sink):
    request = Request(values(retries=1))
    signals.task_received.send(sender=None, request=request)
    signals.task_failure.send(
        sender=app.tasks["tests.add"], task_id=request.id, exception=TimeoutError("limit")
    )
    assert (sink.states[-1], sink.reports[-1].attempt, sink.waits[-1]) == (RunState.FAILED, 1, False)


@pytest.mark.parametrize(
    ("state", "retval", "told"),
    [
        ("IGNORED", Ignore("why"), RunState.IGNORED),
        ("REJECTED", Reject("why", requeue=False), RunState.REJECTED),
        ("SUCCESS", 3, None),
        ("RETRY", None, None),
        ("FAILURE", None, None),
        (None, None, None),
    ],
)
def test_the_end_of_the_body_tells_only_what_no_other_signal_does(sink, execute, state, retval, told):
    task, context = execute(values())
    sink.reports.clear()
    signals.task_postrun.send(
        sender=task, task_id=context.id, task=task, args=(), kwargs={}, retval=retval, state=state
    )
    assert sink.states == ([told] if told else [])
    assert all(report.reason == f"the task raised {type(retval).__name__}" for report in sink.reports)
    assert all(report.exception == f"{type(retval).__name__}: why" for report in sink.reports)


def test_a_failure_by_reject_is_a_rejection_from_either_process(sink):
    request = Request(values())
    signals.task_received.send(sender=None, request=request)
    signals.task_failure.send(
        sender=app.tasks["tests.add"], task_id=request.id, exception=Reject("no", requeue=False)
    )
    report = sink.reports[-1]
    assert (report.state, report.exception) == (RunState.REJECTED, "Reject: no")
    assert report.reason == "the task raised Reject"


@pytest.mark.parametrize(
    ("retry", "reason", "exception"),
    [
        (
            Retry(exc=ValueError("card 4111-secret"), when=90),  # type: ignore[arg-type]  # a Real in the stubs
            "the task asked to be tried again in 90 s",
            "ValueError: card 4111-secret",
        ),
        (
            Retry(exc=ValueError("card 4111-secret"), when=datetime(2026, 3, 4, 12, tzinfo=UTC)),
            "the task asked to be tried again at 2026-03-04 12:00:00 UTC",
            "ValueError: card 4111-secret",
        ),
        (Retry("card 4111-secret"), "the task asked to be tried again", "Retry: card 4111-secret"),
        (
            Retry("x", when="card 4111-secret"),  # type: ignore[arg-type]  # wrong on purpose
            "the task asked to be tried again",
            "Retry: x",
        ),
        (None, "cancelled by Celery; the broker will deliver it again", ""),
    ],
)
def test_the_reason_of_a_retry_is_in_our_own_words(sink, retry, reason, exception):
    signals.task_retry.send(
        sender=app.tasks["tests.add"], request=Context(values()), reason=retry, einfo=None
    )
    assert (sink.states, sink.reports[0].reason) == ([RunState.RETRYING], reason)
    assert sink.reports[0].exception == exception


def test_a_message_that_cannot_be_read_is_quoted_only_in_the_exception(sink):
    message = SimpleNamespace(headers=values())
    signals.task_rejected.send(sender=None, message=message, exc=ValueError("card 4111-secret"))
    assert sink.reports[0].reason == "the worker could not read the message"
    assert sink.reports[0].exception == "ValueError: card 4111-secret"


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"terminated": False, "signum": None, "expired": True}, RunState.EXPIRED, "expiry"),
        ({"terminated": True, "signum": "SIGTERM", "expired": False}, RunState.REVOKED, "SIGTERM"),
        ({"terminated": False, "signum": None, "expired": False}, RunState.REVOKED, "before it started"),
    ],
)
def test_revoked_says_how(sink, fields, state, reason):
    signals.task_revoked.send(sender=None, request=Context(values()), **fields)
    assert sink.states == [state]
    assert reason in sink.reports[0].reason


def test_a_task_that_no_worker_knows_is_rejected(sink):
    message = SimpleNamespace(headers=values())
    signals.task_unknown.send(sender=None, message=message, exc=KeyError("x"), name="tests.gone", id="x")
    assert "tests.gone" in sink.reports[0].reason


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


@override_settings(SCHEDULERUI={"RESULT_LIMIT": 10})
def test_a_hostile_result_neither_raises_nor_hides_the_success(sink, execute):
    task, _ = execute(values())
    signals.task_success.send(sender=task, result=Hostile(), runtime=0.1)
    assert sink.states == [RunState.STARTED, RunState.SUCCEEDED]


def test_an_error_of_ours_never_reaches_the_task(monkeypatch, execute, caplog):
    def broken():
        raise MemoryError

    monkeypatch.setattr(receivers, "writer", broken)
    execute(values())
    assert "recorder_error" in [getattr(record, "action", "") for record in caplog.records]


class Controller:
    hostname = HOST


def test_children_belong_to_the_instance_that_was_made_before_the_fork(monkeypatch):
    monkeypatch.setattr(identity, "_identity", None)
    monkeypatch.delenv(identity.VARIABLE, raising=False)
    assert identity.instance() is None
    signals.worker_init.send(sender=Controller())
    first = identity.instance()
    monkeypatch.setattr(identity, "_identity", None)
    assert identity.instance() == first
    signals.worker_init.send(sender=Controller())
    assert identity.instance() != first
    present = identity.present()
    assert present is not None
    assert present.hostname == HOST


@pytest.fixture
def record_all(settings):
    def choose(value):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, "RECORD_ALL": value}

    return choose


@pytest.mark.parametrize(
    ("chosen", "is_recorded"),
    [
        (False, False),
        (True, True),
        (("tests.*",), True),
        (["other.*", "tests.add"], True),
        (("other.*",), False),
        ((), False),
        ("tests.*", True),
    ],
)
def test_a_task_that_no_schedule_sent_is_recorded_when_it_is_asked_for(
    sink, execute, record_all, chosen, is_recorded
):
    record_all(chosen)
    request = Request(
        values(
            ours=False,
            argsrepr="(1, 2)",
            kwargsrepr="{'password': 'hunter2'}",
            origin="gen7@here",
            delivery_info={"routing_key": "reports", "exchange": ""},
        )
    )
    signals.task_received.send(sender=None, request=request)
    task, _ = execute(request.request_dict)
    signals.task_success.send(sender=task, result=1, runtime=0.5)
    assert sink.states == ([RunState.RECEIVED, RunState.STARTED, RunState.SUCCEEDED] if is_recorded else [])
    for report in sink.reports:
        assert report.unscheduled == {
            "task": "tests.add",
            "queue": "reports",
            "args": "(1, 2)",
            "kwargs": "{'password': ***}",
            "origin": "gen7@here",
        }


@pytest.mark.parametrize(
    "fields",
    [{"task": "celery.chord_unlock"}, {"is_eager": True}, {"id": "x" * 65}, {"id": ""}, {"task": None}],
)
def test_celerys_own_eager_and_unreadable_tasks_are_not_recorded(record_all, fields):
    record_all(True)
    assert is_recorded(values(ours=False))
    assert not is_recorded(values(ours=False) | fields)


def test_one_of_ours_brings_nothing_to_make_a_row_of(sink, execute, record_all):
    record_all(True)
    execute(values())
    assert [report.unscheduled for report in sink.reports] == [None]


def test_what_the_body_logs_comes_with_its_end(sink, execute):
    task, context = execute(values())
    logging.getLogger("shop").error("out of stock, token=hunter2")
    signals.task_failure.send(sender=task, task_id=context.id, exception=KeyError("k"))
    signals.task_postrun.send(
        sender=task, task_id=context.id, task=task, args=(), kwargs={}, retval=None, state="FAILURE"
    )
    logging.getLogger("shop").error("not the task's")
    started, failed = sink.reports
    assert started.log == ""
    assert failed.log.endswith("ERROR shop: out of stock, token=***")


def test_what_a_long_body_logs_is_told_while_it_runs_unless_the_writer_is_behind(sink, execute, monkeypatch):
    monkeypatch.setattr(tail, "TOLD_EVERY", 0.0)
    _task, context = execute(values())
    logging.getLogger("shop").error("one")
    sink.is_behind = True
    logging.getLogger("shop").error("two")
    started, so_far = sink.reports
    assert (so_far.state, so_far.attempt, so_far.received_at) == (RunState.STARTED, 0, started.received_at)
    assert so_far.log.endswith("ERROR shop: one")
    tail.end(getattr(context, TAIL))


def test_that_a_message_came_is_not_told_when_its_body_has_begun(sink):
    request = Request(values())
    signals.task_received.send(sender=None, request=request)
    (is_moot,) = sink.moots
    assert not is_moot()
    request.time_start = 1.0
    assert is_moot()


def test_a_body_begins_when_the_end_of_the_one_before_is_written(sink, execute):
    task, _ = execute(values())
    signals.task_success.send(sender=task, result=1, runtime=0.1)
    assert sink.settled == []
    execute(values())
    assert sink.settled == [sink.reports[1]]
    execute(values())
    assert len(sink.settled) == 1


def test_a_task_that_acknowledges_late_waits_for_its_own_start_and_end(sink, execute, monkeypatch):
    monkeypatch.setattr(app.tasks["tests.add"], "acks_late", True)
    task, _ = execute(values())
    signals.task_success.send(sender=task, result=1, runtime=0.1)
    assert sink.waits == [True, True]
