"""Several real beats over one table: every occurrence once, whatever happens to them."""

from __future__ import annotations

import functools
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

N_SCHEDULES = 100
NEVER_LATE = 600
"""Seconds: a slow machine must not make a beat miss a time."""


def n_runs(world):
    return world.rows("SELECT COUNT(*) FROM schedulerui_run")[0][0]


def has_runs(world, n):
    return n_runs(world) > n


def beats_are_up(world, n):
    return eventually(
        lambda: world.rows("SELECT COUNT(*) FROM schedulerui_beat")[0][0] >= n,
        within=90,
        describe="the beats to sign in",
    )


def everything_is_sent(world):
    return world.rows("SELECT COUNT(*) FROM schedulerui_run WHERE state = 'pending'")[0][0] == 0


def stop_creating(world):
    """Take all schedules out of the due index, so that what was claimed can be sent in peace."""
    world.run(
        "-c",
        "import django; django.setup(); from schedulerui.models import Schedule;"
        "Schedule.objects.update(next_run_at=None, next_nominal_at=None)",
    )


def assert_every_occurrence_has_one_run(world):
    """The runs of each schedule follow each other by exactly its interval: no gap, no second row, nothing missed."""
    import datetime as dt

    every = dict(world.rows("SELECT id, every FROM schedulerui_schedule"))
    runs = world.rows(
        "SELECT schedule_id, nominal_at, state FROM schedulerui_run ORDER BY schedule_id, nominal_at"
    )
    assert {state for _, _, state in runs} == {"sent"}
    assert {schedule for schedule, _, _ in runs} == set(every)
    for schedule, group in itertools.groupby(runs, key=lambda row: row[0]):
        moments = [dt.datetime.fromisoformat(str(moment)) for _, moment, _ in group]
        gaps = {later - earlier for earlier, later in itertools.pairwise(moments)}
        assert gaps <= {dt.timedelta(seconds=every[schedule])}, (schedule, gaps)


def assert_each_message_is_in_the_histogram(world):
    """Each beat tells how late each of its messages went; what it tells is what the page for machines shows."""
    rows = world.rows("SELECT latency, dispatched FROM schedulerui_beat")
    told = [(json.loads(latency) if isinstance(latency, str) else latency, n) for latency, n in rows]
    assert sum(n for _latency, n in told) > 0
    for latency, n in told:
        assert sum(count for bound, count in latency.items() if bound != "sum") == n
        assert 0 <= latency["sum"] < n * 60


def two_beats_run_for_a_minute(world):
    world.populate(N_SCHEDULES, grace=NEVER_LATE)
    beats = [world.beat(), world.beat()]
    beats_are_up(world, 2)
    per_second = sum(1 / (number % 5 + 1) for number in range(N_SCHEDULES))
    wanted = int(60 * per_second)
    eventually(lambda: n_runs(world) >= wanted, within=240, every=0.5, describe=beats[0].tail)
    stop_creating(world)
    eventually(lambda: everything_is_sent(world), within=90)
    assert_each_message_is_in_the_histogram(world)
    for beat in beats:
        assert beat.terminate() == 0, beat.tail()
    messages = world.messages()
    sent = {task_id for (task_id,) in world.rows("SELECT task_id FROM schedulerui_run")}
    assert set(messages) == sent
    assert set(messages.values()) == {1}
    assert_every_occurrence_has_one_run(world)
    assert world.rows("SELECT COUNT(*) FROM schedulerui_beat")[0][0] == 0


@pytest.mark.long
def test_two_beats_send_every_occurrence_once_on_either_database(make_world):
    worlds = [make_world(database) for database in ("sqlite", "postgres")]
    with ThreadPoolExecutor(len(worlds)) as pool:  # side by side: each of them mostly waits
        for waiting in [pool.submit(two_beats_run_for_a_minute, world) for world in worlds]:
            waiting.result()


def test_ten_kills_lose_nothing_and_make_no_second_task_id(make_world):
    world = make_world("sqlite")  # test_fault_kills.py does it on PostgreSQL, thirty times
    world.populate(N_SCHEDULES, grace=NEVER_LATE)
    survivor, victim = world.beat(), world.beat()
    beats_are_up(world, 2)
    for _ in range(10):
        wanted = n_runs(world) + 40
        eventually(functools.partial(has_runs, world, wanted), within=90, describe=survivor.tail)
        victim.kill9()
        victim = world.beat()
    stop_creating(world)
    eventually(lambda: everything_is_sent(world), within=90, describe=survivor.tail)
    messages = world.messages()
    publishes = dict(world.rows("SELECT task_id, publishes FROM schedulerui_run"))
    assert set(messages) == set(publishes)
    assert all(n <= publishes[task_id] for task_id, n in messages.items())
    assert_every_occurrence_has_one_run(world)
