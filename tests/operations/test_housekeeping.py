"""What is old goes, what is active stays; queues keep their last good measurement."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.facts import RunState
from schedulerui.models import Attempt, Change, Queue, Run
from schedulerui.operations import queues
from schedulerui.operations.history import record
from schedulerui.operations.housekeeping import purge_changes, purge_processes, purge_runs
from tests.operations.history_cases import NEW, OLD, after, ended, make_run

pytestmark = pytest.mark.django_db

LATER = after(0) + timedelta(days=91)


def test_finished_runs_go_after_their_time_in_batches_with_their_attempts(django_assert_max_num_queries):
    for _ in range(5):
        record(ended(make_run(), RunState.SUCCEEDED))
    blocked = make_run(state=RunState.SENT, at=LATER, blocked_by=Run.objects.first())
    with django_assert_max_num_queries(40):
        assert purge_runs(LATER, batch=2) == 5
    assert (Run.objects.count(), Attempt.objects.count()) == (1, 0)
    blocked.refresh_from_db()
    assert blocked.blocked_by is None


@pytest.mark.parametrize("state", [RunState.SENT, RunState.STARTED, RunState.RETRYING, RunState.WAITING])
def test_an_unfinished_run_stays_however_old_it_is(state):
    make_run(state=state)
    assert purge_runs(LATER) == 0


def test_one_round_takes_only_so_many():
    for _ in range(5):
        record(ended(make_run(), RunState.SUCCEEDED))
    assert purge_runs(LATER, batch=2, most=3) == 3
    assert Run.objects.count() == 2


def test_processes_that_are_long_gone_are_forgotten(make_worker):
    make_worker(instance=OLD, seen_at=after(0))
    make_worker(instance=NEW, seen_at=after(0) + timedelta(days=2), queues=["kept"])
    queues.measured("kept", depth=1, consumers=None, now=after(0))
    queues.measured("gone", depth=1, consumers=None, now=after(0))
    assert purge_processes(after(0) + timedelta(days=2)) == 2
    assert [queue.name for queue in Queue.objects.all()] == ["kept"]


def test_a_failed_measurement_keeps_the_last_depth_and_its_age():
    queues.measured("celery", depth=4, consumers=1, now=after(0))
    queues.unmeasured("celery", error="away\x00", now=after(5))
    queue = Queue.objects.get()
    assert (queue.depth, queue.measured_at, queue.error) == (4, after(0), "away")
    queues.measured("celery", depth=0, consumers=0, now=after(10))
    queue.refresh_from_db()
    assert (queue.depth, queue.error) == (0, "")


def test_a_queue_that_was_never_measured_has_no_depth():
    queues.unmeasured("celery", error="away", now=after(5))
    assert Queue.objects.get().depth is None


@pytest.fixture
def asked_queue(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "QUEUES": ["asked"]}


@pytest.mark.usefixtures("asked_queue")
def test_queues_are_known_from_workers_schedules_and_settings(make_worker, make_schedule):
    make_worker(instance=OLD, queues=["consumed"])
    make_schedule(queue="sent-to")
    make_schedule()
    assert queues.known() == ["asked", "consumed", "sent-to"]


def changes(*ages):
    for days in ages:
        Change.objects.create(at=LATER - timedelta(days=days), action="edit", actor="ana", via="browser")


def test_the_audit_log_is_kept_for_ever_until_somebody_says_how_long():
    changes(0, 10_000)
    assert purge_changes(LATER) == 0
    assert Change.objects.count() == 2


def test_old_lines_of_the_audit_log_go_in_batches_and_only_so_many_in_one_round(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "KEEP_CHANGES_FOR_DAYS": 30}
    changes(0, 29, 31, 32, 33, 34, 35)
    assert purge_changes(LATER, batch=2, most=3) == 3
    assert purge_changes(LATER, batch=2) == 2
    assert [(LATER - at).days for at in Change.objects.order_by("at").values_list("at", flat=True)] == [29, 0]
