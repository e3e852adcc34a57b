"""Overlap, retries and waiting runs, from the claim to the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schedulerui.facts import RunState, Trigger
from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.operations import cancellations, claims, history, recovery, reruns, runs, schedules, starts
from schedulerui.operations.reports import Report
from schedulerui.planned import task_id
from schedulerui.planning import SUPERSEDED
from schedulerui.testing import DULL_WEDNESDAY as NOW

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)


def lease(now, owner="one"):
    return claims.Lease(owner=owner, until=now + timedelta(seconds=30))


def claim(now):
    return claims.claim_due(lease=lease(now), now=now, limit=100, touch=lambda: None).runs


def promote(now, owner="one"):
    return recovery.promote(lease=lease(now, owner), now=now, limit=100, queued_since=now - DAY).runs


def sent(run_):
    runs.mark_sent([run_], sent_at=run_.due_at)
    return run_


def told(run, state, *, at, **fields):
    report = Report(
        task_id=str(run.task_id), state=state, moment=at, attempt=0, delivery=1, worker="w", **fields
    )
    assert history.record(report)
    run.refresh_from_db()


def states():
    return [str(state) for state in Run.objects.order_by("nominal_at", "pk").values_list("state", flat=True)]


def test_queue_lets_the_next_run_wait_and_skips_what_finds_no_place(make_schedule):
    make_schedule(overlap="queue", queue_max=1)
    (first,) = claim(NOW + MINUTE)
    sent(first)
    assert claim(NOW + 2 * MINUTE) == ()
    assert claim(NOW + 3 * MINUTE) == ()
    assert states() == ["sent", "waiting", "skipped"]
    waiting, skipped = Run.objects.order_by("nominal_at")[1:]
    assert (waiting.blocked_by, skipped.blocked_by) == (first, first)
    assert "waiting already" in skipped.reason


def test_a_waiting_run_goes_when_the_one_before_it_has_ended_and_not_before(make_schedule):
    schedule = make_schedule(overlap="queue")
    (first,) = claim(NOW + MINUTE)
    sent(first)
    claim(NOW + 2 * MINUTE)
    told(first, RunState.STARTED, at=NOW + MINUTE)
    assert promote(NOW + 2 * MINUTE) == ()
    told(first, RunState.SUCCEEDED, at=NOW + 3 * MINUTE)
    (second,) = promote(NOW + 3 * MINUTE)
    assert (second.state, second.publishes, second.owner) == ("pending", 1, "one")
    assert second.task_id == task_id(schedule.uuid, nominal_at=NOW + 2 * MINUTE)
    assert promote(NOW + 3 * MINUTE, owner="two") == ()
    assert ScheduleState.objects.get(schedule=schedule).last_run_id == second.pk


def test_of_several_waiting_runs_one_goes_at_a_time_the_oldest_first(make_schedule):
    make_schedule(overlap="queue", queue_max=3)
    (first,) = claim(NOW + MINUTE)
    sent(first)
    for minute in (2, 3):
        claim(NOW + minute * MINUTE)
    told(first, RunState.STARTED, at=NOW + MINUTE)
    told(first, RunState.FAILED, at=NOW + 3 * MINUTE)
    (second,) = promote(NOW + 3 * MINUTE)
    assert second.nominal_at == NOW + 2 * MINUTE
    assert promote(NOW + 3 * MINUTE) == ()


def test_a_run_goes_although_more_runs_than_one_page_wait_for_others(make_schedule):
    for _ in range(4):
        make_schedule(overlap="queue")
    for run in claim(NOW + MINUTE):
        sent(run)
    claim(NOW + 2 * MINUTE)
    last = Run.objects.filter(state="sent").latest("pk")
    told(last, RunState.STARTED, at=NOW + MINUTE)
    told(last, RunState.SUCCEEDED, at=NOW + 3 * MINUTE)
    now = NOW + 3 * MINUTE
    (taken,) = recovery.promote(lease=lease(now), now=now, limit=1, queued_since=now - DAY).runs
    assert taken.schedule_id == last.schedule_id


def test_a_schedule_that_is_switched_off_lets_nothing_wait(make_schedule, actor):
    schedule = make_schedule(overlap="queue")
    (first,) = claim(NOW + MINUTE)
    sent(first)
    claim(NOW + 2 * MINUTE)
    schedules.disable(schedule.pk, actor=actor, now=NOW + 2 * MINUTE)
    assert states() == ["sent", "cancelled"]


def test_cancel_previous_asks_for_the_end_of_the_one_before_and_waits_for_it(make_schedule):
    make_schedule(overlap="cancel_previous")
    (first,) = claim(NOW + MINUTE)
    sent(first)
    told(first, RunState.STARTED, at=NOW + MINUTE)
    claim(NOW + 2 * MINUTE)
    first.refresh_from_db()
    assert (first.cancel_requested_by, first.cancel_terminate) == ("the overlap policy", True)
    assert promote(NOW + 2 * MINUTE + 40 * SECOND) == ()
    told(first, RunState.REVOKED, at=NOW + 2 * MINUTE + 41 * SECOND)
    (second,) = promote(NOW + 2 * MINUTE + 42 * SECOND)
    assert second.nominal_at == NOW + 2 * MINUTE


def test_only_the_newest_waits_for_a_cancelled_one(make_schedule):
    make_schedule(overlap="cancel_previous")
    (first,) = claim(NOW + MINUTE)
    sent(first)
    told(first, RunState.STARTED, at=NOW + MINUTE)
    for minute in (2, 3):
        claim(NOW + minute * MINUTE)
    assert states() == ["started", "cancelled", "waiting"]
    assert "newer time" in Run.objects.get(state="cancelled").reason


def test_a_message_that_nobody_took_within_the_grace_does_not_hold_the_newer_one_for_ever(make_schedule):
    make_schedule(overlap="cancel_previous", cancel_grace=20)
    (first,) = claim(NOW + MINUTE)
    sent(first)
    claim(NOW + 2 * MINUTE)
    assert promote(NOW + 2 * MINUTE + 20 * SECOND) == ()
    (second,) = promote(NOW + 2 * MINUTE + 21 * SECOND)
    assert second.nominal_at == NOW + 2 * MINUTE


def test_skip_says_which_run_was_in_the_way(make_schedule):
    make_schedule(overlap="skip")
    (first,) = claim(NOW + MINUTE)
    sent(first)
    claim(NOW + 2 * MINUTE)
    assert Run.objects.get(state="skipped").blocked_by == first


def test_each_run_knows_the_time_before_it(make_schedule):
    schedule = make_schedule()
    claim(NOW + MINUTE)
    claim(NOW + 2 * MINUTE)
    first, second = Run.objects.order_by("nominal_at")
    assert (first.previous_nominal_at, second.previous_nominal_at) == (None, NOW + MINUTE)
    schedule.refresh_from_db()
    assert schedule.previous_nominal_at == NOW + 2 * MINUTE


def fail(run, *, at, state=RunState.FAILED):
    told(run, RunState.STARTED, at=at - SECOND)
    told(run, state, at=at)


def test_a_failed_run_is_tried_again_after_a_wait_that_doubles(make_schedule):
    schedule = make_schedule(every=1, period="days", retry_max=2, retry_after=10, kwargs={"k": 1})
    now = NOW + DAY
    (first,) = claim(now)
    sent(first)
    fail(first, at=now + SECOND)
    again = Run.objects.get(trigger=Trigger.RETRY)
    assert (again.state, again.due_at) == ("waiting", now + 11 * SECOND)
    assert (again.retry_of, again.retry_number, again.kwargs) == (first, 1, {"k": 1})
    assert again.task_id == task_id(schedule.uuid, nominal_at=first.nominal_at, retry=1) != first.task_id
    assert promote(now + 10 * SECOND) == ()
    (taken,) = promote(now + 11 * SECOND)
    sent(taken)
    fail(taken, at=now + 20 * SECOND)
    third = Run.objects.get(retry_number=2)
    assert third.due_at == now + 40 * SECOND
    (taken,) = promote(now + 40 * SECOND)
    sent(taken)
    fail(taken, at=now + 50 * SECOND)
    assert Run.objects.count() == 3


@pytest.mark.parametrize("limits", [{}, {"retry_max": 0}])
def test_nothing_is_tried_again_unless_the_schedule_says_so(make_schedule, limits):
    make_schedule(**limits)
    (first,) = claim(NOW + MINUTE)
    sent(first)
    fail(first, at=NOW + 2 * MINUTE)
    assert Run.objects.count() == 1


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST])
def test_a_run_whose_end_was_asked_for_is_not_tried_again(make_schedule, state):
    make_schedule(every=1, period="days", retry_max=1, retry_after=60)
    (run,) = claim(NOW + DAY)
    sent(run)
    Run.objects.update(cancel_requested_at=NOW + DAY, cancel_requested_by="ana", cancel_terminate=True)
    fail(run, at=NOW + DAY + SECOND, state=state)
    assert list(Run.objects.values_list("state", flat=True)) == [state]


def test_a_lost_run_is_tried_again_once_and_not_if_it_succeeds_late(make_schedule):
    make_schedule(every=1, period="days", retry_max=1, retry_after=60)
    now = NOW + DAY
    (first,) = claim(now)
    sent(first)
    fail(first, at=now + SECOND, state=RunState.LOST)
    told(first, RunState.SUCCEEDED, at=now + 5 * SECOND)
    assert Run.objects.get(trigger=Trigger.RETRY).state == "cancelled"
    assert promote(now + 2 * MINUTE) == ()


def test_a_run_that_could_not_be_sent_is_tried_again_but_not_where_it_must_go_at_most_once(make_schedule):
    for delivery in ("at_least_once", "at_most_once"):
        make_schedule(every=1, period="days", retry_max=1, delivery=delivery)
    for run in claim(NOW + DAY):
        runs.mark_unsent(run, reason="no broker", now=NOW + DAY)
    assert Run.objects.filter(trigger=Trigger.RETRY).count() == 1


def test_a_click_waits_for_the_end_of_an_active_run_unless_it_is_told_not_to(
    make_schedule, actor, sent_by_click
):
    schedule = make_schedule(overlap="skip")
    (first,) = claim(NOW + MINUTE)
    runs.mark_sent([first], sent_at=NOW)
    waits = runs.run_now(schedule.pk, token="a", actor=actor, now=NOW, publish=sent_by_click.append)
    assert (waits.run.state, waits.sent) == ("waiting", False)
    at_once = runs.run_now(
        schedule.pk, token="b", actor=actor, now=NOW, publish=sent_by_click.append, even_if_running=True
    )
    assert at_once.sent
    assert sent_by_click == [at_once.run]


@pytest.fixture
def sent_by_click():
    return []


def a_click_that_waited_an_hour(make_schedule, actor):
    """Let go an hour after the click, by a beat that died before it sent it."""
    schedule = make_schedule(overlap="skip")
    (first,) = claim(NOW + MINUTE)
    told(sent(first), RunState.STARTED, at=NOW + MINUTE)
    click = runs.run_now(schedule.pk, token="a", actor=actor, now=NOW + MINUTE).run
    told(first, RunState.SUCCEEDED, at=NOW + 61 * MINUTE)
    (let_go,) = promote(NOW + 61 * MINUTE)
    assert (let_go.pk, let_go.promoted_at) == (click.pk, NOW + 61 * MINUTE)
    return let_go


def recovered(now):
    return recovery.recover(lease=lease(now, "two"), now=now, limit=10, manual_within=MINUTE).runs


def test_a_click_that_waited_is_sent_by_another_beat_when_the_one_that_let_it_go_dies(make_schedule, actor):
    let_go = a_click_that_waited_an_hour(make_schedule, actor)
    assert recovered(NOW + 61 * MINUTE + 40 * SECOND) == (let_go,)


def test_a_click_that_waited_is_given_up_a_minute_after_its_turn_and_says_so(make_schedule, actor):
    let_go = a_click_that_waited_an_hour(make_schedule, actor)
    assert recovered(NOW + 62 * MINUTE + SECOND) == ()
    let_go.refresh_from_db()
    assert (let_go.state, "within 60 s of its turn" in let_go.reason) == ("unsent", True)


def test_a_run_with_other_values_waits_too(make_schedule, actor, sent_by_click):
    schedule = make_schedule(overlap="skip")
    (first,) = claim(NOW + MINUTE)
    runs.mark_sent([first], sent_at=NOW)
    values = reruns.Values(args=[1], kwargs={})
    kept = {"publish": sent_by_click.append}
    click = reruns.Click(token="a", actor=actor, now=NOW)
    custom = reruns.run_custom(schedule.pk, values, click=click, **kept)
    told(first, RunState.STARTED, at=NOW + MINUTE)
    told(first, RunState.SUCCEEDED, at=NOW + MINUTE)
    again = reruns.run_again(first.pk, click=replace(click, token="b"), **kept)
    assert [queued.run.state for queued in (custom, again)] == ["waiting", "waiting"]
    assert sent_by_click == []
    (taken,) = promote(NOW + MINUTE)
    assert taken == custom.run
    at_once = replace(click, token="c", even_if_running=True)
    assert reruns.run_custom(schedule.pk, values, click=at_once, **kept).sent
    assert reruns.run_again(first.pk, click=replace(at_once, token="d"), **kept).sent


def test_a_claimed_run_that_is_not_sent_yet_is_asked_to_end_too(make_schedule):
    make_schedule(overlap="cancel_previous")
    (first,) = claim(NOW + MINUTE)
    claim(NOW + 2 * MINUTE)
    first.refresh_from_db()
    assert (first.state, first.cancel_requested_by) == ("pending", "the overlap policy")
    sent(first)
    assert promote(NOW + 2 * MINUTE + 30 * SECOND) == ()
    (second,) = promote(NOW + 2 * MINUTE + 31 * SECOND)
    assert second.nominal_at == NOW + 2 * MINUTE


def test_times_behind_one_that_has_a_row_keep_theirs_when_a_schedule_is_led_back(make_schedule):
    schedule = make_schedule(misfire="none")
    day = NOW + DAY
    claim(day)
    Run.objects.filter(nominal_at__gt=NOW + 21 * MINUTE).delete()
    held = Run.objects.get(nominal_at=NOW + 21 * MINUTE)
    Run.objects.filter(pk=held.pk).update(state="missed", count=1, covers_until=None)
    Schedule.objects.filter(pk=schedule.pk).update(
        next_nominal_at=NOW + MINUTE, next_run_at=NOW + MINUTE, version=2
    )
    claim(day)
    rest = Run.objects.get(count__gt=1)
    assert (rest.nominal_at, rest.covers_until) == (NOW + 22 * MINUTE, day - MINUTE)
    assert sum(Run.objects.values_list("count", flat=True)) == 24 * 60
    assert f"{rest.count} times" in rest.reason


def in_doubt(make_schedule, **fields):
    """A run whose beat died before it could mark it, given up because it may go at most once."""
    make_schedule(delivery="at_most_once", cancel_grace=30, **fields)
    (run,) = claim(NOW + MINUTE)
    assert recovered(NOW + MINUTE + 31 * SECOND) == ()
    run.refresh_from_db()
    assert run.state == "unsent"
    return run


def test_a_run_that_may_be_out_holds_the_next_back_until_workers_have_heard(make_schedule):
    run = in_doubt(make_schedule, overlap="skip")
    assert claim(NOW + 2 * MINUTE) == ()
    assert Run.objects.latest("pk").blocked_by == run
    assert len(claim(NOW + 3 * MINUTE)) == 1


def test_workers_are_told_not_to_begin_a_run_that_was_given_up_in_doubt(make_schedule):
    run = in_doubt(make_schedule, overlap="queue")
    assert cancellations.unwanted(NOW + 2 * MINUTE) == [run.task_id]
    verdict = starts.begin(str(run.task_id), run=str(run.uuid), token="t", may_repeat=False)
    assert verdict.reason == "cancelled by the overlap policy before it started"
    assert claim(NOW + 2 * MINUTE) == ()
    assert promote(NOW + 2 * MINUTE) == ()
    assert len(promote(NOW + 2 * MINUTE + 2 * SECOND)) == 1


def test_a_run_given_up_in_doubt_may_begin_where_runs_may_overlap(make_schedule):
    run = in_doubt(make_schedule, overlap="allow")
    assert cancellations.unwanted(NOW + 2 * MINUTE) == []
    assert not starts.begin(str(run.task_id), run=str(run.uuid), token="t", may_repeat=False).reason


def test_a_run_that_turns_up_after_all_holds_the_next_back_until_its_end(make_schedule):
    run = in_doubt(make_schedule, overlap="skip")
    told(run, RunState.STARTED, at=NOW + 2 * MINUTE)
    assert claim(NOW + 3 * MINUTE) == ()
    told(run, RunState.SUCCEEDED, at=NOW + 4 * MINUTE)
    assert len(claim(NOW + 5 * MINUTE)) == 1


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel_previous"])
def test_a_claimed_run_that_is_called_off_holds_the_next_back_until_workers_have_heard(
    make_schedule, actor, overlap
):
    make_schedule(overlap=overlap, cancel_grace=30)
    (run,) = claim(NOW + MINUTE)
    cancellations.cancel(
        run.pk, terminate=False, actor=actor, now=NOW + 100 * SECOND, tell=lambda *_a, **_k: None
    )
    runs.mark_sent([run], sent_at=NOW + MINUTE)  # it was on its way
    assert claim(NOW + 2 * MINUTE) == ()
    assert promote(NOW + 2 * MINUTE) == ()
    later = claim(NOW + 3 * MINUTE) if overlap == "skip" else promote(NOW + 131 * SECOND)
    assert len(later) == 1


def test_a_click_waits_for_a_run_that_may_be_out(make_schedule, actor, sent_by_click):
    run = in_doubt(make_schedule, overlap="skip")
    kept = {"actor": actor, "publish": sent_by_click.append}
    first = runs.run_now(run.schedule_id, token="a", now=NOW + 2 * MINUTE, **kept)
    assert first.run.state == "waiting"
    Run.objects.filter(pk=first.run.pk).delete()
    assert runs.run_now(run.schedule_id, token="b", now=NOW + 3 * MINUTE, **kept).sent


def test_a_claimed_run_is_not_sent_again_once_a_newer_one_is_wanted(make_schedule):
    make_schedule(overlap="cancel_previous", cancel_grace=30)
    (first,) = claim(NOW + MINUTE)  # its beat dies
    claim(NOW + 2 * MINUTE)
    assert recovered(NOW + 2 * MINUTE) == ()
    first.refresh_from_db()
    assert (first.state, first.reason) == ("cancelled", SUPERSEDED)
    assert promote(NOW + 2 * MINUTE + SECOND) == ()
    assert len(promote(NOW + 2 * MINUTE + 31 * SECOND)) == 1


def test_a_run_that_waited_longer_than_a_queue_may_be_stale_holds_the_next_back(make_schedule):
    make_schedule(overlap="queue", queue_max=1)
    (first,) = claim(NOW + MINUTE)
    told(sent(first), RunState.STARTED, at=NOW + MINUTE)
    assert claim(NOW + 2 * MINUTE) == ()
    told(first, RunState.SUCCEEDED, at=NOW + DAY + 3 * MINUTE)
    (second,) = promote(NOW + DAY + 3 * MINUTE)
    sent(second)
    assert claim(NOW + DAY + 4 * MINUTE) == ()
    assert promote(NOW + DAY + 4 * MINUTE) == ()
