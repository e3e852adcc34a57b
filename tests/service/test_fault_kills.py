"""Beats that are killed without asking: nothing is lost, nothing gets a second task id, the others go on at once."""

from __future__ import annotations

import functools
import os
import signal
import time

import pytest

from schedulerui.beat.sending import BATCH_MAX
from tests import pace
from tests.service.accounts import (
    assert_each_message_has_its_row,
    assert_every_occurrence_has_one_row,
    beats_are_up,
    everything_is_sent,
    n_runs,
    stop_creating,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.timeout(3600 if os.environ.get("SCHEDULERUI_SOAK") else 900)]

N_SCHEDULES = 150
N_KILLS = 300 if os.environ.get("SCHEDULERUI_SOAK") else 30
GOES_ON_WITHIN = 2.0
NEVER_LATE = 600
"""Seconds: a slow machine must not make a beat miss a time."""


def has_sent(world, beat):
    """Whether this beat has sent something; its heartbeat says so."""
    rows = world.rows(f"SELECT dispatched FROM schedulerui_beat WHERE pid = {beat.pid}")
    return bool(rows) and rows[0][0] > 0


def kill_in_a_batch(world, victim):
    """Kill it as soon as something more has reached the broker; returns the seconds until the others send something."""
    before = world.n_messages()
    eventually(lambda: world.n_messages() > before, within=90, every=0.002, describe=victim.tail)
    victim.signal(signal.SIGKILL)
    killed_at, before = time.monotonic(), world.n_messages()
    victim.kill9()
    eventually(lambda: world.n_messages() > before, within=90, every=0.01, describe="another beat to send")
    return time.monotonic() - killed_at


@pytest.mark.lateness
@pytest.mark.long
def test_thirty_kills_lose_nothing_and_send_again_only_what_was_not_marked(make_world):
    world = make_world("postgres")
    world.populate(N_SCHEDULES, grace=NEVER_LATE)
    survivor, *victims = [world.beat() for _ in range(3)]
    beats_are_up(world, 3)
    waits = []
    for _ in range(N_KILLS):
        victim = victims.pop(0)
        eventually(functools.partial(has_sent, world, victim), within=180, describe=victim.tail)
        waits.append(kill_in_a_batch(world, victim))
        victims.append(world.beat())
    slowness = pace.slowness(survivor.pid)
    stop_creating(world)
    everything_is_sent(world, within=180)
    sums = assert_each_message_has_its_row(world)
    assert_every_occurrence_has_one_row(world, states={"sent"})
    print(f"{N_KILLS} kills: {sums}, the others went on within {max(waits):.2f} s (slowness {slowness:.2f})")
    assert sums.n_again <= N_KILLS * BATCH_MAX
    assert max(waits) <= GOES_ON_WITHIN * slowness
    assert survivor.is_running, survivor.tail()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_three_beats_send_a_burst_and_a_stream_once(make_world, database):
    world = make_world(database)
    world.populate(60, grace=NEVER_LATE)
    world.populate(1500, name="burst", copies=True, grace=NEVER_LATE, **{"in": 8})
    beats = [world.beat() for _ in range(3)]
    beats_are_up(world, 3)
    eventually(lambda: n_runs(world) >= 2000, within=240, every=0.2, describe=beats[0].tail)
    stop_creating(world)
    everything_is_sent(world, within=180)
    for beat in beats:
        assert beat.terminate() == 0, beat.tail()
    sums = assert_each_message_has_its_row(world)
    assert sums.n_again == 0
    assert_every_occurrence_has_one_row(world, states={"sent"})
