"""Each way a task can end, on each kind of broker, told by real workers: many at once on one worker, since waiting is cheap."""

from __future__ import annotations

import os
import uuid

import pytest

from schedulerui.facts import RANK, RunState
from schedulerui.models import Run
from tests.service.recording import (
    app,
    attempts_of,
    database_url,
    environment,
    reached,
    send,
    start_monitor,
    start_worker,
)
from tests.waiting import eventually

__all__ = ["app", "database_url", "environment", "send", "start_monitor", "start_worker"]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

S = RunState
PATTERNS = ["rec.a*"]


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker_url(request):
    return request.getfixturevalue(request.param).url


def is_monotone(run):
    """Whether the end stands in the row, and times follow one another."""
    times = [run.received_at, run.started_at, run.finished_at]
    known = [moment for moment in times if moment is not None]
    return known == sorted(known) and RANK[RunState(run.state)] == run.progress % 100


def test_each_way_a_task_can_end_is_told(start_worker, send, app):
    start_worker("-c", "4", env={"TEST_VISIBILITY": "30"}, RECORD_ALL=PATTERNS)
    runs = {
        "expired": send("rec.add", 1, 2, countdown=2, expires=1),
        "added": send("rec.add", 1, 2),
        "failed": send("rec.fail"),
        "logged": send("rec.log", "hunter2"),
        "retried": send("rec.retry"),
        "soft": send("rec.slow", 30, soft_time_limit=1),
        "ignored": send("rec.ignore"),
        "rejected": send("rec.reject"),
        "unknown": send("rec.nowhere"),
        "twice": send("rec.add", 3, 4, n_messages=2),
        "terminated": send("rec.slow", 60),
    }
    stranger = app.send_task("rec.add", (5, 6), task_id=str(uuid.uuid4()))
    unnamed = app.send_task("rec.touch", (os.devnull,), task_id=str(uuid.uuid4()))
    reached(runs["terminated"], S.STARTED)
    app.control.revoke(runs["terminated"].task_id, terminate=True)
    runs["revoked"] = reached(send("rec.add", 1, 2, countdown=12), S.RECEIVED)
    app.control.revoke(runs["revoked"].task_id)

    added = reached(runs["added"], S.SUCCEEDED)
    assert (added.result, added.worker, attempts_of(added)) == ("3", "one@here", [(0, 1, "succeeded")])
    assert added.received_at <= added.started_at <= added.finished_at
    failed = reached(runs["failed"], S.FAILED)
    assert failed.exception == "ValueError: as asked"
    assert "raise ValueError" in failed.traceback
    logged = reached(runs["logged"], S.SUCCEEDED).log.splitlines()
    assert [line.partition(": ")[2] for line in logged] == [
        "order 7 is late, password=***",
        "printed by the task",
    ]
    retried = reached(runs["retried"], S.SUCCEEDED)
    assert attempts_of(retried) == [(0, 1, "retrying"), (1, 1, "retrying"), (2, 1, "succeeded")]
    # Under its own number each; a process may tell the end of a try after another process has told of the next one.
    tries = sorted(line[-5:] for line in retried.log.splitlines() if "try" in line)
    assert tries == ["try 0", "try 1", "try 2"]
    # Only now: a process that dies may take along what the pool has just handed to it.
    runs["hard"] = send("rec.slow", 30, time_limit=1)
    runs["killed"] = send("rec.suicide")
    runs["killed_late"] = send("rec.die_once")
    assert reached(runs["soft"], S.FAILED).exception.startswith("SoftTimeLimitExceeded")
    hard = reached(runs["hard"], S.FAILED)
    assert hard.exception.startswith("TimeLimitExceeded")
    assert attempts_of(hard) == [(0, 1, "failed")]
    assert "not today" in reached(runs["ignored"], S.IGNORED).exception
    assert "no good" in reached(runs["rejected"], S.REJECTED).exception
    assert "rec.nowhere" in reached(runs["unknown"], S.REJECTED).reason
    assert "expiry" in reached(runs["expired"], S.EXPIRED).reason
    assert "WorkerLostError" in reached(runs["killed"], S.FAILED).exception
    survived = reached(runs["killed_late"], S.SUCCEEDED)
    assert [row[:2] for row in attempts_of(survived)] == [(0, 1), (0, 2)]
    assert attempts_of(survived)[1][2] == "succeeded"
    twice = runs["twice"]
    done_twice = [(0, 1, "succeeded"), (0, 2, "succeeded")]
    eventually(lambda: attempts_of(twice) == done_twice, within=90, describe=lambda: str(attempts_of(twice)))
    revoked = reached(runs["revoked"], S.REVOKED, within=90)
    assert (revoked.started_at, revoked.reason) == (None, "revoked before it started")
    assert "terminated" in reached(runs["terminated"], S.REVOKED).reason
    for run in runs.values():
        run.refresh_from_db()
        assert is_monotone(run), run.task

    foreign = reached(Run.objects.get(task_id=stranger.id), S.SUCCEEDED)
    assert (foreign.key, foreign.trigger, foreign.result) == (f"t:{stranger.id}", "task", "11")
    assert foreign.headers["args"] == "(5, 6)"
    assert not Run.objects.filter(task_id=unnamed.id).exists()


def test_a_killed_worker_loses_what_ran_and_hands_back_what_waited(start_worker, start_monitor, send, app):
    process = start_worker(env={"TEST_VISIBILITY": "12"})
    running, late = send("rec.slow", 60), send("rec.late", 60)
    reached(running, S.STARTED)
    reached(late, S.STARTED)
    waiting = send("rec.add", 1, 2)
    reached(waiting, S.RECEIVED)
    process.kill9()
    start_monitor()

    assert reached(running, S.LOST, within=90).reason == "one@here was gone before it told the end"
    assert attempts_of(running) == [(0, 1, "lost")]
    handed_back = reached(waiting, S.SENT, within=90)
    assert handed_back.attempts.get().reason.startswith(
        "one@here died before it started this; the broker will"
    )
    assert (handed_back.started_at, handed_back.worker) == (None, "")

    start_worker(env={"TEST_VISIBILITY": "12"})
    assert attempts_of(reached(waiting, S.SUCCEEDED, within=90)) == [(0, 1, "lost"), (0, 2, "succeeded")]
    assert attempts_of(reached(late, S.SUCCEEDED, within=90)) == [(0, 1, "lost"), (0, 2, "succeeded")]
    running.refresh_from_db()
    assert (running.state, attempts_of(running)) == (S.LOST, [(0, 1, "lost")])
