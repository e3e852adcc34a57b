"""Broker or database away for 20 seconds, all beats for 60: every time is accounted for, by the policy of its schedule.

The three worlds stand side by side, since each of them mostly waits. ``make soak`` lets all outages last a minute.
"""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from schedulerui.beat.sending import BATCH_MAX
from tests.servers.needs import running
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.service.accounts import assert_each_message_has_its_row, assert_every_occurrence_has_one_row
from tests.service.outages import beat_away, server_away

pytestmark = [
    pytest.mark.service,
    pytest.mark.lateness,
    pytest.mark.timeout(900),
]

SECONDS = 60.0 if os.environ.get("SCHEDULERUI_SOAK") else 20.0
BEAT_SECONDS = 60.0
FIRST_WITHIN = {"broker": 1.0, "database": 2.0, "beat": 1.0}
"""Seconds from the return to the first message."""


@pytest.fixture
def outages(make_world):
    """Each outage by the part that was away."""
    own_redis, own_postgres = running(RedisServer), running(PostgresServer)
    broker, database = next(own_redis), next(own_postgres)
    worlds = {
        "broker": make_world("postgres", broker_url=broker.url),
        "database": make_world("postgres", postgres=database),
        "beat": make_world("sqlite"),
    }
    with ThreadPoolExecutor(3) as pool:
        waiting = {
            "broker": pool.submit(server_away, worlds["broker"], broker, seconds=SECONDS),
            "database": pool.submit(server_away, worlds["database"], database, seconds=SECONDS),
            "beat": pool.submit(beat_away, worlds["beat"], seconds=BEAT_SECONDS),
        }
        yield {name: outage.result() for name, outage in waiting.items()}
    for world in worlds.values():
        world.close()
    for server in (own_redis, own_postgres):
        next(server, None)


def assert_none_ran_late(rows):
    assert [row for row in rows if row.is_late and row.state == "sent"] == []
    assert any(row.state == "missed" for row in rows)


def assert_all_ran(rows):
    assert {row.state for row in rows} == {"sent"}
    assert any(row.is_late for row in rows)


def assert_one_run_of_each_outage(rows):
    """Each claim that met late times made one run: the newest late one, or those that were not late."""
    claims = defaultdict(list)
    for row in rows:
        claims[row.schedule, row.claimed_at].append(row)
    late = [claim for claim in claims.values() if any(row.is_late for row in claim)]
    assert late
    for claim in late:
        newest = max(claim, key=lambda row: row.due_at)
        assert newest.state == "sent", claim
        assert [row for row in claim if row.is_late and row.state == "sent"] == (
            [newest] if newest.is_late else []
        )


POLICIES = {"none": assert_none_ran_late, "all": assert_all_ran, "latest": assert_one_run_of_each_outage}


def test_after_each_outage_every_time_is_accounted_for_by_its_policy(outages):
    for name, outage in outages.items():
        print(
            f"{name} away {outage.seconds:g} s: first message {outage.seconds_to_first:.2f} s after its return"
            f" (slowness {outage.slowness:.2f})"
        )
        assert_every_occurrence_has_one_row(outage.world, states={"sent", "missed"})
        for policy, holds in POLICIES.items():
            holds([row for row in outage.rows if row.policy == policy])
        assert outage.seconds_to_first <= FIRST_WITHIN[name] * outage.slowness, name
        # What was away may have gone in the middle of a batch: that one may go again, each message counted in its row.
        assert assert_each_message_has_its_row(outage.world).n_again <= BATCH_MAX, name
