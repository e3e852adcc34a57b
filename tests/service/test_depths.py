"""How many messages wait, as real brokers tell it: of every priority, of a queue that is absent, of one that is read."""

from __future__ import annotations

import uuid

import pytest
from celery import Celery

from schedulerui.monitor import depths
from schedulerui.monitor.depths import Depth
from tests.waiting import eventually

pytestmark = pytest.mark.service


@pytest.fixture
def queue():
    return f"q-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["valkey", "rabbitmq"])
def app(request):
    made = Celery("depths", broker=request.getfixturevalue(request.param).url, set_as_current=False)
    made.conf.task_queue_max_priority = 10
    yield made
    made.close()


def of(app: Celery, name: str) -> Depth:
    (found,) = depths.measure(app, [name])
    return found


def test_messages_of_every_priority_count(app, queue):
    for priority in (0, 3, 6, 9, 9):
        app.send_task("some.task", queue=queue, priority=priority)
    eventually(lambda: of(app, queue).depth == 5, within=90)
    assert of(app, queue).error == ""


def test_an_absent_queue_is_no_error_of_the_others(app, queue):
    app.send_task("some.task", queue=queue)
    eventually(lambda: of(app, queue).depth == 1, within=90)
    absent, present = depths.measure(app, [f"{queue}-absent", queue])
    if app.connection_for_read().transport_cls == "redis":
        # It keeps a queue only while something waits in it: empty and absent are the same.
        assert (absent.depth, absent.error) == (0, "")
    else:
        assert absent.depth is None
        assert "no such queue" in absent.error
    assert present.depth == 1


def test_measuring_makes_no_queue(app, queue):
    of(app, queue)
    of(app, queue)
    if app.connection_for_read().transport_cls != "redis":
        assert of(app, queue).depth is None


def test_consumers_are_counted_where_the_broker_tells(app, queue):
    app.send_task("some.task", queue=queue)
    eventually(lambda: of(app, queue).depth == 1, within=90)
    is_redis = app.connection_for_read().transport_cls == "redis"
    assert of(app, queue).consumers == (None if is_redis else 0)
    with (
        app.connection_for_read() as connection,
        app.amqp.TaskConsumer(connection, queues=[app.amqp.queues[queue]]),
    ):
        if not is_redis:
            eventually(lambda: of(app, queue).consumers == 1, within=90)
