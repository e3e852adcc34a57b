"""Heartbeats by instance: online, stale, offline, died and stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.models import Worker
from schedulerui.operations import workers
from schedulerui.operations.workers import Heartbeat, declare_dead, goodbye, heartbeat, state_of
from tests.operations.history_cases import NEW, OLD, after

pytestmark = pytest.mark.django_db


def told(instance=OLD, **fields):
    return Heartbeat(instance=instance, hostname="celery@one", pid=7, started_at=after(0), **fields)


def seen(instance=OLD):
    return Worker.objects.get(instance=instance)


def test_it_writes_one_row_for_each_instance():
    assert heartbeat(told(tasks=("tests.add",), software={"celery": "5.7"}), now=after(1))
    assert not heartbeat(told(active=2, queues=("celery",)), now=after(6))
    worker = seen()
    assert (worker.seen_at, worker.active, worker.queues, worker.reserved) == (after(6), 2, ["celery"], None)
    assert (worker.tasks, worker.software) == (["tests.add"], {"celery": "5.7"})


def test_a_successor_of_the_same_name_means_that_the_older_one_died():
    heartbeat(told(OLD), now=after(1))
    heartbeat(told(NEW), now=after(3))
    assert (state_of(seen(OLD), after(3)), state_of(seen(NEW), after(3))) == ("died", "online")


def test_one_that_is_heard_again_is_alive_even_with_a_namesake():
    heartbeat(told(OLD), now=after(1))
    heartbeat(told(NEW), now=after(3))
    heartbeat(told(OLD), now=after(6))
    heartbeat(told(NEW), now=after(8))
    assert (state_of(seen(OLD), after(8)), state_of(seen(NEW), after(8))) == ("online", "online")


def test_a_goodbye_is_no_death():
    heartbeat(told(active=3), now=after(1))
    assert goodbye(OLD, now=after(2))
    assert not goodbye(OLD, now=after(3))
    assert declare_dead(after(100)) == 0
    assert (state_of(seen(), after(100)), seen().active) == ("stopped", 0)


@pytest.mark.parametrize(
    ("age", "state"), [(10, "online"), (10.1, "stale"), (20, "stale"), (20.1, "offline")]
)
def test_its_state_follows_from_its_age(age, state):
    heartbeat(told(), now=after(0))
    assert state_of(seen(), after(age)) == state


def test_silence_is_declared_death_and_a_heartbeat_takes_it_back():
    heartbeat(told(), now=after(0))
    assert declare_dead(after(20)) == 0
    assert declare_dead(after(21)) == 1
    assert state_of(seen(), after(21)) == "died"
    heartbeat(told(), now=after(30))
    assert state_of(seen(), after(30)) == "online"


def test_rows_of_workers_that_are_gone_are_purged_after_a_day():
    heartbeat(told(), now=after(0))
    assert workers.purge(now=after(0) + timedelta(hours=23)) == 0
    assert workers.purge(now=after(0) + timedelta(hours=25)) == 1
