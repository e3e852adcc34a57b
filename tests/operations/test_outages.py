"""Beats that do not tick and queues that nobody empties are found, and nothing else is called so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.models import Beat, Queue, Schedule
from schedulerui.operations import outages
from schedulerui.operations.outages import Addressed
from schedulerui.testing import DULL_WEDNESDAY as NOW

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
INSTANCE = "b6a0d1de-53c1-4d43-9c44-8f8c2c6f9f3a"


@pytest.fixture
def beat(db):
    return Beat.objects.create(host="one", pid=1, started_at=NOW, seen_at=NOW)


def routed(asked: Addressed) -> str:
    """An app's routes: one task has a queue of its own."""
    if asked.queue or asked.is_keyed:
        return asked.queue
    return "heavy" if asked.task == "tests.heavy" else "celery"


def down(now=NOW) -> list[str]:
    return [trouble.key for trouble in outages.of_queues(queue_of=routed, now=now).troubles]


def a_queue(name: str, **fields: object) -> Queue:
    return Queue.objects.create(name=name, **{"depth": 0, "measured_at": NOW, **fields})


def test_schedules_without_a_beat_are_one_trouble(make_schedule):
    assert outages.of_beats(now=NOW).troubles == ()
    make_schedule()
    assert [trouble.message for trouble in outages.of_beats(now=NOW).troubles] == [
        "No beat is running: nothing is sent."
    ]


def test_a_beat_that_ticks_and_cannot_work_is_a_trouble_with_its_reason(make_schedule, beat):
    make_schedule()
    assert outages.of_beats(now=NOW).troubles == ()
    Beat.objects.update(degraded="broker: refused")
    assert "broker: refused" in outages.of_beats(now=NOW).troubles[0].message
    Beat.objects.update(degraded="")
    assert "since 2026" in outages.of_beats(now=NOW + MINUTE).troubles[0].message


def test_a_queue_that_no_living_worker_takes_from_is_a_trouble(make_schedule, make_worker):
    make_schedule(queue="reports")
    make_schedule()
    found = outages.of_queues(queue_of=routed, now=NOW)
    assert [trouble.key for trouble in found.troubles] == ["queue:celery", "queue:reports"]
    make_worker(instance=INSTANCE, queues=["celery"])
    found = outages.of_queues(queue_of=routed, now=NOW)
    assert [trouble.key for trouble in found.troubles] == ["queue:reports"]
    assert "no worker that is online takes from it" in found.troubles[0].message


def test_a_worker_that_has_not_told_its_queues_might_take_from_any(make_schedule, make_worker):
    make_schedule(queue="reports")
    make_worker(instance=INSTANCE, queues=[])
    assert outages.of_queues(queue_of=routed, now=NOW).troubles == ()


def test_the_app_s_routes_tell_the_queue_of_a_schedule_that_names_none(make_schedule, make_worker):
    make_schedule(task="tests.heavy")
    make_worker(instance=INSTANCE, queues=["celery"])
    assert down() == ["queue:heavy"]
    make_worker(instance="b6a0d1de-53c1-4d43-9c44-8f8c2c6f9f3b", queues=["heavy"])
    assert down() == []


def test_nothing_is_said_of_an_exchange_that_nobody_can_follow(make_schedule):
    make_schedule(exchange="events", routing_key="a.b")
    assert down() == []


def test_the_parts_of_a_canvas_need_their_queues_too(make_schedule, make_worker):
    parts = [{"type": "task", "task": "tests.add"}, {"type": "task", "task": "tests.heavy"}]
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(canvas={"type": "chain", "steps": parts})
    make_worker(instance=INSTANCE, queues=["celery"])
    assert down() == ["queue:heavy"]


def test_a_damaged_canvas_takes_no_alarm_from_the_others(make_schedule):
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(canvas={"type": "chain", "steps": [7]})
    make_schedule(queue="reports")
    assert down() == ["queue:celery", "queue:reports"]


def test_a_broker_that_counts_consumers_is_believed(make_schedule, make_worker):
    make_schedule(queue="read by a stranger")
    make_schedule(queue="read by nobody")
    a_queue("read by a stranger", consumers=1)
    a_queue("read by nobody", consumers=0)
    make_worker(instance=INSTANCE, queues=[])
    assert down() == ["queue:read by nobody"]


@pytest.mark.parametrize(
    "fields", [{"error": "gone"}, {"measured_at": NOW - 2 * MINUTE}, {"consumers": None}]
)
def test_what_the_broker_told_long_ago_or_not_at_all_says_nothing(make_schedule, fields):
    make_schedule(queue="reports")
    a_queue("reports", **{"consumers": 1, **fields})
    assert down() == ["queue:reports"]
