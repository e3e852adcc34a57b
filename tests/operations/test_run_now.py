"""Run now: one click, one run, whatever the broker does."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection

from schedulerui import dispatch
from schedulerui.models import Change, Run, Schedule, ScheduleState
from schedulerui.operations import claims, recovery, runs
from schedulerui.testing import DULL_WEDNESDAY as NOON

pytestmark = pytest.mark.django_db(transaction=True)


def press(schedule, actor, token=None, now=NOON):
    return runs.run_now(schedule.pk, token=token or uuid.uuid4().hex, actor=actor, now=now)


def test_it_sends_one_run_and_does_not_move_the_next(make_schedule, actor, sent):
    schedule = make_schedule()
    queued = press(schedule, actor)
    assert queued.created
    assert queued.sent
    assert sent.task_ids == [queued.run.task_id]
    assert (queued.run.trigger, queued.run.actor, queued.run.state) == ("manual", "ana", "sent")
    assert Schedule.objects.get().next_run_at == NOON + timedelta(minutes=1)
    assert ScheduleState.objects.get().last_run_id == queued.run.pk
    assert Change.objects.filter(action="run_now", actor="ana").count() == 1


def test_a_double_click_is_one_run(make_schedule, actor, sent):
    schedule = make_schedule()
    first = press(schedule, actor, token="t")
    second = press(schedule, actor, token="t")
    assert (first.created, second.created) == (True, False)
    assert first.run.pk == second.run.pk
    assert len(sent.sent) == 1
    assert Change.objects.filter(action="run_now").count() == 1


def test_a_schedule_that_is_switched_off_can_be_run(make_schedule, actor, sent):
    assert press(make_schedule(enabled=False), actor).sent


def test_a_broker_that_is_down_leaves_it_queued_and_beat_sends_it_later(make_schedule, actor, sent):
    sent.broken = dispatch.BrokerUnavailable("connection refused")
    queued = press(make_schedule(), actor)
    assert not queued.sent
    assert "connection refused" in queued.reason
    assert queued.run.state == "pending"
    later = NOON + timedelta(seconds=30)
    lease = claims.Lease(owner="beat", until=later + timedelta(seconds=30))
    (again,) = recovery.recover(lease=lease, now=later, limit=10, manual_within=timedelta(seconds=60)).runs
    assert again.task_id == queued.run.task_id


def test_after_a_minute_it_is_not_sent_any_more_and_says_why(make_schedule, actor, sent):
    sent.broken = dispatch.BrokerUnavailable("connection refused")
    press(make_schedule(), actor)
    later = NOON + timedelta(seconds=90)
    lease = claims.Lease(owner="beat", until=later + timedelta(seconds=30))
    assert recovery.recover(lease=lease, now=later, limit=10, manual_within=timedelta(seconds=60)).runs == ()
    run = Run.objects.get()
    assert run.state == "unsent"
    assert "connection refused" in run.reason


def test_a_run_that_can_never_be_sent_says_so_at_once(make_schedule, actor, sent):
    sent.broken = dispatch.Unsendable("EncodeError: no")
    queued = press(make_schedule(), actor)
    assert (queued.sent, queued.run.state) == (False, "unsent")
    assert "EncodeError" in queued.run.reason


def test_a_run_that_waited_for_the_broker_forgets_the_reason_once_it_is_sent(make_schedule, actor, sent):
    sent.broken = dispatch.BrokerUnavailable("connection refused")
    run = press(make_schedule(), actor).run
    assert "connection refused" in run.reason
    runs.mark_sent([run], sent_at=NOON)
    run.refresh_from_db()
    assert (run.state, run.reason) == ("sent", "")


def test_a_schedule_that_is_deleted_in_the_middle_of_a_click_is_as_one_that_was_not_there(
    make_schedule, actor, sent
):
    schedule = make_schedule()
    is_deleted: list[bool] = []

    def is_deleted_before(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not is_deleted:
            is_deleted.append(True)
            Schedule.objects.filter(pk=schedule.pk).delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(is_deleted_before), pytest.raises(Schedule.DoesNotExist):
        press(schedule, actor)
    assert not Run.objects.exists()
    assert sent.sent == []
