from __future__ import annotations

import json
import uuid

import pytest
from celery import Celery, chain, chord, group

from schedulerui.canvas import entries, group_id_of, leaves, needs_backend, task_id_of, unreachable
from schedulerui.facts import RunState
from schedulerui.operations.canvas import DEPTH_MAX, TASKS_MAX, CanvasError, read, task_names
from schedulerui.operations.parts import derive
from schedulerui.presenters.canvas import words_of

S = RunState


def step(name, **fields):
    return {"type": "task", "task": name, **fields}


def seq(*steps):
    return {"type": "chain", "steps": list(steps)}


def par(*steps):
    return {"type": "group", "steps": list(steps)}


NESTED = seq(
    step("a"),
    step("b"),
    par(step("c"), step("d")),
    {"type": "chord", "header": [step("e")], "body": step("f")},
)


def test_it_says_a_canvas_in_words():
    assert (
        words_of(read(NESTED)) == "chain of 4: a, then b, then group of 2 (c, d), then chord of 1 (e), then f"
    )


def test_it_knows_what_each_task_waits_for():
    waits = {leaf.path: sorted(leaf.after) for leaf in leaves(read(NESTED))}
    assert waits == {
        "0": [],
        "1": ["0"],
        "2.0": ["1"],
        "2.1": ["1"],
        "3.0": ["2.0", "2.1"],
        "3.body": ["3.0"],
    }


def test_it_finds_what_a_stopped_task_keeps_from_beginning():
    found = leaves(read(NESTED))
    assert dict(unreachable(found, {"2.1"})) == {"3.0": "2.1", "3.body": "2.1"}
    assert dict(unreachable(found, set())) == {}


def test_it_knows_what_is_sent_first():
    assert entries(read(NESTED)) == {"0"}
    assert entries(read(par(step("a"), seq(step("b"), step("c")), par(step("d"))))) == {"0", "1.0", "2.0"}
    assert entries(read({"type": "chord", "header": [step("a"), step("b")], "body": step("c")})) == {"0", "1"}


def test_the_id_of_a_group_is_that_of_no_part():
    run = str(uuid.UUID(int=5))
    assert group_id_of(run, "0") == group_id_of(run, "0") != task_id_of(run, "0")


def test_the_ids_of_parts_follow_from_the_run_and_the_place():
    run = str(uuid.UUID(int=5))
    assert task_id_of(run, "0") == task_id_of(run, "0")
    assert len({task_id_of(run, leaf.path) for leaf in leaves(read(NESTED))}) == 6


@pytest.mark.parametrize(
    ("canvas", "expected"),
    [
        (seq(step("a"), step("b")), False),
        (par(step("a"), step("b")), False),
        (seq(step("a"), par(step("b"))), False),
        (seq(par(step("a")), step("b")), True),
        (par(seq(par(step("a")), step("b"))), True),
        ({"type": "chord", "header": [step("a")], "body": step("b")}, True),
    ],
)
def test_it_knows_which_canvas_needs_a_result_backend(canvas, expected):
    assert needs_backend(read(canvas)) is expected


def test_it_reads_the_signatures_of_celery():
    app = Celery("t", set_as_current=False)
    a, b, c = (app.signature(name, args=(1,), kwargs={"k": 2}, queue="q") for name in "abc")
    for made, words in (
        (chain(a, b, app=app), "chain of 2: a, then b"),
        (group(a, b, app=app), "group of 2 (a, b)"),
        (chord([a, b], c, app=app), "chord of 2 (a, b), then c"),
    ):
        assert words_of(read(json.loads(json.dumps(made)))) == words
    first = leaves(read(dict(chain(a, b, app=app))))[0].node
    assert (first["args"], first["kwargs"], first["options"]) == ([1], {"k": 2}, {"queue": "q"})


def test_what_it_has_read_reads_as_itself():
    assert read(read(NESTED)) == read(NESTED)
    assert read({}) == {}
    assert task_names(read(NESTED)) == list("abcdef")


def deep(n):
    node = step("a")
    for _ in range(n):
        node = seq(node)
    return node


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([], ""),
        ({"type": "star"}, ""),
        ({"type": ["chain"]}, ""),
        (step("a"), ""),
        (seq(), "steps"),
        (seq(step("a"), step("")), "1"),
        (seq(step("a"), step("b", args={"x": 1})), "1"),
        (seq(step("a", kwargs=[1])), "0"),
        (seq(step("a", options={"priority": "high"})), "0"),
        (seq(step("a", options={"link": []})), "0"),
        (seq(step("a", options={"task_id": "mine"})), "0"),
        (seq(step("a", immutable=1)), "0"),
        (seq(step("a", colour="red")), "0"),
        (par(seq(step("a"), 7)), "0.1"),
        ({"type": "chord", "header": [step("a")]}, "body"),
        ({"type": "chord", "header": [], "body": step("a")}, "header"),
        (par(*[step("a")] * (TASKS_MAX + 1)), "steps"),
        (par(*[par(*[step("a")] * 60)] * 2), ""),
        (deep(DEPTH_MAX), ".".join(["0"] * DEPTH_MAX)),
        ({"subtask_type": "chunks", "kwargs": {}}, ""),
        ({"subtask_type": "chord", "kwargs": {"header": 5, "body": None}}, "header"),
    ],
)
def test_it_refuses_what_it_cannot_send_and_says_where(given, path):
    with pytest.raises(CanvasError) as caught:
        read(given)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([S.WAITING, S.WAITING], S.SENT),
        ([S.RECEIVED, S.WAITING], S.RECEIVED),
        ([S.STARTED, S.RECEIVED], S.STARTED),
        ([S.SUCCEEDED, S.WAITING], S.STARTED),
        ([S.RETRYING, S.WAITING], S.STARTED),
        ([S.SUCCEEDED, S.SUCCEEDED], S.SUCCEEDED),
        ([S.FAILED, S.STARTED], S.STARTED),
        ([S.FAILED, S.WAITING], S.STARTED),
        ([S.LOST, S.RECEIVED], S.STARTED),
        ([S.LOST, S.FAILED], S.FAILED),
        ([S.LOST, S.SUCCEEDED], S.LOST),
        ([S.IGNORED, S.CANCELLED], S.IGNORED),
        ([S.REVOKED, S.CANCELLED], S.REVOKED),
        ([S.SUCCEEDED, S.EXPIRED], S.EXPIRED),
    ],
)
def test_the_state_of_a_run_follows_from_its_parts(states, expected):
    assert derive(states) is expected
