"""What a burst costs in statements and in round trips; time is not asserted here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import dispatch
from schedulerui.beat.loop import Loop
from schedulerui.beat.ports import DjangoSession, Ports
from schedulerui.beat.sending import BATCH_MAX
from schedulerui.clock import DatabaseClock
from schedulerui.conf import Settings
from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.operations import bulk_sql
from schedulerui.operations.store import DJANGO
from tests.celery_app import app

pytestmark = pytest.mark.django_db(transaction=True)
N_DUE = 1_000
STATEMENTS_A_RUN = 0.031 if bulk_sql.can_write_two() else 0.036
SECONDS_A_MESSAGE = 0.0001


class SteppingClock(DatabaseClock):
    """Asks the database as beat does; its monotonic time goes on only with each message, so that the load of a machine is no matter."""

    seconds = 0.0

    def monotonic(self):
        return self.seconds


class Batching:
    """A broker that takes messages by the batch; ``fails_at`` says which flush raises what."""

    def __init__(self, clock=None):
        self.clock, self.waiting, self.batches, self.forgotten = clock, [], [], 0
        self.fails_at = {}
        self.before = None
        """Called before each message."""

    def connect(self):
        return self

    def publish(self, run, *, producer):
        if self.before is not None:
            self.before()
        if self.clock is not None:
            self.clock.seconds += SECONDS_A_MESSAGE
        self.waiting.append(run)
        return True

    def flush(self, *, producer):
        batch, self.waiting = self.waiting, []
        self.batches.append([run.task_id for run in batch])
        if len(self.batches) in self.fails_at:
            raise self.fails_at[len(self.batches)]

    def forget(self, *, producer):
        self.forgotten += len(self.waiting)
        self.waiting = []

    def disconnect(self, producer):
        self.waiting = []


def a_loop(clock, broker):
    ports = Ports(store=DJANGO, broker=broker, session=DjangoSession(idle=15.0))
    return Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0, ports=ports)


def fill(n, *, due, **fields):
    rows = [
        Schedule(
            name=f"schedule {number}", task="tests.add", kind="interval", every=1, period="hours", anchor_at=due,
            next_nominal_at=due, next_run_at=due, created_at=due, updated_at=due, **fields,
        )
        for number in range(n)
    ]  # fmt: skip
    Schedule.objects.bulk_create(rows)
    ids = Schedule.objects.values_list("pk", flat=True)
    ScheduleState.objects.bulk_create([ScheduleState(schedule_id=pk) for pk in ids])


def test_a_run_of_a_thousand_costs_less_than_a_twentieth_of_a_statement():
    clock = SteppingClock()
    broker = Batching(clock)
    loop = a_loop(clock, broker)
    loop.tick()
    fill(N_DUE, due=clock.now() - timedelta(seconds=1))
    with CaptureQueriesContext(connection) as queries:
        loop.tick()
    assert Run.objects.filter(state="sent").count() == N_DUE
    assert len(queries) <= N_DUE * STATEMENTS_A_RUN
    assert [len(batch) for batch in broker.batches] == [50, BATCH_MAX, BATCH_MAX, BATCH_MAX, 200]


def test_a_run_is_written_into_no_index_that_another_one_answers_for():
    table = Run._meta.db_table
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table).values()
    columns = [tuple(about["columns"]) for about in found if about["index"] or about["unique"]]
    if connection.vendor == "mysql":  # which wants one for each foreign key
        columns = list(set(columns) - {("schedule_id",)})
    twice = [one for one in columns if any(one == other[: len(one)] for other in columns if other != one)]
    assert not twice
    assert len(columns) == len(set(columns))


def test_an_idle_tick_is_one_statement():
    clock = SteppingClock()
    loop = a_loop(clock, Batching(clock))
    fill(3, due=clock.now() + timedelta(hours=1))
    loop.tick()
    with CaptureQueriesContext(connection) as queries:
        assert loop.tick() == 1.0
    assert len(queries) == 1


def test_an_idle_tick_is_not_longer_than_until_the_next_run():
    clock = SteppingClock()
    loop = a_loop(clock, Batching(clock))
    loop.tick()
    fill(3, due=clock.now() + timedelta(seconds=0.7))
    assert 0 < loop.tick() <= 0.7


def states():
    """How many runs there are of each state and count of publishes."""
    found = Run.objects.order_by("pk").values_list("state", "publishes")
    return {pair: list(found).count(pair) for pair in set(found)}


def test_what_a_broken_batch_leaves_in_doubt_goes_again_under_the_same_ids(clock):
    broker = Batching()
    loop = a_loop(clock, broker)
    fill(5, due=clock.now())
    broker.fails_at = {1: dispatch.NotAllTaken("reset by peer", refused={1}, in_doubt={3, 4})}
    clock.shift(seconds=1)
    loop.tick()
    assert states() == {("sent", 1): 2, ("pending", 0): 1, ("pending", 1): 2}
    clock.shift(seconds=1)
    loop.tick()
    assert states() == {("sent", 1): 3, ("sent", 2): 2}
    first, again = broker.batches
    assert sorted(again) == sorted([first[1], first[3], first[4]])


def test_what_must_go_at_most_once_is_unsent_only_if_it_was_in_doubt(clock):
    broker = Batching()
    loop = a_loop(clock, broker)
    fill(4, due=clock.now(), delivery="at_most_once")
    broker.fails_at = {1: dispatch.NotAllTaken("reset by peer", refused={2, 3}, in_doubt={1})}
    clock.shift(seconds=1)
    loop.tick()
    clock.shift(seconds=1)
    loop.tick()
    assert sorted(Run.objects.values_list("state", flat=True)) == ["sent", "sent", "sent", "unsent"]
    assert [len(batch) for batch in broker.batches] == [4, 2]


def test_a_batch_that_is_ready_after_the_deadline_does_not_go(clock):
    broker = Batching()
    loop = a_loop(clock, broker)
    fill(3, due=clock.now())

    def stands_still():
        if len(broker.waiting) == 2:
            clock.shift(seconds=16)  # more than half the lease, before the last message is ready

    broker.before = stands_still
    clock.shift(seconds=1)
    loop.tick()
    assert broker.batches == []
    assert broker.forgotten == 3
    broker.before = None
    clock.shift(seconds=1)
    loop.tick()
    assert states() == {("sent", 1): 3}


def test_a_beat_that_is_asked_to_end_while_it_prepares_a_batch_sends_none_of_it(clock):
    broker = Batching()
    loop = a_loop(clock, broker)
    fill(3, due=clock.now())
    broker.before = loop.close
    clock.shift(seconds=1)
    loop.tick()
    assert broker.batches == []
    assert states() == {("pending", 0): 3}
