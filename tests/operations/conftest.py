"""What tests of verbs share: an actor, a standing clock, schedules made through the operation itself."""

from __future__ import annotations

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Worker
from schedulerui.operations import schedules
from schedulerui.testing import DULL_WEDNESDAY, FrozenClock, recording


@pytest.fixture
def actor():
    return Actor(name="ana", via="browser", address="127.0.0.1")


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def sent():
    """The outbox that stands in for the broker."""
    with recording() as outbox:
        yield outbox


@pytest.fixture
def make_schedule(db, actor):
    counter = iter(range(10_000))

    def make(**fields):
        now = fields.pop("now", DULL_WEDNESDAY)
        values = {
            "name": f"schedule {next(counter)}",
            "task": "tests.add",
            "kind": "interval",
            "every": 1,
            "period": "minutes",
            **fields,
        }
        return schedules.create(values, actor=actor, now=now)

    return make


@pytest.fixture
def make_worker(db):
    def make(*, instance, seen_at=DULL_WEDNESDAY, **fields):
        values = {
            "hostname": "celery@one",
            "pid": 7,
            "started_at": DULL_WEDNESDAY,
            "seen_at": seen_at,
            **fields,
        }
        return Worker.objects.create(instance=instance, **values)

    return make
