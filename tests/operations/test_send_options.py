"""Options of a message: what a person may set, and what no entry of the code may carry."""

from __future__ import annotations

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import adoption, schedules
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.operations.send_options import problems_of
from schedulerui.testing import DULL_WEDNESDAY as NOON

ENTRY = {"task": "tests.add", "kind": "interval", "every": 1, "period": "hours"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"countdown": 0},
        {"countdown": 1.5, "serializer": "msgpack", "compression": "zstd"},
        {"delivery_mode": 1, "mandatory": True, "shadow": "another name"},
        {"delivery_mode": "transient"},
    ],
)
def test_a_person_may_set_what_is_known_to_be_harmless(options):
    assert problems_of(options, is_code=False) == []


@pytest.mark.parametrize(
    "name",
    [
        "task_id", "queue", "exchange", "routing_key", "priority", "expires", "headers", "args", "kwargs", "producer",
        "connection", "router", "link", "link_error", "chain", "chord", "group_id", "retry", "retry_policy", "root_id",
        "parent_id", "reply_to", "eta", "time_limit", "ignore_result", "stamped_headers", "MessageGroupId", "", "__class__",
    ],
)  # fmt: skip
def test_a_person_may_set_no_other(name):
    (problem,) = problems_of({name: None}, is_code=False)
    assert f"“{name}”" in problem


@pytest.mark.parametrize(
    "options",
    [
        {"countdown": -1},
        {"countdown": 31_536_001},
        {"countdown": float("inf")},
        {"countdown": float("nan")},
        {"countdown": 10**400},
        {"countdown": True},
        {"countdown": "5"},
        {"serializer": "nope"},
        {"serializer": ["json"]},
        {"compression": "rar"},
        {"delivery_mode": 3},
        {"delivery_mode": True},
        {"mandatory": 1},
        {"shadow": ""},
        {"shadow": "x" * 201},
    ],
)
def test_a_person_may_set_no_value_that_cannot_be_sent(options):
    (problem,) = problems_of(options, is_code=False)
    assert next(iter(options)) in problem


@pytest.mark.parametrize("options", [{"task_id": "mine"}, {"retry_policy": {"max_retries": None}}])
@pytest.mark.django_db
def test_no_schedule_is_stored_with_them(options):
    with pytest.raises(InvalidSchedule) as refused:
        schedules.create({**ENTRY, "name": "own", "options": options}, actor=Actor(name="ana"), now=NOON)
    assert set(refused.value.errors) == {"options"}


@pytest.mark.parametrize(
    "options",
    [
        {"MessageGroupId": "a", "countdown": 5, "link": [], "serializer": "of-the-host"},
        {"retry": False, "retry_policy": {"max_retries": 3, "interval_start": 0.2, "interval_max": 60}},
        {"retry_policy": {"interval_step": 0}},
        {"headers": None, "task_id": None, "retry_policy": None},
    ],
)
@pytest.mark.django_db
def test_entries_of_the_code_keep_what_we_do_not_know(options):
    assert adoption.adopt({"entry": {**ENTRY, "options": options}}, now=NOON) == {}
    assert Schedule.objects.get().options == options


@pytest.mark.parametrize(
    "options",
    [
        *({name: "x"} for name in ("task_id", "producer", "connection", "args", "kwargs", "headers")),
        {"retry_policy": {"max_retries": None}},
        {"retry_policy": {"max_retries": 10**6}},
        {"retry_policy": {"max_retries": -1}},
        {"retry_policy": {"max_retries": 1, "interval_start": 86_400}},
        {"retry_policy": "forever"},
    ],
)
@pytest.mark.django_db
def test_entries_of_the_code_may_not_take_the_sending_out_of_our_hands(options):
    refused = adoption.adopt({"entry": {**ENTRY, "options": options}}, now=NOON)
    assert next(iter(options)) in refused["entry"]
    assert not Schedule.objects.exists()
