"""Take one safeguard away at a time: the simulation must see that it is gone.

A safeguard whose absence nothing notices would be worth nothing, and so would a simulation that does not notice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest import mock

import pytest

from schedulerui.operations import recovery
from tests.simulation.beats import World
from tests.simulation.invariants import Broken
from tests.simulation.memory import MemoryStore
from tests.simulation.processes import BeatBroker, BeatClock, Making
from tests.simulation.tables import clone

SEEDS = (42, 111, *range(250))
"""The histories that may pass before it is noticed; nearly all mutations fall in the first few."""


class NoCompareOfTime(MemoryStore):
    def is_as_seen(self, row, seen):
        return row.version == seen.version


class NoCompareOfVersion(MemoryStore):
    def is_as_seen(self, row, seen):
        return row.next_run_at == seen.next_run_at


class NoCompareAtAll(MemoryStore):
    def is_as_seen(self, row, seen):
        return True


class TakesWhatOthersHold(MemoryStore):
    def is_still_left(self, row, seen):
        return row.state == "pending"


class GivesBackWhatOthersHold(MemoryStore):
    def is_mine(self, row, owner):
        return row.state == "pending"


class NewIdAtEachSending(MemoryStore):
    def take_over(self, runs, *, lease):
        taken = super().take_over(runs, lease=lease)
        for run in taken:
            run.task_id = str(uuid.UUID(int=run.pk))
        return taken


class CountsNoPublish(MemoryStore):
    def take_over(self, runs, *, lease):
        taken = super().take_over(runs, lease=lease)
        for run in taken:
            self._set(run.pk, publishes=run.publishes - 1)
        return taken

    def _set(self, pk, **values):
        row = clone(self.db.rows["run", pk])
        row.__dict__.update(values)
        self.db.rows["run", pk] = row


class LeavesOutWhatWasMissed(MemoryStore):
    def insert(self, rows):
        super().insert([row for row in rows if row.state != "missed"])


class NoTransaction(MemoryStore):
    """Each statement is committed by itself."""

    def transaction(self):
        return nullcontext()


class CommitsLater(MemoryStore):
    """The claim is committed when the runs are marked, after they were published."""

    @contextmanager
    def transaction(self):
        with super().transaction():
            yield
            held, self.current = self.current, None
        self.held = held

    def commit(self):
        return None

    def mark_sent(self, runs, *, sent_at):
        assert self.held is not None
        self.db.commit(self.held)
        return super().mark_sent(runs, sent_at=sent_at)


class MarksFirst(BeatBroker):
    """Marked as sent before it is published."""

    def publish(self, run, *, producer):
        assert self.beat.store is not None
        self.beat.store.mark_sent([run], sent_at=run.due_at)
        super().publish(run, producer=producer)


class StandsStill(BeatClock):
    """The deadline of publishing never comes."""

    def monotonic(self):
        super().monotonic()
        return 0.0


def no_patch():
    return nullcontext()


def sends_in_doubt():
    """What must go at most once is sent again like all others."""
    return mock.patch.object(recovery, "_reason_to_give_up", return_value="")


MUTATIONS: dict[str, tuple[Making, Callable[[], AbstractContextManager[object]], str]] = {
    "no unique key": (Making(has_unique_key=False), no_patch, "I1"),
    "no compare of the time seen": (Making(store=NoCompareOfTime), no_patch, "I2: only the unique key"),
    "no compare of the version seen": (
        Making(store=NoCompareOfVersion, verbs=("edit",), people=0.2),
        no_patch,
        "was made from version",
    ),
    "no conditional update at all": (Making(store=NoCompareAtAll), no_patch, ""),
    "no deadline": (Making(clock=StandsStill), no_patch, "I4"),
    "marked before it is published": (Making(broker=MarksFirst), no_patch, "no message went out"),
    "published before the commit": (Making(store=CommitsLater), no_patch, "I3"),
    "taken over while it is held": (Making(store=TakesWhatOthersHold), no_patch, "I4"),
    "given back by one who does not hold it": (
        Making(store=GivesBackWhatOthersHold, rates=(0.06,), freezes=(28.0, 30.5, 32.0)),
        no_patch,
        "I4",
    ),
    "a new task id at each sending": (Making(store=NewIdAtEachSending), no_patch, "I5"),
    "publishes not counted": (Making(store=CountsNoPublish), no_patch, "I5"),
    "moved on without rows": (Making(store=LeavesOutWhatWasMissed), no_patch, "I2"),
    "no transaction": (Making(store=NoTransaction), no_patch, "I2"),
    "at most once sent in doubt": (Making(), sends_in_doubt, "at most once"),
}


def said_of(seed, making):
    """What did not hold in this history; empty when all did."""
    try:
        World(seed, making).run()
    except Broken as broken:
        return str(broken).splitlines()[0]
    return ""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", MUTATIONS)
def test_the_simulation_notices_that_a_safeguard_is_gone(name):
    making, patch, sentence = MUTATIONS[name]
    with patch():
        found = next(filter(None, (said_of(seed, making) for seed in SEEDS)), "")
    assert found, f"{len(SEEDS)} histories passed without it"
    assert sentence in found
