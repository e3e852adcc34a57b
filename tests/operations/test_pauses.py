"""Pausing with a reason and until a moment, coming back, and what becomes of the times in between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.facts import Actor, RunState
from schedulerui.models import Change, Run, Schedule, ScheduleState
from schedulerui.operations import claims, outcomes, pauses, schedules
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.testing import DULL_WEDNESDAY
from tests.operations.history_cases import make_run

pytestmark = pytest.mark.django_db


def at(**duration):
    return DULL_WEDNESDAY + timedelta(**duration)


def pause(schedule, actor, *, until=None, reason="supplier maintenance", now=DULL_WEDNESDAY):
    return pauses.pause(schedule.pk, until=until, reason=reason, actor=actor, now=now)


def skipped(schedule):
    return Run.objects.filter(schedule=schedule, state=RunState.SKIPPED)


def test_it_is_off_with_who_why_and_until_when(make_schedule, actor):
    schedule = make_schedule()
    done = pause(schedule, actor, until=at(hours=2))
    stored = Schedule.objects.get(pk=schedule.pk)
    assert done.changed
    assert (stored.enabled, stored.next_run_at, stored.paused_at) == (False, None, DULL_WEDNESDAY)
    assert (stored.paused_by, stored.pause_reason) == ("ana", "supplier maintenance")
    assert stored.resume_at == at(hours=2)
    change = Change.objects.filter(action="pause").get()
    assert "supplier maintenance" in change.note
    assert change.diff == {"enabled": [True, False]}


def test_it_changes_nothing_when_paused_the_same_way_again(make_schedule, actor):
    schedule = make_schedule()
    pause(schedule, actor)
    assert not pause(schedule, actor, now=at(minutes=1)).changed
    assert pause(schedule, actor, reason="longer than thought", now=at(minutes=2)).changed
    assert Schedule.objects.get(pk=schedule.pk).paused_at == DULL_WEDNESDAY


@pytest.mark.parametrize(
    ("options", "field"),
    [({"until": DULL_WEDNESDAY}, "until"), ({"reason": "x" * 301}, "reason")],
)
def test_it_refuses_an_end_that_has_passed_and_a_long_reason(make_schedule, actor, options, field):
    with pytest.raises(InvalidSchedule) as refused:
        pause(make_schedule(), actor, **options)
    assert field in refused.value.errors


def test_it_accounts_for_the_times_in_the_pause_by_one_row_when_it_is_resumed(make_schedule, actor):
    schedule = make_schedule()
    pause(schedule, actor)
    resumed = pauses.resume(schedule.pk, actor=actor, now=at(minutes=10, seconds=30)).schedule
    row = skipped(schedule).get()
    assert (row.count, row.nominal_at, row.covers_until) == (10, at(minutes=1), at(minutes=10))
    assert row.reason == "paused by ana: supplier maintenance"
    assert resumed.next_run_at == at(minutes=11)
    assert (resumed.paused_at, resumed.paused_by, resumed.pause_reason, resumed.resume_at) == (
        None,
        "",
        "",
        None,
    )
    assert Change.objects.filter(action="resume").exists()


@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 * * * *"])
def test_it_counts_the_times_of_a_crontab(make_schedule, actor, expression):
    schedule = make_schedule(kind="crontab", expression=expression)
    pause(schedule, actor)
    pauses.resume(schedule.pk, actor=actor, now=at(hours=3))
    assert skipped(schedule).get().count == (36 if "/5" in expression else 3)


def test_it_writes_no_row_when_no_time_fell_into_the_pause(make_schedule, actor):
    schedule = make_schedule(every=1, period="days")
    pause(schedule, actor)
    pauses.resume(schedule.pk, actor=actor, now=at(hours=1))
    assert not skipped(schedule).exists()


def test_a_plain_switch_off_accounts_for_nothing(make_schedule, actor):
    schedule = make_schedule()
    schedules.disable(schedule.pk, actor=actor, now=DULL_WEDNESDAY)
    schedules.enable(schedule.pk, actor=actor, now=at(hours=1))
    assert not skipped(schedule).exists()


def test_an_edit_that_switches_it_on_ends_the_pause(make_schedule, actor):
    schedule = make_schedule()
    paused = pause(schedule, actor, until=at(hours=2)).schedule
    edited = schedules.edit(
        schedule.pk, {"enabled": True}, version=paused.version, actor=actor, now=at(minutes=5)
    )
    assert (edited.enabled, edited.resume_at, edited.paused_at) == (True, None, None)
    assert skipped(schedule).get().count == 5


def test_a_beat_resumes_it_once_when_the_moment_has_come(make_schedule, actor):
    schedule = make_schedule()
    pause(schedule, actor, until=at(minutes=30))
    assert pauses.resume_due(at(minutes=29, seconds=59)) == (0, at(minutes=30))
    assert pauses.resume_due(at(minutes=30)) == (1, None)
    assert pauses.resume_due(at(minutes=30)) == (0, None)
    stored = Schedule.objects.get(pk=schedule.pk)
    assert stored.enabled
    # The time that falls on the end of the pause runs.
    assert stored.next_run_at == at(minutes=30)
    assert skipped(schedule).get().count == 29
    assert Change.objects.filter(action="resume", actor="schedulerui").exists()


def test_times_after_the_end_follow_the_misfire_policy_when_all_beats_were_down(make_schedule, actor):
    schedule = make_schedule(every=10)
    pause(schedule, actor, until=at(hours=1))
    now = at(hours=2, minutes=5)
    pauses.resume_due(now)
    lease = claims.Lease(owner="me", until=now + timedelta(seconds=30))
    claims.claim_due(lease=lease, now=now, limit=10, touch=lambda: None)
    of_pause = skipped(schedule).get()
    assert (of_pause.count, of_pause.covers_until) == (5, at(minutes=50))
    others = Run.objects.filter(schedule=schedule).exclude(pk=of_pause.pk).order_by("nominal_at")
    assert others[0].nominal_at == at(hours=1)
    assert {run.state for run in others} == {RunState.MISSED, RunState.PENDING}
    assert sum(run.count for run in others) == 7


def test_a_pause_that_was_prolonged_meanwhile_is_left_alone(make_schedule, actor):
    schedule = make_schedule()
    pause(schedule, actor, until=at(minutes=30))
    pause(schedule, actor, until=at(minutes=60), now=at(minutes=1))
    done = schedules.enable(schedule.pk, actor=actor, now=at(minutes=30), paused_until=at(minutes=30))
    assert not done.changed


def test_nothing_to_resume_costs_one_query(make_schedule, django_assert_num_queries):
    make_schedule()
    with django_assert_num_queries(1):
        assert pauses.resume_due(DULL_WEDNESDAY) == (0, None)


def test_it_pauses_itself_after_so_many_failures_in_a_row(make_schedule, django_capture_on_commit_callbacks):
    schedule = make_schedule(auto_pause_after=3)
    for n in range(4):
        with django_capture_on_commit_callbacks(execute=True):
            outcomes.follow(make_run(schedule=schedule), RunState.FAILED, runtime=None, is_again=False)
        assert Schedule.objects.get(pk=schedule.pk).enabled == (n < 2)
    stored = Schedule.objects.get(pk=schedule.pk)
    assert (stored.paused_by, stored.pause_reason) == ("schedulerui", "3 failures in a row")
    assert Change.objects.filter(action="pause").count() == 1
    schedules.enable(schedule.pk, actor=Actor(name="ana"), now=at(hours=1))
    assert ScheduleState.objects.get(pk=schedule.pk).failure_streak == 0


def test_it_stays_on_when_a_success_was_told_meanwhile(make_schedule):
    schedule = make_schedule(auto_pause_after=3)
    assert not pauses.after_failures(schedule.pk, streak=3, now=DULL_WEDNESDAY)
    assert Schedule.objects.get(pk=schedule.pk).enabled


def test_it_does_not_pause_itself_when_nobody_asked_for_that(make_schedule):
    schedule = make_schedule()
    ScheduleState.objects.filter(pk=schedule.pk).update(failure_streak=99)
    assert not pauses.after_failures(schedule.pk, streak=99, now=DULL_WEDNESDAY)
