"""The loop promotes what waits, and its intervals go on when the clock goes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.beat.loop import Loop
from schedulerui.beat.steady import SteadyClock
from schedulerui.conf import Settings
from schedulerui.facts import Actor
from schedulerui.models import Beat, Run, Schedule
from schedulerui.operations import schedules
from schedulerui.presenters.beats import card_of
from schedulerui.testing import DULL_WEDNESDAY as NOW
from schedulerui.testing import FrozenClock, recording
from tests.celery_app import app

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def sent():
    with recording() as outbox:
        yield outbox


@pytest.fixture
def loop(clock):
    ticking = Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)
    yield ticking
    ticking.close()


@pytest.fixture
def make(db):

    def make(name="Often", **fields):
        values = {
            "name": name,
            "task": "tests.add",
            "kind": "interval",
            "every": 1,
            "period": "minutes",
            **fields,
        }
        return schedules.create(values, actor=Actor(name="ana"), now=NOW)

    return make


def run_for(loop, clock, seconds, *, step=1.0):
    for _step in range(int(seconds / step)):
        clock.shift(seconds=step)
        loop.tick()


def test_a_waiting_run_goes_within_a_second_of_the_end_before_it(loop, clock, sent, make):
    make(overlap="queue")
    run_for(loop, clock, 121)
    first, second = sent.sent[0], Run.objects.get(state="waiting")
    assert len(sent.sent) == 1
    Run.objects.filter(pk=first.pk).update(state="succeeded")
    run_for(loop, clock, 1)
    assert [run.pk for run in sent.sent] == [first.pk, second.pk]


def test_a_run_that_waits_for_long_costs_no_busy_loop(loop, clock, sent, make):
    make(overlap="queue")
    run_for(loop, clock, 121)
    assert 0.3 < loop.tick() <= 1.0 or 0.3 < loop.tick() <= 1.0


def test_a_try_goes_at_its_own_time(loop, clock, sent, make):
    make(every=1, period="hours", retry_max=1, retry_after=30)
    run_for(loop, clock, 3601, step=60)
    run_for(loop, clock, 60)
    (first,) = sent.sent
    Run.objects.filter(pk=first.pk).update(
        state="waiting", due_at=clock.now() + 30 * SECOND, trigger="retry", lease_until=None
    )
    run_for(loop, clock, 29)
    assert len(sent.sent) == 1
    run_for(loop, clock, 2)
    assert len(sent.sent) == 2


def test_intervals_go_on_when_the_clock_goes_back_an_hour(loop, clock, sent, make):
    make(every=10, period="seconds")
    make("Nightly", kind="crontab", expression="* * * * *", every=None, period="")
    run_for(loop, clock, 600)
    before = len([run for run in sent.sent if run.schedule_name == "Often"])
    assert before == 60
    clock.set_wall(clock.now() - HOUR)
    run_for(loop, clock, 600)
    intervals = [run for run in sent.sent if run.schedule_name == "Often"]
    assert len(intervals) - before >= 57
    assert len({run.nominal_at for run in intervals}) == len(intervals)
    # What follows the wall waits for the wall to come back.
    assert len([run for run in sent.sent if run.schedule_name == "Nightly"]) == 10


def test_the_first_interval_after_a_step_back_comes_within_its_own_time(loop, clock, sent, make):
    make(every=5, period="seconds")
    run_for(loop, clock, 60)
    n_before = len(sent.sent)
    clock.set_wall(clock.now() - HOUR)
    run_for(loop, clock, 6)
    assert len(sent.sent) > n_before


def test_a_beat_that_starts_after_a_step_back_goes_on_from_what_another_has_seen(clock, sent, make):
    make(every=10, period="seconds")
    Beat.objects.create(host="two", pid=2, started_at=NOW, seen_at=NOW, clock_seen_at=NOW + HOUR)
    Schedule.objects.update(next_nominal_at=NOW + HOUR + 10 * SECOND, next_run_at=NOW + HOUR + 10 * SECOND)
    late = Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)
    run_for(late, clock, 32)
    late.close()
    assert len(sent.sent) == 3


def test_a_small_slew_is_followed_and_nonsense_not_believed():
    steady = SteadyClock()
    assert steady.read(NOW, monotonic=0.0) == NOW
    assert steady.read(NOW + 9.5 * SECOND, monotonic=10.0) == NOW + 9.5 * SECOND
    assert steady.read(NOW - HOUR, monotonic=11.0) == NOW + 10.5 * SECOND
    fresh = SteadyClock()
    fresh.remember(NOW + 30 * HOUR, now=NOW, monotonic=0.0)
    assert fresh.read(NOW, monotonic=0.0) == NOW


def test_what_waits_goes_also_while_the_clock_is_an_hour_behind(loop, clock, sent, make):
    make(every=10, period="seconds", overlap="queue")
    run_for(loop, clock, 10)
    clock.set_wall(clock.now() - HOUR)
    run_for(loop, clock, 11)
    first, second = sent.sent[0], Run.objects.get(state="waiting")
    assert second.due_at > clock.now()
    Run.objects.filter(pk=first.pk).update(state="succeeded")
    run_for(loop, clock, 1)
    assert [run.pk for run in sent.sent] == [first.pk, second.pk]


@pytest.mark.parametrize(("by", "words"), [(HOUR, "went forward by 3600 s"), (-HOUR, "went back by 3600 s")])
def test_a_step_of_the_clock_is_told_by_the_heartbeat_for_a_while(loop, clock, sent, by, words, caplog):
    run_for(loop, clock, 30)
    clock.set_wall(clock.now() + by)
    run_for(loop, clock, 10)
    assert words in Beat.objects.get().degraded
    assert words in caplog.text
    assert words in card_of([Beat.objects.get()], now=clock.now()).sentence
    run_for(loop, clock, 600, step=5)
    assert Beat.objects.get().degraded == ""


def test_a_clock_that_is_slewed_or_stands_still_for_a_moment_is_no_news(loop, clock, sent, make):
    run_for(loop, clock, 30)
    clock.set_wall(clock.now() - 59 * SECOND)
    run_for(loop, clock, 10)
    assert Beat.objects.get().degraded == ""


def test_the_card_tells_of_a_clock_that_is_behind_what_it_was_as_long_as_it_is(loop, clock, sent, make):
    run_for(loop, clock, 30)
    clock.set_wall(clock.now() - HOUR)
    run_for(loop, clock, 700, step=5)
    card = card_of([Beat.objects.get()], now=clock.now())
    assert card.family == "warn"
    assert "60 min behind" in card.sentence
