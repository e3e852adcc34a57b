"""The monitor's rounds: each step for itself, queues measured or the reason told, an end when asked."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from celery import Celery
from django.db import OperationalError

from schedulerui.models import Queue
from schedulerui.monitor import depths, loop
from schedulerui.monitor.loop import Step
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
