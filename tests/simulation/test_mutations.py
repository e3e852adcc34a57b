"""Take one safeguard away at a time: the simulation must see that it is gone.

A safeguard whose absence nothing notices would be worth nothing, and so would a simulation that does not notice.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from unittest import mock

import pytest

from schedulerui import planning
from schedulerui.crash import PLACES
from schedulerui.operations import claims, known, recovery
from tests.processes import REPOSITORY
from tests.simulation.beats import World
from tests.simulation.invariants import Broken
from tests.simulation.memory import MemoryStore
from tests.simulation.processes import WORK, BeatBroker, BeatClock, Making
from tests.simulation.tables import GIVEN_UP, clone

SEEDS = range(250)
"""The histories that may pass before it is noticed. The least likely one is noticed in one of fifteen, so no change of the code
that only shifts the seeds can let a mutation pass."""


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

    held = None

    @contextmanager
    def transaction(self):
        with super().transaction():
            yield
            held, self.current = self.current, None
        self.held = held

    def commit(self):
        return None

    def mark_sent(self, runs, *, sent_at):
        held, self.held = self.held, None
        if held in self.db.open:
            self.db.commit(held)
        return super().mark_sent(runs, sent_at=sent_at)


class HoldsNothing(MemoryStore):
    def hold(self, ids):
        return None


class PromotesAnything(MemoryStore):
    def still_waits(self, row):
        return True


class SupersedesNothing(MemoryStore):
    def supersede(self, kept, *, now):
        return None


class SupersedesWhatIsSent(MemoryStore):
    def _supersede(self, tx, row, now):
        if row.state != "pending":
            super()._supersede(tx, row, now)


class GivesUpWithoutAWord(MemoryStore):
    def wish(self, row, now):
        return {}


class ForgetsWhatWasGivenUp(MemoryStore):
    def active(self, ids, *, queued_since):
        found = super().active(ids, queued_since=queued_since)
        return {pk: [each for each in known if each.state not in GIVEN_UP] for pk, known in found.items()}


class TriesAtOnce(MemoryStore):
    def may_go(self, run, now):
        return run.state == "waiting"


class CountsNoRuns(MemoryStore):
    def advance(self, planned):
        plans = [replace(each.plan, runs_created=each.schedule.runs_created) for each in planned]
        return super().advance([replace(each, plan=plan) for each, plan in zip(planned, plans, strict=True)])


class ForgetsThePause(MemoryStore):
    def _account(self, tx, row):
        return None


class ResumesAnything(MemoryStore):
    def is_still_paused(self, row, seen):
        return True


class MarksFirst(BeatBroker):
    """Marked as sent before it is published."""

    def publish(self, run, *, producer):
        assert self.beat.store is not None
        self.beat.store.mark_sent([run], sent_at=run.due_at)
        return super().publish(run, producer=producer)


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


def counts_from_the_click():
    """A click that waited for others has its time from the click on."""
    real = recovery._reason_to_give_up

    def forgetful(run, *, now, manual_within):
        seen = clone(run)
        seen.promoted_at = None
        return real(seen, now=now, manual_within=manual_within)

    return mock.patch.object(recovery, "_reason_to_give_up", forgetful)


def goes_beside_another():
    """What waits is promoted whatever is alive."""
    return mock.patch.object(recovery, "_is_held", return_value=False)


def sees_no_queue():
    """The places in which runs wait are not counted."""

    def forgetful(facts, *, now, is_active=False, n_waiting=0):
        return planning.plan(facts, now=now, is_active=is_active, n_waiting=0)

    return mock.patch.object(claims, "plan", forgetful)


def drops_what_begins_at_a_known_time():
    """A row for many times is left out whole when its first time has a row."""
    return mock.patch.object(known, "_rest_of", return_value=None)


FREQUENT = {"every": 7, "misfire": "all", "overlap": "allow", "catchup_window": None, "max_runs": None}
"""Many messages in one batch."""
Patch = Callable[[], AbstractContextManager[object]]
BUSY = (*WORK, *WORK, "run_now", "run_now")
"""People who click and workers who work, and nobody who edits."""
IN_DOUBT = {"delivery": "at_most_once", "overlap": "skip", "every": 10, "max_runs": None}
MUTATIONS: dict[str, tuple[Making, Patch, str]] = {
    "no unique key": (Making(has_unique_key=False), no_patch, "I1"),
    "no compare of the time seen": (Making(store=NoCompareOfTime), no_patch, "I2: only the unique key"),
    "no compare of the version seen": (
        Making(store=NoCompareOfVersion, verbs=("edit",), people=0.2),
        no_patch,
        "was made from version",
    ),
    "no conditional update at all": (Making(store=NoCompareAtAll), no_patch, ""),
    "no deadline": (
        Making(clock=StandsStill, lingers=("publish",), freezes=(14.0, 31.0, 33.0), fields=FREQUENT),
        no_patch,
        "s after it took it",
    ),
    "marked before it is published": (Making(broker=MarksFirst), no_patch, "no message went out"),
    "published before the commit": (Making(store=CommitsLater), no_patch, "I3"),
    "taken over while it is held": (
        Making(
            store=TakesWhatOthersHold,
            beats=(4,),
            lingers=("take over", "publish"),
            freezes=(0.5, 1.0, 31.0),
            fields=FREQUENT,
        ),
        no_patch,
        "I4",
    ),
    "given back by one who does not hold it": (
        Making(
            store=GivesBackWhatOthersHold,
            beats=(4,),
            lingers=("publish",),
            freezes=(8.0, 31.0, 33.0),
            fields=FREQUENT,
        ),
        no_patch,
        "I4",
    ),
    "a new task id at each sending": (Making(store=NewIdAtEachSending), no_patch, "I5"),
    "publishes not counted": (Making(store=CountsNoPublish), no_patch, "I5"),
    "moved on without rows": (Making(store=LeavesOutWhatWasMissed), no_patch, "I2"),
    "no transaction": (Making(store=NoTransaction), no_patch, "I2"),
    "at most once sent in doubt": (
        Making(deadly=("mark",), fields={"delivery": "at_most_once", "overlap": "allow"}),
        sends_in_doubt,
        "at most once",
    ),
    "a row of many times dropped for its first": (
        Making(verbs=("edit", "set_clock", "rewind"), people=0.1),
        drops_what_begins_at_a_known_time,
        "I2",
    ),
    "decided without holding the schedule": (
        Making(
            store=HoldsNothing,
            verbs=("run_now", *WORK),
            people=0.7,
            rates=(0.0,),
            lingers=("advance",),
            freezes=(0.3,),
            paces=(0.003, 0.02),
            fields={"overlap": "skip", "every": 2, "max_runs": None, "jitter": 0},
        ),
        no_patch,
        "overlap",
    ),
    "promoted beside an active run": (Making(), goes_beside_another, "overlap"),
    "promoted without a condition": (Making(store=PromotesAnything, verbs=BUSY), no_patch, "I"),
    "no limit of what waits": (Making(), sees_no_queue, "queue"),
    "the run before not asked to end": (Making(store=SupersedesNothing), no_patch, "cancel_previous"),
    "a claimed run not asked to end": (
        Making(store=SupersedesWhatIsSent, deadly=("publish",), fields={"overlap": "cancel_previous"}),
        no_patch,
        "cancel_previous",
    ),
    "given up in doubt without a word to workers": (
        Making(store=GivesUpWithoutAWord, deadly=("mark",), verbs=BUSY, people=0.02, fields=IN_DOUBT),
        no_patch,
        "overlap",
    ),
    "what was given up in doubt held back by nobody": (
        Making(store=ForgetsWhatWasGivenUp, deadly=("mark",), verbs=BUSY, fields=IN_DOUBT),
        no_patch,
        "overlap",
    ),
    "a click's time counted while it waits": (
        Making(
            verbs=BUSY,
            deadly=("publish",),
            people=0.2,
            fields={"overlap": "queue", "every": 60, "max_runs": None, "delivery": "at_least_once"},
        ),
        counts_from_the_click,
        "click",
    ),
    "tried again before its time": (Making(store=TriesAtOnce), no_patch, "retry"),
    "runs not counted": (Making(store=CountsNoRuns), no_patch, "max runs"),
    "a pause without a row": (Making(store=ForgetsThePause, verbs=("pause",)), no_patch, "pause"),
    "resumed whatever happened meanwhile": (
        Making(
            store=ResumesAnything,
            verbs=("pause", "edit"),
            people=0.2,
            lingers=("resume",),
            freezes=(1.0, 3.0),
        ),
        no_patch,
        "",
    ),
}


def said_of(seed, making):
    """What did not hold in this history; empty when all did."""
    try:
        World(seed, making).run()
    except Broken as broken:
        return str(broken).splitlines()[0]
    return ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTATIONS)
def test_the_simulation_notices_that_a_safeguard_is_gone(name):
    making, patch, sentence = MUTATIONS[name]
    with patch():
        found = next(
            filter(lambda said: said and sentence in said, (said_of(seed, making) for seed in SEEDS)), ""
        )
    assert found, f"{len(SEEDS)} histories passed without it"


def test_the_page_about_dispatch_lists_each_safeguard_and_counts_the_places_of_crashes():
    page = (REPOSITORY / "docs/explanation/dispatch.md").read_text()
    assert re.findall(r"^\| ([^|]+) \| \d+ of 60 \|$", page, re.MULTILINE) == list(MUTATIONS)
    assert f"{len(MUTATIONS)} safeguards are" in page
    assert f"a crash at each of {len(PLACES)} places" in page
