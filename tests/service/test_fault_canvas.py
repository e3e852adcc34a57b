"""A beat that is killed between two messages of a canvas: no part is lost, none gets a second id, no body begins twice."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import redis

from schedulerui.canvas import entries, leaves, task_id_of
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

APP = "tests.service.canvas_app"
STEP = {"type": "task", "task": "canvas.note", "args": [1]}


def shape(name, *steps):
    return {"type": name, "steps": list(steps or [STEP] * 3)}


CHORD = {"type": "chord", "header": [STEP] * 3, "body": {"type": "task", "task": "canvas.note"}}
CANVASES = [
    shape("group"),
    CHORD,
    shape("chain"),
    shape("group", shape("chain"), CHORD, STEP, shape("group")),
    shape("chain", shape("group"), {**STEP, "args": []}),
]


def beat(world, *, kill_at=0):
    env = {"TEST_KILL_AT": str(kill_at)}
    return world.start(
        "beat", "-m", "celery", "-A", APP, "beat", "-S", "schedulerui", "--pidfile=", "-l", "INFO", env=env
    )


def rows_of(world):
    """Task id, canvas, state and number of sendings of every run."""
    for task_id, stored, state, publishes in world.rows(
        "SELECT task_id, canvas, state, publishes FROM schedulerui_run"
    ):
        yield task_id, json.loads(stored) if isinstance(stored, str) else stored, state, publishes


def states(world):
    return Counter(state for _task_id, _canvas, state, _publishes in rows_of(world))


@pytest.fixture(params=["sqlite", "postgres"])
def world(request, make_world, tmp_path):
    """Five canvases that are due at once."""
    made = make_world(request.param, DISPATCH_LEASE=1.0, CELERY_APP=f"{APP}.app")
    made.env["TEST_NOTES"] = str(tmp_path)
    each = [{"canvas": canvas} for canvas in CANVASES]
    made.populate(len(each), each=each, task="canvas.note", misfire="all", grace=600, **{"in": 8})
    return made


def assert_killed(process):
    assert process.wait(within=180) == -9, process.tail()


def test_kills_between_the_messages_of_canvases_lose_no_part_and_make_no_second_id(world):
    for kill_at in (2, 5, 9, 6):  # what a killed one has marked before is not sent by the next
        assert_killed(beat(world, kill_at=kill_at))
    last = beat(world)
    done = {"sent": len(CANVASES)}
    eventually(lambda: states(world) == done, within=180, describe=lambda: f"{states(world)} {last.tail()}")
    messages, expected = world.messages(), dict[str, int]()
    for task_id, canvas, _state, publishes in rows_of(world):
        expected |= {task_id_of(task_id, path): publishes for path in entries(canvas)}
    assert set(messages) == set(expected)
    assert {each: n for each, n in messages.items() if n > expected[each]} == {}
    assert max(messages.values()) > 1, "no kill came in the middle"
    told = world.rows("SELECT run_id, path, task_id FROM schedulerui_part")
    assert (
        len(told)
        == len({task_id for _run, _path, task_id in told})
        == sum(len(leaves(canvas)) for canvas in CANVASES)
    )
    assert len(groups_of(world)) == len(expected), "a second sending has other groups"


def groups_of(world):
    """Each task id with each group that a message of it named."""
    with redis.Redis.from_url(world.broker_url) as client:
        headers = [json.loads(raw)["headers"] for raw in client.lrange("celery", 0, -1)]
    return {(header["id"], header["group"]) for header in headers}


def test_every_body_of_a_canvas_begins_once_while_beats_are_killed_and_a_worker_works(world, tmp_path):
    worker = world.start("worker", "-m", "celery", "-A", APP, "worker", "-l", "INFO", "-c", "2")
    worker.wait_for("ready.", within=180)
    for kill_at in (3, 3, 6):
        assert_killed(beat(world, kill_at=kill_at))
    last = beat(world)
    done = {"succeeded": len(CANVASES)}
    eventually(
        lambda: states(world) == done,
        within=240,
        describe=lambda: f"{states(world)} {parts_of(world)} {last.tail()} {worker.tail()}",
    )
    began = Counter(line for path in tmp_path.glob("*.bodies") for line in path.read_text().splitlines())
    expected = {
        task_id_of(task_id, leaf.path)
        for task_id, canvas, *_rest in rows_of(world)
        for leaf in leaves(canvas)
    }
    assert began == dict.fromkeys(expected, 1)


def parts_of(world):
    return world.rows("SELECT run_id, path, state, reason FROM schedulerui_part ORDER BY run_id, position")
