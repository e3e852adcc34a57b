"""Beats that are stopped in the middle of a batch: asked to end, or frozen for longer than their lease.

Each case is a world of its own; they stand side by side, since each of them mostly waits.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.service.accounts import assert_each_message_has_its_row, beats_are_up, everything_is_sent, n_runs
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

N_DUE = 2_000
FREEZES = [
    ("sqlite", "claim.committed:2"),
    ("postgres", "claim.committed:2"),
    ("postgres", "claim.inserted:2"),
    ("postgres", "publish.after:80"),
]
"""Between claim and publishing, in the middle of a claim with its rows locked, and between a message and its mark."""


def side_by_side(check, worlds):
    """Check each world in a thread of its own."""
    with ThreadPoolExecutor(len(worlds)) as pool:
        for waiting in [pool.submit(check, *world) for world in worlds]:
            waiting.result()


def a_burst(make_world, database):
    world = make_world(database)
    world.populate(N_DUE, name="burst", copies=True, grace=600, **{"in": 8})
    return world


def is_frozen(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def ticks(world, beat):
    rows = world.rows(f"SELECT seen_at FROM schedulerui_beat WHERE pid = {beat.pid}")
    return rows[0][0] if rows else None


def ends_in_a_batch(world):
    beat = world.beat(SCHEDULERUI_FREEZE_AT="publish.after:80")
    eventually(lambda: is_frozen(beat), within=180, every=0.01, describe=beat.tail)
    beat.signal(signal.SIGTERM)
    beat.signal(signal.SIGCONT)  # it wakes between two messages, and has been asked to end
    assert beat.wait() == 0, beat.tail()
    n_sent = world.n_messages()
    assert n_sent < N_DUE, "it was not in the middle of a batch"
    assert n_runs(world, "state = 'sent'") == n_sent
    assert n_runs(world, "state = 'pending' AND publishes > 0") == 0, "what was not tried is given back"
    world.beat()
    eventually(lambda: world.n_messages() >= N_DUE, within=180, describe="the rest to be sent")
    everything_is_sent(world)
    assert assert_each_message_has_its_row(world).n_again == 0


def freezes_and_wakes(world, place):
    frozen = world.beat(SCHEDULERUI_FREEZE_AT=place)
    eventually(lambda: is_frozen(frozen), within=180, describe=frozen.tail)
    world.beat()
    beats_are_up(world, 2)
    eventually(lambda: n_runs(world, "state = 'sent'") == N_DUE, within=180, describe=frozen.tail)
    before, seen = world.messages(), ticks(world, frozen)
    os.kill(frozen.pid, signal.SIGCONT)
    eventually(lambda: ticks(world, frozen) not in {None, seen}, within=90, describe=frozen.tail)
    assert world.messages() == before, f"it sent something when it woke ({place})"
    assert_each_message_has_its_row(world)
    assert frozen.is_running


def test_a_beat_that_is_asked_to_end_in_a_batch_loses_nothing_and_nothing_is_sent_twice(make_world):
    side_by_side(ends_in_a_batch, [(a_burst(make_world, database),) for database in ("sqlite", "postgres")])


def test_a_beat_that_was_frozen_beyond_its_lease_sends_nothing_of_it_when_it_wakes(make_world):
    side_by_side(freezes_and_wakes, [(a_burst(make_world, database), place) for database, place in FREEZES])
