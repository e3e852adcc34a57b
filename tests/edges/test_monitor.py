"""The monitor's rounds: each step for itself, queues measured or the reason told, an end when asked."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from celery import Celery
from django.db import OperationalError

from schedulerui.models import Queue, Worker
from schedulerui.monitor import depths, loop, routes
from schedulerui.monitor.loop import Step
from schedulerui.operations.workers import Heartbeat, heartbeat
from schedulerui.testing import DULL_WEDNESDAY, FrozenClock


@pytest.fixture
def memory():
    app = Celery("monitored", broker="memory://", set_as_current=False)
    yield app
    app.close()


@pytest.mark.django_db(transaction=True)
def test_a_step_that_fails_is_logged_and_the_others_go_on(caplog):
    seen: list[datetime] = []

    def broken(now):
        raise OperationalError("away")

    loop.round_of([Step("breaking", broken), Step("working", seen.append)], FrozenClock())
    assert seen == [DULL_WEDNESDAY]
    assert [(record.action, record.step) for record in caplog.records] == [("monitor_error", "breaking")]


@pytest.mark.django_db(transaction=True)
def test_a_step_is_done_as_often_as_it_says():
    watch = FrozenClock()
    often: list[datetime] = []
    seldom: list[datetime] = []
    steps = [Step("often", often.append), Step("seldom", seldom.append, every=60)]
    for _ in range(5):
        loop.round_of(steps, watch)
        watch.shift(seconds=20)
    assert (len(often), len(seldom)) == (5, 2)


@pytest.mark.django_db(transaction=True)
def test_it_ends_when_it_is_told_to():
    stop = threading.Event()
    loop.run(stop, clock_=FrozenClock(), steps=[Step("stopping", lambda now: stop.set())])
    assert stop.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_whole_round_works_on_an_empty_database(memory, caplog):
    loop.round_of(loop.default_steps(memory), FrozenClock())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_it_counts_the_messages_that_wait(memory):
    with memory.connection_for_write() as connection:
        queue = connection.SimpleQueue("filled")
        queue.put({"a": 1})
        queue.put({"a": 2})
        found = depths.measure(memory, ["filled", "absent"])
        queue.clear()
        queue.close()
    assert [(depth.name, depth.depth) for depth in found] == [("filled", 2), ("absent", None)]
    assert "no such queue" in found[1].error


def test_a_broker_that_is_away_is_the_error_of_each_queue():
    app = Celery("monitored", broker="redis://127.0.0.1:1/0", set_as_current=False)
    found = depths.measure(app, ["one", "two"])
    app.close()
    assert [depth.depth for depth in found] == [None, None]
    assert all("does not answer" in depth.error for depth in found)


@pytest.mark.django_db(transaction=True)
def test_measurements_are_stored_with_the_default_queue(memory):
    memory.conf.task_default_queue = "usual"
    loop.measure_queues(memory, now=DULL_WEDNESDAY)
    queue = Queue.objects.get(name="usual")
    assert queue.depth is None
    assert "no such queue" in queue.error


class Outage:
    """A step that fails while the database is away."""

    def __init__(self):
        self.is_away = False

    def __call__(self, now):
        if self.is_away:
            raise OperationalError("away")


@pytest.fixture
def monitored():
    """A monitor's rounds, one every five seconds, and what two patient steps did at which second."""
    watch, outage = FrozenClock(), Outage()
    dead: list[float] = []
    lost: list[float] = []
    began = watch.monotonic()
    steps = [
        Step("asking", outage),
        Step("declaring dead", lambda now: dead.append(watch.monotonic() - began), calm=20),
        Step("declaring lost", lambda now: lost.append(watch.monotonic() - began), calm=30),
        Step("measuring", lambda now: watch.shift(seconds=slow[0]), is_slow=True),
    ]
    slow = [0]
    vigil = loop.Vigil(watch)

    def rounds(n_rounds):
        for _ in range(n_rounds):
            loop.round_of(steps, watch, vigil=vigil)
            watch.shift(seconds=5)

    return SimpleNamespace(watch=watch, outage=outage, dead=dead, lost=lost, rounds=rounds, slow=slow)


@pytest.mark.django_db(transaction=True)
def test_it_declares_nobody_dead_before_it_has_watched_for_a_while(monitored):
    monitored.rounds(8)
    assert (monitored.dead[0], monitored.lost[0]) == (20, 30)


@pytest.mark.django_db(transaction=True)
def test_it_declares_nobody_dead_right_after_the_database_was_away(monitored):
    monitored.rounds(8)
    monitored.outage.is_away = True
    monitored.rounds(4)
    monitored.outage.is_away = False
    monitored.dead.clear()
    monitored.lost.clear()
    monitored.rounds(8)  # the last round that failed was at second 55
    assert (monitored.dead[0], monitored.lost[0]) == (75, 85)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_seen", ["by the wall clock", "by both clocks"])
def test_it_declares_nobody_dead_right_after_a_gap(monitored, is_seen, caplog):
    monitored.rounds(8)
    monitored.dead.clear()
    before = monitored.watch.monotonic()
    if is_seen == "by both clocks":
        monitored.watch.shift(hours=2)
    else:
        monitored.watch.set_wall(monitored.watch.now() + timedelta(hours=2))
    woken = 40 + monitored.watch.monotonic() - before
    monitored.rounds(8)
    assert monitored.dead[0] == woken + 20
    assert [record.action for record in caplog.records] == ["monitor_gap"]


@pytest.mark.django_db(transaction=True)
def test_a_slow_broker_is_no_gap(monitored):
    monitored.slow[0] = 60
    monitored.rounds(3)
    assert monitored.dead == [65, 130]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_could_not_tell_during_an_outage_is_not_declared_dead(memory):
    watch = FrozenClock()
    vigil, steps = loop.Vigil(watch), loop.default_steps(memory)
    told = Heartbeat(instance=uuid.uuid4(), hostname="celery@one", pid=7, started_at=watch.now())
    heartbeat(told, now=watch.now())
    loop.round_of(steps, watch, vigil=vigil)
    watch.shift(minutes=10)
    loop.round_of(steps, watch, vigil=vigil)
    heartbeat(told, now=watch.shift(seconds=3))
    for _ in range(3):
        watch.shift(seconds=5)
        loop.round_of(steps, watch, vigil=vigil)
    assert Worker.objects.get().died_at is None
    for _ in range(2):
        watch.shift(seconds=5)
        loop.round_of(steps, watch, vigil=vigil)
    assert Worker.objects.get().died_at is not None


@pytest.mark.parametrize(
    ("url", "options", "seconds"),
    [
        ("redis://h/0", {}, 3_700),
        ("redis://h/0", {"visibility_timeout": 60, "unacked_restore_throttle": 1}, 70),
        ("sentinel://h", {"unacked_restore_interval": 2, "unacked_restore_throttle": 3}, 3_606),
        ("sqs://", {"visibility_timeout": 60}, 60),
        ("amqp://h//", {}, 0),
    ],
)
def test_a_message_of_a_dead_worker_is_awaited_until_the_others_have_looked_for_it(url, options, seconds):
    app = Celery("routed", broker=url, set_as_current=False)
    app.conf.broker_transport_options = options
    assert routes.redelivery_of(app) == timedelta(seconds=seconds)
    app.close()
