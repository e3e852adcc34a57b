"""One tick of beat: what it sends, what it leaves alone, and that nothing makes it raise."""

from __future__ import annotations

import socket
from datetime import timedelta
from unittest import mock

import pytest
from django.db import OperationalError

from schedulerui import dispatch
from schedulerui.beat.loop import Loop
from schedulerui.conf import Settings
from schedulerui.models import Beat, Run, Schedule
from schedulerui.operations import claims, runs
from tests.celery_app import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loop(clock, sent):
    return Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)


def test_it_sends_what_is_due_marks_it_and_sleeps_until_the_next(loop, clock, sent, make_schedule):
    make_schedule(every=2, period="seconds")
    clock.shift(seconds=2)
    assert loop.tick() == 1.0
    run = Run.objects.get()
    assert (run.state, run.sent_at) == ("sent", clock.now())
    assert sent.task_ids == [run.task_id]
    clock.shift(seconds=1.5)
    assert loop.tick() == pytest.approx(0.5)


def test_it_signs_in_and_tells_how_it_is(loop, clock, make_schedule):
    loop.tick()
    beat = Beat.objects.get()
    assert beat.seen_at == clock.now()
    assert {"celery", "tzdata"} <= set(beat.software)
    loop.close()
    loop.close()
    assert not Beat.objects.exists()


def test_two_beats_on_a_machine_with_a_long_name_have_names_of_their_own(clock, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "a" * 250)
    names = {Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0).heart.name for _ in range(2)}
    assert len(names) == 2
    assert max(map(len, names)) <= 120


def test_it_writes_no_heartbeat_on_every_tick(loop, clock, django_assert_max_num_queries):
    loop.tick()
    clock.shift(seconds=1)
    with django_assert_max_num_queries(2):
        loop.tick()


def test_it_counts_how_late_each_message_went(loop, clock, sent, make_schedule):
    make_schedule()
    clock.shift(seconds=63)
    loop.tick()
    clock.shift(seconds=60)
    loop.tick()
    clock.shift(seconds=20)  # the row is written with the next heartbeat
    loop.tick()
    told = Beat.objects.get().latency
    assert (told["5.0"], told["0.01"], told["sum"]) == (2, 0, 6.0)


def test_with_the_broker_away_it_claims_nothing_and_says_so(loop, clock, sent, make_schedule):
    make_schedule()
    sent.broken = dispatch.BrokerUnavailable("redis://beat:hunter2@broker: connection refused")
    clock.shift(seconds=60)
    first, second = loop.tick(), loop.tick()
    assert 0 < first < second <= 5
    assert not Run.objects.exists()
    assert "redis://beat:***@broker: connection refused" in Beat.objects.get().degraded


def test_when_the_broker_is_back_it_sends_and_is_well_again(loop, clock, sent, make_schedule):
    make_schedule()
    sent.broken = dispatch.BrokerUnavailable("connection refused")
    clock.shift(seconds=60)
    loop.tick()
    sent.broken = None
    clock.shift(seconds=10)
    loop.tick()
    loop.tick()
    assert len(sent.sent) == 1
    assert Beat.objects.get().degraded == ""


def test_a_broker_that_goes_away_in_the_middle_gets_the_rest_later_under_the_same_ids(
    loop, clock, sent, make_schedule
):
    for _ in range(3):
        make_schedule()
    take = dispatch.publish

    def goes_away_after_one(run, **kwargs):
        if sent.sent:
            sent.broken = dispatch.BrokerUnavailable("gone")
        take(run, **kwargs)

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", goes_away_after_one):
        loop.tick()
    assert sorted(Run.objects.values_list("state", flat=True)) == ["pending", "pending", "sent"]
    sent.broken = None
    clock.shift(seconds=1)
    loop.tick()
    assert set(Run.objects.values_list("state", flat=True)) == {"sent"}
    assert set(sent.task_ids) == set(Run.objects.values_list("task_id", flat=True))


def test_it_does_not_publish_after_its_half_of_the_lease(loop, clock, sent, make_schedule):
    for _ in range(3):
        make_schedule()
    take = dispatch.publish

    def slow(run, **kwargs):
        take(run, **kwargs)
        clock.shift(seconds=16)

    clock.shift(seconds=60)
    assert loop._connect()
    with mock.patch.object(dispatch, "publish", slow):
        loop._claim_and_publish(
            clock.now(),
            lambda lease: claims.claim_due(lease=lease, now=clock.now(), limit=10, touch=loop.heart.touch),
            began=clock.monotonic(),
        )
    assert len(sent.sent) == 1
    assert Run.objects.filter(state="pending").count() == 2


def test_a_run_that_cannot_be_sent_does_not_hold_up_the_others(loop, clock, sent, make_schedule):
    bad, good = make_schedule(), make_schedule()
    take = dispatch.publish

    def choosy(run, **kwargs):
        if run.schedule_id == bad.pk:
            raise dispatch.Unsendable("EncodeError: no")
        take(run, **kwargs)

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", choosy):
        loop.tick()
    assert Run.objects.get(schedule=bad).state == "unsent"
    assert Run.objects.get(schedule=good).state == "sent"


def test_what_was_sent_while_the_database_was_away_is_marked_and_not_sent_again(
    loop, clock, sent, make_schedule
):
    make_schedule()
    clock.shift(seconds=60)
    with mock.patch.object(runs, "mark_sent", side_effect=OperationalError("away")):
        assert loop.tick() > 0
    assert Run.objects.get().state == "pending"
    clock.shift(seconds=40)
    loop.tick()
    assert Run.objects.get().state == "sent"
    assert len(sent.sent) == 1


@pytest.mark.parametrize("error", [OperationalError("gone"), RuntimeError("a mistake of ours")])
def test_nothing_makes_a_tick_raise(loop, clock, make_schedule, error):
    make_schedule()
    clock.shift(seconds=60)
    with mock.patch.object(claims, "next_wake", side_effect=error):
        assert 0 < loop.tick() <= 5
    clock.shift(seconds=1)
    loop.tick()
    assert Run.objects.get().state == "sent"


def test_a_run_asked_for_by_a_person_goes_out_although_its_schedule_is_off(
    loop, clock, sent, make_schedule, actor
):
    schedule = make_schedule(enabled=False)
    sent.broken = dispatch.BrokerUnavailable("away")
    queued = runs.run_now(schedule.pk, token="t", actor=actor, now=clock.now())
    sent.broken = None
    clock.shift(seconds=3)
    loop.tick()
    assert sent.task_ids == [queued.run.task_id]
    assert Schedule.objects.get().next_run_at is None


def test_a_purged_row_of_a_beat_that_lives_comes_back(loop, clock):
    loop.tick()
    Beat.objects.all().delete()
    clock.shift(seconds=6)
    loop.tick()
    assert Beat.objects.get().seen_at == clock.now()


def test_an_outage_is_accounted_for_when_it_comes_back(loop, clock, sent, make_schedule):
    make_schedule()
    clock.shift(seconds=600 + 45)
    loop.tick()
    assert Run.objects.filter(state="missed").count() == 9
    assert len(sent.sent) == 1
    assert Run.objects.get(state="sent").nominal_at == clock.now() - timedelta(seconds=45)


def test_the_first_claim_of_a_burst_is_small_so_that_its_first_message_goes_soon(clock, sent, make_schedule):
    for _ in range(7):
        make_schedule()
    sizes = []
    take = claims.claim_due

    def watched(**kwargs):
        sizes.append(kwargs["limit"])
        return take(**kwargs)

    busy = Loop(app=app, clock=clock, options=Settings(CLAIM_BATCH=20), max_sleep=1.0)
    clock.shift(seconds=60)
    with mock.patch.object(claims, "claim_due", watched):
        busy.tick()
    assert sizes == [2, 20]
    assert len(sent.sent) == 7


def test_a_signal_in_the_middle_of_a_tick_ends_it_after_its_own_statement(loop, clock, sent, make_schedule):
    for _ in range(3):
        make_schedule()
    take = dispatch.publish
    seen = []

    def interrupted(run, **kwargs):
        take(run, **kwargs)
        loop.close()
        seen.append(Beat.objects.count())
        raise SystemExit

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", interrupted), pytest.raises(SystemExit):
        loop.tick()
    assert seen == [1], "nothing was asked of the database inside the handler"
    assert not Beat.objects.exists()
    loop.close()


def test_what_was_published_before_the_signal_is_marked_on_the_way_out(loop, clock, sent, make_schedule):
    for _ in range(3):
        make_schedule()
    take = dispatch.publish

    def interrupted_later(run, **kwargs):
        if len(sent.sent) == 2:
            loop.close()
            raise SystemExit
        take(run, **kwargs)

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", interrupted_later), pytest.raises(SystemExit):
        loop.tick()
    assert sorted(Run.objects.values_list("state", flat=True)) == ["pending", "sent", "sent"]


def test_a_signal_whose_exit_got_lost_ends_beat_at_the_next_tick(loop, clock, sent, make_schedule):
    for _ in range(3):
        make_schedule()
    take = dispatch.publish

    def closes(run, **kwargs):
        take(run, **kwargs)
        loop.close()

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", closes):
        loop.tick()
    assert len(sent.sent) == 1
    with pytest.raises(SystemExit):
        loop.tick()


def test_the_clock_is_not_asked_once_for_each_message(clock, sent, make_schedule, monkeypatch):
    asked = []
    take = clock.now

    def counted():
        asked.append(1)
        return take()

    monkeypatch.setattr(clock, "now", counted)
    busy = Loop(app=app, clock=clock, options=Settings(CLAIM_BATCH=500), max_sleep=1.0)
    busy.tick()
    counts = []
    for n in (2, 20):
        for _ in range(n):
            make_schedule(now=take())
        clock.shift(seconds=60)
        asked.clear()
        busy.tick()
        counts.append(len(asked))
        Schedule.objects.all().update(next_run_at=None, next_nominal_at=None)
    assert len(sent.sent) == 22
    assert counts[0] == counts[1]
