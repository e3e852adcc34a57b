"""RabbitMQ with publisher confirms, killed under a beat: what counts as sent is there, and beat goes on when it is back."""

from __future__ import annotations

import time

import pytest

from tests import pace
from tests.servers.needs import running
from tests.servers.rabbitmq import RabbitmqServer
from tests.service.accounts import (
    assert_each_message_has_its_row,
    assert_every_occurrence_has_one_row,
    each_schedule_has_run,
    everything_is_sent,
    n_runs,
    stop_creating,
)
from tests.waiting import eventually

pytestmark = [
    pytest.mark.service,
    pytest.mark.lateness,
    pytest.mark.timeout(900),
]


@pytest.fixture
def rabbitmq_of_its_own():
    yield from running(RabbitmqServer)


def test_nothing_that_counts_as_sent_is_lost_when_rabbitmq_is_killed(make_world, rabbitmq_of_its_own):
    world = make_world("sqlite", broker_url=rabbitmq_of_its_own.url)
    world.populate(60, grace=600)
    beat = world.beat()
    eventually(lambda: n_runs(world, "state = 'sent'") > 60, within=180, describe=beat.tail)
    rabbitmq_of_its_own.kill()
    degraded = "SELECT COUNT(*) FROM schedulerui_beat WHERE degraded LIKE 'broker%'"
    eventually(lambda: world.rows(degraded)[0][0] == 1, within=90, describe=beat.tail)
    before = n_runs(world, "state = 'sent'")
    rabbitmq_of_its_own.restart()
    back_at = time.monotonic()
    eventually(lambda: n_runs(world, "state = 'sent'") > before, within=90, every=0.02, describe=beat.tail)
    took, slowness = time.monotonic() - back_at, pace.slowness(beat.pid)
    eventually(lambda: n_runs(world, "state = 'sent'") > before + 60, within=90, describe=beat.tail)
    each_schedule_has_run(world)
    stop_creating(world)
    everything_is_sent(world)
    assert beat.terminate() == 0, beat.tail()
    sums = assert_each_message_has_its_row(world)
    print(f"RabbitMQ killed: {sums}, first message {took:.2f} s after its return (slowness {slowness:.2f})")
    assert_every_occurrence_has_one_row(world, states={"sent"})
    assert took <= 2.0 * slowness
