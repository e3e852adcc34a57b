"""Messages that go wrong by themselves: they must not hold up the others, whatever they raise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import Celery
from django.db import connection

from schedulerui import dispatch
from schedulerui.beat import suspects
from schedulerui.beat.loop import Loop
from schedulerui.beat.ports import DjangoSession, Ports
from schedulerui.conf import Settings
from schedulerui.models import Beat, Run, Schedule
from schedulerui.operations import quarantine
from schedulerui.operations.store import DJANGO, PUBLISHES_MAX

pytestmark = pytest.mark.django_db(transaction=True)
BAD, GOOD = "shop.bad", "shop.good"


def loop_of(clock, **conf):
    app = Celery("poison", broker="memory://", set_as_current=False)
    app.conf.update(result_backend=None, **conf)

    @app.task(name="shop.takes_nothing", shared=False)
    def takes_nothing():
        return None

    return Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)


def raising(error):
    """A route as a function, which asks somebody who is away."""

    def route(name, _args, _kwargs, _options, task=None, **_more):
        if name == BAD:
            raise error
        return {"queue": "celery"}

    return (route,)


def seconds(loop, clock, n):
    for _ in range(n):
        loop.tick()
        clock.shift(seconds=1)


def ends(task):
    return list(Run.objects.filter(task=task).order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize(
    "error", [ConnectionError("of the routes"), TimeoutError("of the routes"), OSError("x")]
)
def test_a_route_that_raises_what_a_lost_broker_raises_holds_up_nobody_else(clock, make_schedule, error):
    loop = loop_of(clock, task_routes=raising(error))
    make_schedule(task=BAD, every=1, period="days")
    for _ in range(3):
        make_schedule(task=GOOD, every=1, period="days")
    make_schedule(task=BAD, every=1, period="days")
    clock.shift(days=1)
    seconds(loop, clock, 10)
    assert ends(GOOD) == ["sent"] * 3
    assert ends(BAD) == ["pending"] * 2
    assert Beat.objects.get().degraded == ""


def test_it_is_given_up_when_the_broker_has_taken_others_in_between(clock, make_schedule):
    loop = loop_of(clock, task_routes=raising(ConnectionError("of the routes")))
    make_schedule(task=BAD, every=1, period="days")
    make_schedule(task=GOOD, every=1, period="seconds", grace=3600)
    clock.shift(days=1)
    seconds(loop, clock, 80)
    run = Run.objects.get(task=BAD)
    assert run.state == "unsent"
    assert run.publishes >= suspects.GIVEN_UP_AFTER
    assert run.reason == "the broker takes others: ConnectionError: of the routes"
    assert set(ends(GOOD)[-30:]) == {"sent"}


def test_it_is_tried_for_as_long_as_nothing_else_goes_and_more_and_more_seldom(clock, make_schedule):
    loop = loop_of(clock, task_routes=raising(ConnectionError("of the routes")))
    make_schedule(task=BAD, every=1, period="days")
    clock.shift(days=1)
    seconds(loop, clock, 300)
    run = Run.objects.get()
    assert run.state == "pending"
    assert 8 < run.publishes < 20


def test_what_is_tried_for_weeks_is_counted_no_further_than_its_column_goes(clock, make_schedule):
    loop = loop_of(clock, task_routes=raising(ConnectionError("of the routes")))
    make_schedule(task=BAD, every=1, period="days")
    clock.shift(days=1)
    loop.tick()
    past = clock.now() - timedelta(seconds=1)
    Run.objects.update(publishes=PUBLISHES_MAX, lease_until=past)
    seconds(loop, clock, 3)
    assert Run.objects.get().publishes == PUBLISHES_MAX
    assert Run.objects.get().lease_until > past


def test_an_error_that_is_no_text_holds_up_nobody(clock, make_schedule):
    if connection.vendor != "sqlite":
        return  # the others keep no such arguments
    loop = loop_of(clock)
    bad = make_schedule(task="shop.takes_nothing")
    make_schedule(task=GOOD)
    Schedule.objects.filter(pk=bad.pk).update(kwargs={"\ud800": 1})
    clock.shift(seconds=60)
    loop.tick()
    run = Run.objects.get(task="shop.takes_nothing")
    assert (run.state, ends(GOOD)) == ("unsent", ["sent"])
    assert run.reason.endswith("unexpected keyword argument '?'")


def test_a_reason_that_is_no_text_puts_a_row_aside_all_the_same(clock, make_schedule):
    bad = make_schedule()
    clock.shift(seconds=60)
    quarantine.put_aside([(bad.pk, "ValueError: \ud800 or \x00")], now=clock.now())
    bad.refresh_from_db()
    assert (bad.error, bad.next_run_at) == ("ValueError: ? or ", None)


def test_what_a_beat_lacks_is_told_although_it_is_no_text(clock):
    loop = loop_of(clock)
    loop.heart.degrade("ValueError: \ud800 or \x00\n" + "long " * 200)
    loop.tick()
    told = Beat.objects.get().degraded
    assert told.startswith("ValueError: ? or long")
    assert len(told) <= 500


class Picky:
    """A broker that takes messages by the batch, and does not take those of one task."""

    def __init__(self, *, breaks=False):
        self.breaks, self.waiting = breaks, []
        self.is_full = False

    def connect(self):
        return self

    def publish(self, run, *, producer):
        self.waiting.append(run)
        return True

    def flush(self, *, producer):
        batch, self.waiting = self.waiting, []
        bad = {place for place, run in enumerate(batch) if run.task == BAD or self.is_full}
        if bad and self.breaks:
            raise dispatch.NotAllTaken("reset by peer", refused=(), in_doubt=range(len(batch)))
        if bad:
            raise dispatch.NotAllTaken("WRONGTYPE", refused=bad, in_doubt=())

    def forget(self, *, producer):
        self.waiting = []

    def disconnect(self, producer):
        self.waiting = []


def loop_to(broker, clock):
    ports = Ports(store=DJANGO, broker=broker, session=DjangoSession(idle=15.0))
    return Loop(app=Celery(set_as_current=False), clock=clock, options=Settings(), max_sleep=1.0, ports=ports)


@pytest.mark.parametrize("breaks", [False, True])
def test_what_one_queue_does_not_take_is_given_up_and_the_others_go_on(clock, make_schedule, breaks):
    loop = loop_to(Picky(breaks=breaks), clock)
    make_schedule(task=BAD, every=1, period="days")
    for _ in range(3):
        make_schedule(task=GOOD, every=1, period="days")
    clock.shift(days=1)
    make_schedule(task="shop.later", every=10, period="seconds")
    seconds(loop, clock, 60)
    assert ends(GOOD) == ["sent"] * 3
    assert ends("shop.later")[-5:] == ["sent"] * 5
    run = Run.objects.get(task=BAD)
    assert (run.state, run.reason[:24]) == ("unsent", "the broker takes others:")


def test_a_broker_that_takes_nothing_for_a_while_loses_nothing_and_is_asked_again_and_again(
    clock, make_schedule
):
    broker = Picky()
    loop = loop_to(broker, clock)
    for _ in range(3):
        make_schedule(task=GOOD, every=1, period="days")
    clock.shift(days=1)
    broker.is_full = True
    seconds(loop, clock, 60)
    assert ends(GOOD) == ["pending"] * 3
    broker.is_full = False
    seconds(loop, clock, 3)
    assert ends(GOOD) == ["sent"] * 3
