"""Any order of claims, crashes, sendings, marks, recoveries and edits that Hypothesis can think of: plan and apply, step by step."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schedulerui.facts import RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import claims, recovery
from schedulerui.operations.store import Lease
from schedulerui.recurrence.window import INSTANT
from schedulerui.testing import DULL_WEDNESDAY as NOON
from tests.simulation.invariants import PEOPLE, Broken, Watch
from tests.simulation.memory import MemoryStore
from tests.simulation.processes import LEASE, quiet
from tests.simulation.tables import Database
from tests.simulation.workers import Workers

BEATS = st.sampled_from(["beat 1", "beat 2", "beat 3"])


ROUNDS_MAX = 200


class Crashed(Exception):
    """The beat ends before its commit."""


class PlanAndApply(Workers, RuleBasedStateMachine):
    """Beats that hold what they have claimed, and lose it when they crash; workers that begin and end what was sent."""

    @initialize(
        every=st.integers(1, 90),
        misfire=st.sampled_from(["latest", "all", "none"]),
        overlap=st.sampled_from(["allow", "skip", "queue", "cancel_previous"]),
        queue_max=st.integers(1, 3),
        catchup_window=st.none() | st.integers(1, 200),
        catchup_max=st.integers(1, 100),
        retry_max=st.integers(0, 2),
        retry_after=st.sampled_from([1, 60]),
        delivery=st.sampled_from(["at_least_once", "at_most_once"]),
        max_runs=st.none() | st.integers(1, 9),
    )
    def begin(self, **fields):
        self.now, self.db = NOON, Database()
        self.watch = Watch(self.db, lease=LEASE, error=Broken)
        self.held: dict[str, list[Run]] = {}
        self.sent: dict[str, list[Run]] = {}
        row = Schedule(
            pk=1, uuid=uuid.UUID(int=7), name="one", task="tests.add", kind="interval", period="seconds",
            anchor_at=NOON - timedelta(days=1), created_at=NOON, updated_at=NOON, **fields,
        )  # fmt: skip
        first = row.timetable().first(NOON - INSTANT)
        assert first is not None
        row.next_nominal_at, row.next_run_at = first.nominal_at, first.due_at
        self.db.rows["schedule", 1] = row

    def store(self, beat, *, crashes_at=""):
        self.watch.saw_wall(beat, self.now, self.true())
        self.watch.saw_monotonic(beat, self.true())

        def step(kind, what):
            if crashes_at and kind == crashes_at:
                raise Crashed
            return ""

        return MemoryStore(self.db, actor=beat, step=step)

    def wall(self):
        return self.now

    def note(self, who, what, fault=""):
        return None

    def true(self):
        return (self.now - NOON).total_seconds()

    def lease(self, beat):
        return Lease(owner=beat, until=self.now + timedelta(seconds=LEASE))

    @rule(seconds=st.sampled_from([0.001, 1, 7, 29, 31, 100, 4_000]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)
        if seconds > LEASE / 2:
            self.held.clear()  # the deadline: nobody sends any more what he held

    @rule(beat=BEATS, crashes_at=st.sampled_from(["", "", "commit", "statement"]))
    def claim(self, beat, crashes_at):
        try:
            with quiet():
                claim = claims.claim_due(
                    lease=self.lease(beat), now=self.now, limit=10, touch=lambda: None,
                    store=self.store(beat, crashes_at=crashes_at),
                )  # fmt: skip
        except Crashed:
            self.crash(beat)
            return
        self.held[beat] = [*self.held.get(beat, []), *claim.runs]

    @rule(beat=BEATS)
    def recover(self, beat):
        taken = recovery.recover(
            lease=self.lease(beat), now=self.now, limit=10, manual_within=timedelta(seconds=60),
            store=self.store(beat),
        )  # fmt: skip
        self.held[beat] = [*self.held.get(beat, []), *taken.runs]

    @rule(beat=BEATS)
    def promote(self, beat):
        taken = recovery.promote(
            lease=self.lease(beat), now=self.now, limit=10, queued_since=self.now - timedelta(days=1),
            store=self.store(beat),
        )  # fmt: skip
        self.held[beat] = [*self.held.get(beat, []), *taken.runs]

    @rule()
    def workers_begin(self):
        for run in self.db.runs():
            is_out = self.watch.messages.get(run.pk) and run.cancel_requested_at is None
            if run.state in {"pending", "sent"} and is_out:
                self._begin(run)

    @rule(state=st.sampled_from([RunState.SUCCEEDED, RunState.FAILED, RunState.LOST]))
    def workers_end(self, state):
        for run in self.db.runs():
            if run.state == "started":
                self._end_run(run, RunState.REVOKED if run.cancel_terminate else state)

    @rule(beat=BEATS)
    def send(self, beat):
        self.store(beat)
        if self.held.get(beat):
            run = self.held[beat].pop(0)
            assert run.lease_until is not None
            self.watch.looked_at[beat] = self.watch.read_at[beat][run.lease_until - timedelta(seconds=LEASE)]
            self.watch.published(beat, run)
            self.sent.setdefault(beat, []).append(run)

    @rule(beat=BEATS)
    def mark(self, beat):
        self.store(beat).mark_sent(self.sent.pop(beat, []), sent_at=self.now)

    @rule(beat=BEATS, is_tried=st.booleans())
    def give_back(self, beat, is_tried):
        left = self.held.pop(beat, [])
        store = self.store(beat)
        recovery.release(left, owner=beat, now=self.now, reason="", is_tried=is_tried, store=store)

    @rule(beat=BEATS)
    def crash(self, beat):
        self.held.pop(beat, None)
        self.sent.pop(beat, None)

    @rule(every=st.integers(1, 90), enabled=st.booleans())
    def somebody_edits(self, every, enabled):
        (old,) = self.db.schedules()
        row = Schedule.__new__(Schedule)
        row.__dict__.update({**old.__dict__, "every": every, "enabled": enabled, "version": old.version + 1})
        first = row.timetable().first(self.now) if enabled else None
        row.next_nominal_at = first.nominal_at if first else None
        row.next_run_at = first.due_at if first else None
        tx = MemoryStore(self.db, actor=PEOPLE, step=lambda kind, what: "")
        with tx.transaction():
            assert tx.current is not None
            tx.current.writes["schedule", 1] = row

    @invariant()
    def one_run_an_occurrence(self):
        if hasattr(self, "db"):
            times = Counter(run.nominal_at for run in self.db.runs())
            assert max(times.values(), default=1) == 1

    def teardown(self):
        """One beat that lives, and workers: what is pending or waits is sent, or ends with a reason."""
        if not hasattr(self, "db"):
            return
        self.somebody_edits(every=60, enabled=False)
        for beat in list(self.sent):
            self.mark(beat)
        for _ in range(ROUNDS_MAX):
            self.now += timedelta(seconds=2 * LEASE)
            self.held.clear()
            if not any(run.state in {"pending", "waiting", "started"} for run in self.db.runs()):
                break
            self.recover("beat 1")
            self.promote("beat 1")
            while self.held["beat 1"]:
                self.send("beat 1")
            self.mark("beat 1")
            self.workers_begin()
            self.workers_end(state=RunState.SUCCEEDED)
        self.watch.ended()


TestPlanAndApply = PlanAndApply.TestCase
TestPlanAndApply.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
