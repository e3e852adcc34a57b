"""Real workers and the guard task class: however often a message comes, its body begins once."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from schedulerui import clock
from schedulerui.facts import RunState
from schedulerui.models import Attempt, Run
from schedulerui.operations.starts import DUPLICATE
from tests.service.recording import (
    app,
    attempts_of,
    broker_url,
    database_url,
    environment,
    reached,
    send,
    start_worker,
)
from tests.waiting import eventually

__all__ = ["app", "broker_url", "database_url", "environment", "send", "start_worker"]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

S = RunState
GUARDED = ("-I", "tests.service.guard_tasks")


def bodies(folder):
    """Task id to how often its body began."""
    lines = [line for path in folder.glob("*.bodies") for line in path.read_text().splitlines()]
    return Counter(json.loads(line)[0] for line in lines)


def test_it_runs_one_body_for_each_of_many_doubled_messages_when_two_workers_compete(
    start_worker, send, tmp_path
):
    start_worker(*GUARDED, name="one")
    start_worker(*GUARDED, name="two")
    runs = [send("guard.note", str(tmp_path), n_messages=2) for _ in range(300)]
    ids = [run.task_id for run in runs]
    dropped = Attempt.objects.filter(run__task_id__in=ids, state=S.IGNORED, reason=DUPLICATE)
    eventually(
        lambda: dropped.count() == 300, within=240, describe=lambda: f"{dropped.count()} of 300 dropped"
    )
    done = Run.objects.filter(task_id__in=ids, state=S.SUCCEEDED)
    eventually(lambda: done.count() == 300, within=90, describe=lambda: f"{done.count()} of 300 succeeded")
    assert bodies(tmp_path) == Counter(ids)


def test_it_drops_a_duplicate_while_the_first_still_runs(start_worker, send, tmp_path):
    start_worker(*GUARDED)
    run = send("guard.slow", str(tmp_path), n_messages=2)
    eventually(lambda: run.attempts.filter(reason=DUPLICATE).exists(), within=90, describe=lambda: "the drop")
    assert reached(run, S.SUCCEEDED).runtime > 1
    assert bodies(tmp_path) == {run.task_id: 1}
    assert sorted(state for _, _, state in attempts_of(run)) == ["ignored", "succeeded"]


def test_it_lets_a_retry_begin_again(start_worker, send, tmp_path):
    start_worker(*GUARDED)
    run = reached(send("guard.retry", str(tmp_path)), S.SUCCEEDED)
    assert attempts_of(run) == [(0, 1, "retrying"), (1, 1, "succeeded")]
    assert bodies(tmp_path) == {run.task_id: 2}


def test_it_lets_a_redelivery_begin_again(start_worker, send, tmp_path):
    start_worker(*GUARDED)
    run = reached(send("guard.die", str(tmp_path)), S.SUCCEEDED, within=120)
    assert bodies(tmp_path) == {run.task_id: 2}


CANCELLED = "cancelled by ana before it started"


def cancel(run):
    """Write the wish as its page does, without telling any worker."""
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=clock.now(), cancel_requested_by="ana")


def test_it_does_not_begin_a_run_that_was_cancelled(start_worker, send, tmp_path):
    start_worker(*GUARDED, HEARTBEAT_EVERY=60)
    run = send("guard.note", str(tmp_path), countdown=6)
    reached(run, S.RECEIVED)
    cancel(run)  # its worker has read what is cancelled and reads it again in a minute only: the guard asks
    assert reached(run, S.REVOKED).reason == CANCELLED
    assert [row.reason for row in run.attempts.all()] == [CANCELLED]
    assert not bodies(tmp_path)
    assert run.started_at is None


def test_a_worker_gives_up_what_was_cancelled_before_it_came(start_worker, send, tmp_path):
    run = send("guard.note", str(tmp_path))
    cancel(run)
    start_worker(*GUARDED)
    assert reached(run, S.REVOKED).reason == CANCELLED
    assert not bodies(tmp_path)
    assert run.started_at is None
