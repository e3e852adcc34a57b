"""A real worker and a real result backend run whole canvases: one run, its parts, and what becomes of both."""

from __future__ import annotations

import pytest

from schedulerui import clock, dispatch
from schedulerui.canvas import leaves, task_id_of
from schedulerui.facts import RunState
from schedulerui.operations import canvas
from tests.service.recording import (
    app,
    broker_url,
    database_url,
    environment,
    make_sent,
    reached,
    start_monitor,
    start_worker,
)
from tests.waiting import eventually

__all__ = ["app", "broker_url", "database_url", "environment", "start_monitor", "start_worker"]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

S = RunState


def step(name, *args, **fields):
    return {"type": "task", "task": name, "args": list(args), **fields}


@pytest.fixture
def run_canvas(app, environment, start_worker, broker_url):
    """Send a canvas as beat does, to a worker with a result backend; returns its run."""
    app.conf.update(result_backend=broker_url, task_ignore_result=True)
    start_worker(env={"TEST_RESULTS": broker_url})

    def send(given, *, times=1):
        read = canvas.read(given)
        run = make_sent(canvas.task_names(read)[0], canvas=read, queue=environment["TEST_QUEUE"])
        with dispatch.producer(app) as producer:
            for _ in range(times):
                dispatch.publish(run, producer=producer, celery_app=app)
        return run

    yield send
    app.backend.result_consumer.stop()
    app.backend.client.connection_pool.disconnect()


def states(run):
    return [(part.path, part.state) for part in run.parts.all()]


def test_a_chain_succeeds_when_its_last_step_has(run_canvas):
    run = reached(
        run_canvas(
            {"type": "chain", "steps": [step("rec.add", 1, 2), step("rec.add", 4), step("rec.add", 5)]}
        ),
        S.SUCCEEDED,
    )
    assert states(run) == [("0", "succeeded"), ("1", "succeeded"), ("2", "succeeded")]
    assert run.result == "12"
    assert run.runtime is not None
    assert [part.task_id for part in run.parts.all()] == [task_id_of(run.task_id, path) for path in "012"]


def test_a_chain_fails_in_the_middle_and_what_comes_after_is_not_reached(run_canvas):
    run = reached(
        run_canvas(
            {
                "type": "chain",
                "steps": [step("rec.add", 1, 2), step("rec.fail", immutable=True), step("rec.add", 5)],
            }
        ),
        S.FAILED,
    )
    assert states(run) == [("0", "succeeded"), ("1", "failed"), ("2", "cancelled")]
    assert run.parts.get(path="2").reason.startswith("not reached: rec.fail (1)")
    assert run.exception
    assert "part 2 of 3" in run.reason


def test_a_group_succeeds_when_all_have(run_canvas):
    run = reached(
        run_canvas({"type": "group", "steps": [step("rec.add", number, 1) for number in range(4)]}),
        S.SUCCEEDED,
    )
    assert {state for _path, state in states(run)} == {"succeeded"}


def test_a_chord_joins_its_tasks_and_a_second_sending_has_the_same_ids(run_canvas):
    given = {
        "type": "chain",
        "steps": [
            step("rec.add", 1, 2),
            {"type": "group", "steps": [step("rec.add", 1), step("rec.add", 2)]},
            step("rec.keep"),
        ],
    }
    run = reached(run_canvas(given, times=2), S.SUCCEEDED)
    assert {part.task_id for part in run.parts.all()} == {
        task_id_of(run.task_id, leaf.path) for leaf in leaves(run.canvas)
    }
    assert run.parts.count() == 4


def test_a_failing_header_leaves_the_body_unreached(run_canvas):
    given = {
        "type": "chord",
        "header": [step("rec.add", 1, 1), step("rec.fail")],
        "body": step("rec.keep"),
    }
    run = reached(run_canvas(given), S.FAILED)
    eventually(
        lambda: dict(states(run)) == {"0": "succeeded", "1": "failed", "body": "cancelled"},
        within=90,
        describe=lambda: str(states(run)),
    )


def test_what_a_killed_worker_was_running_is_lost_and_the_run_with_it(
    app, environment, start_worker, start_monitor
):
    worker = start_worker()
    read = canvas.read({"type": "chain", "steps": [step("rec.slow", 90), step("rec.add", 1)]})
    run = make_sent("rec.slow", canvas=read, queue=environment["TEST_QUEUE"], sent_at=clock.now())
    with dispatch.producer(app) as producer:
        dispatch.publish(run, producer=producer, celery_app=app)
    reached(run, S.STARTED)
    worker.kill9()
    start_monitor()
    reached(run, S.LOST, within=120)
    assert states(run) == [("0", "lost"), ("1", "cancelled")]
    assert run.reason.startswith("part 1 of 2, rec.slow: lost: one@here was gone")


def test_a_part_whose_process_is_killed_fails_its_run(run_canvas):
    given = {
        "type": "chain",
        "steps": [step("rec.add", 1, 2), step("rec.suicide", immutable=True), step("rec.add", 1)],
    }
    run = reached(run_canvas(given), S.FAILED)
    assert states(run) == [("0", "succeeded"), ("1", "failed"), ("2", "cancelled")]
    assert "WorkerLostError" in run.exception


def test_a_chord_without_a_result_backend_is_never_sent(app, environment, broker_url):
    read = canvas.read({"type": "chord", "header": [step("rec.add")], "body": step("rec.add")})
    run = make_sent("rec.add", canvas=read, queue=environment["TEST_QUEUE"])
    with (
        dispatch.producer(app) as producer,
        pytest.raises(dispatch.Unsendable, match="needs a result backend"),
    ):
        dispatch.publish(run, producer=producer, celery_app=app)
