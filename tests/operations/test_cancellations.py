"""Cancelling: called off at home, asked for abroad, remembered by the row."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection

from schedulerui import dispatch
from schedulerui.dispatch_canvas import write_parts
from schedulerui.facts import RunState
from schedulerui.models import Change, Part, Run, ScheduleState
from schedulerui.operations import cancellations, canvas, losses, schedules
from schedulerui.operations.history import record
from schedulerui.operations.reports import Report
from schedulerui.operations.runs import mark_sent
from schedulerui.testing import DULL_WEDNESDAY as NOW
from tests.web.people import a_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told():
    """The orders that workers got."""

    class Told:
        def __init__(self):
            self.orders: list[tuple[str, bool, str]] = []

        def __call__(self, task_id, *, terminate, hostname=""):
            self.orders.append((task_id, terminate, hostname))

    return Told()


def cancel(run, told, actor, *, terminate=False, now=NOW):
    done = cancellations.cancel(run.pk, terminate=terminate, actor=actor, now=now, tell=told)
    run.refresh_from_db()
    return done


@pytest.mark.parametrize("state", ["waiting", "pending"])
def test_what_was_not_sent_is_called_off(make_schedule, told, actor, state):
    schedule = make_schedule()
    run = a_run(schedule, state=state, task_id="abc")
    assert cancel(run, told, actor).changed
    assert (run.state, run.reason) == ("cancelled", "Cancelled by ana.")
    assert run.lease_until is None
    assert told.orders == []
    assert ScheduleState.objects.get(schedule=schedule).recent == "x0"
    assert Change.objects.latest("pk").action == "cancel"


@pytest.mark.parametrize("state", ["sent", "received", "retrying"])
def test_what_was_sent_is_asked_of_all_workers(make_schedule, told, actor, state):
    run = a_run(make_schedule(), state=state, task_id="abc", worker="celery@one")
    assert cancel(run, told, actor).changed
    assert (run.state, run.cancel_requested_by, run.cancel_terminate) == (state, "ana", False)
    assert told.orders == [("abc", False, "")]


def test_a_body_is_ended_on_its_own_worker_only_when_asked_for(make_schedule, told, actor):
    run = a_run(make_schedule(), state="started", task_id="abc", worker="celery@one")
    cancel(run, told, actor)
    cancel(run, told, actor, terminate=True)
    assert told.orders == [("abc", False, ""), ("abc", True, "celery@one")]
    assert run.cancel_terminate is True
    assert [change.action for change in Change.objects.order_by("-pk")[:2]] == ["terminate", "cancel"]


def test_asking_twice_tells_once(make_schedule, told, actor):
    run = a_run(make_schedule(), state="sent", task_id="abc")
    cancel(run, told, actor)
    assert not cancel(run, told, actor).changed
    assert len(told.orders) == 1


@pytest.mark.parametrize("state", ["succeeded", "failed", "lost", "skipped", "missed", "cancelled"])
def test_what_has_ended_is_left_alone(make_schedule, told, actor, state):
    run = a_run(make_schedule(), state=state)
    assert not cancel(run, told, actor).changed
    assert run.state == state
    assert told.orders == []


def test_a_broker_that_is_away_does_not_lose_the_wish(make_schedule, actor):
    run = a_run(make_schedule(), state="sent", task_id="abc")

    def away(*_args, **_options):
        raise dispatch.BrokerUnavailable("refused")

    done = cancellations.cancel(run.pk, terminate=False, actor=actor, now=NOW, tell=away)
    assert done.changed
    assert "when it is back: refused" in done.sentence
    assert cancellations.unwanted(NOW) == ["abc"]


def test_workers_are_told_of_it_for_a_day_and_not_of_what_runs_or_has_ended(make_schedule):
    schedule = make_schedule()
    for state in ("sent", "received", "retrying", "started", "revoked", "waiting"):
        a_run(schedule, state=state, task_id=state, cancel_requested_at=NOW)
    a_run(schedule, state="sent", task_id="nobody asked")
    assert sorted(cancellations.unwanted(NOW)) == ["received", "retrying", "sent"]
    assert cancellations.unwanted(NOW + timedelta(days=1)) == []


def test_the_parts_of_a_canvas_are_meant_too(make_schedule, told, actor):
    run = a_run(make_schedule(), state="started", task_id="abc", canvas={"type": "chain"})
    for position, state in enumerate(("succeeded", "started", "waiting")):
        Part.objects.create(
            run=run,
            position=position,
            path=str(position),
            task="t",
            task_id=f"p{position}",
            state=state,
            worker="w",
        )
    cancel(run, told, actor, terminate=True)
    assert told.orders == [("p1", True, "w"), ("p2", False, "")]


def test_a_body_that_did_not_end_is_told_again_for_an_hour(make_schedule, told):
    schedule = make_schedule()
    values = {"cancel_requested_at": NOW, "cancel_terminate": True, "worker": "celery@one"}
    a_run(schedule, state="started", task_id="abc", **values)
    a_run(schedule, state="revoked", task_id="ended", **values)
    a_run(schedule, state="started", task_id="may end by itself", **(values | {"cancel_terminate": False}))
    assert cancellations.repeat(NOW + timedelta(minutes=1), tell=told) == 1
    assert told.orders == [("abc", True, "celery@one")]
    assert cancellations.repeat(NOW + timedelta(hours=1), tell=told) == 0


def test_a_worker_that_was_faster_keeps_its_end(make_schedule):
    run = a_run(make_schedule(), state="pending", task_id="abc")
    Run.objects.filter(pk=run.pk).update(state="succeeded", lease_until=None)
    assert cancellations.call_off(run, by="ana", reason="x", now=NOW) is False


def test_a_claimed_run_may_be_on_its_way_so_workers_are_told_not_to_begin_it(make_schedule, told, actor):
    run = a_run(make_schedule(), state="pending", task_id="abc", publishes=1)
    done = cancel(run, told, actor)
    assert (run.state, run.cancel_requested_by) == ("cancelled", "ana")
    assert told.orders == [("abc", False, "")]
    assert "should it be on its way" in done.sentence
    assert cancellations.unwanted(NOW) == ["abc"]


def test_workers_are_told_of_claimed_runs_of_a_schedule_that_is_switched_off(make_schedule, actor):
    schedule = make_schedule()
    a_run(schedule, state="pending", task_id="abc", publishes=1, lease_until=NOW)
    a_run(schedule, state="waiting", task_id="def")
    schedules.disable(schedule.pk, actor=actor, now=NOW)
    assert cancellations.unwanted(NOW) == ["abc"]


def half_sent(schedule, *states):
    """A canvas whose beat died in the middle: parts in these states, those that wait not sent."""
    steps = [{"type": "task", "task": "tests.add"}] * len(states)
    found = canvas.read({"type": "group", "steps": steps})
    run = a_run(schedule, state="pending", task_id="abc", publishes=1, canvas=found)
    write_parts(run)
    for part, state in zip(Part.objects.filter(run=run).order_by("position"), states, strict=True):
        if state != "waiting":
            report = Report(task_id=part.task_id, state=RunState(state), moment=NOW, worker="w", attempt=0)
            assert record(report)
    run.refresh_from_db()
    assert run.state == "pending"
    return run, list(Part.objects.filter(run=run).order_by("position").values_list("task_id", flat=True))


def test_a_canvas_that_is_half_sent_is_called_off_with_the_parts_that_are_out(make_schedule, told, actor):
    schedule = make_schedule(overlap="skip")
    run, ids = half_sent(schedule, "started", "waiting", "succeeded")
    done = cancel(run, told, actor, terminate=True)
    assert done.sentence == "Cancelled; workers were told not to begin the parts that were sent."
    assert told.orders == [(ids[0], True, "w"), (ids[1], False, "")]
    assert cancellations.unwanted(NOW) == [ids[1]]
    # A body of it is still running: that is what the run is, and it holds the next one back.
    assert (run.state, run.cancel_terminate) == ("started", True)
    assert cancellations.repeat(NOW, tell=told) == 1
    assert record(Report(task_id=ids[0], state=RunState.REVOKED, moment=NOW, worker="w", attempt=0))
    run.refresh_from_db()
    assert run.state == "revoked"


def test_a_part_that_was_on_its_way_when_its_run_was_called_off_is_shown_when_it_begins_after_all(
    make_schedule, told, actor
):
    run, ids = half_sent(make_schedule(), "waiting", "waiting")
    cancel(run, told, actor)
    assert run.state == "cancelled"
    for state in (RunState.STARTED, RunState.SUCCEEDED):
        assert record(Report(task_id=ids[0], state=state, moment=NOW, worker="w", attempt=0))
    run.refresh_from_db()
    states = list(Part.objects.filter(run=run).order_by("position").values_list("state", flat=True))
    assert (run.state, states) == ("revoked", ["succeeded", "revoked"])


def told_of(task_id, state):
    return Report(task_id=task_id, state=state, moment=NOW, worker="w", instance=uuid.UUID(int=1), attempt=0)


def test_a_cancelled_canvas_ends_when_the_worker_that_had_its_last_open_part_is_gone(
    make_schedule, told, actor
):
    schedule = make_schedule(overlap="skip")
    run, ids = half_sent(schedule, "waiting", "waiting", "succeeded")
    record(told_of(ids[0], RunState.RECEIVED))
    cancel(run, told, actor)
    assert run.state == "started"
    gone_at = NOW + timedelta(hours=2)
    assert losses.mark_lost(gone_at) == 1
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("revoked", gone_at)
    reason = Part.objects.get(task_id=ids[0]).reason
    assert reason == "w died before it started this, and its run was cancelled"
    assert not Run.objects.holding_back(queued_since=NOW - timedelta(days=1)).exists()
    # The broker hands it over again: workers are still to know that it is not wanted.
    assert cancellations.unwanted(gone_at) == ids[:2]
    record(told_of(ids[0], RunState.STARTED))
    run.refresh_from_db()
    assert (run.state, Part.objects.get(task_id=ids[0]).state) == ("started", "started")


def test_workers_are_told_of_the_parts_that_were_called_off_with_a_canvas_that_is_over(
    make_schedule, told, actor
):
    run, ids = half_sent(make_schedule(), "started", "waiting")
    cancel(run, told, actor)
    record(told_of(ids[0], RunState.SUCCEEDED))
    run.refresh_from_db()
    assert run.state == "revoked"
    assert cancellations.unwanted(NOW) == [ids[1]]
    # One that begins after all is what the run is, and holds the next one back.
    seen = []
    for state in (RunState.STARTED, RunState.SUCCEEDED):
        record(told_of(ids[1], state))
        run.refresh_from_db()
        seen.append((run.state, Run.objects.holding_back(queued_since=NOW - timedelta(days=1)).exists()))
    assert seen == [("started", True), ("succeeded", False)]


def test_a_canvas_that_is_marked_as_sent_while_its_schedule_is_switched_off_keeps_its_parts(
    make_schedule, actor
):
    schedule = make_schedule()
    run, _ids = half_sent(schedule, "waiting", "waiting")
    Run.objects.filter(pk=run.pk).update(lease_until=NOW)
    is_marked: list[bool] = []

    def marks_in_between(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if not is_marked and sql.startswith("SELECT") and "canvas" in sql:
            is_marked.append(True)
            mark_sent([run], sent_at=NOW)
        return done

    with connection.execute_wrapper(marks_in_between):
        schedules.disable(schedule.pk, actor=actor, now=NOW)
    assert is_marked
    run.refresh_from_db()
    states = list(Part.objects.filter(run=run).values_list("state", flat=True))
    assert (run.state, states) == ("sent", ["waiting", "waiting"])
