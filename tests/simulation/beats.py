"""Several real beat loops on one store in memory, stepped one at a time by a seed, with whatever can go wrong at each step.

Every store call, publish, and look at a clock is a step: there the beat stops, others go on, time passes, and the step
may fail, crash or freeze. Nothing else decides anything, so that a seed is a history that can be had again.
"""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta

from greenlet import greenlet

from schedulerui.beat.loop import Loop
from schedulerui.beat.ports import Ports
from schedulerui.models import Schedule
from schedulerui.recurrence.window import INSTANT
from schedulerui.testing import DULL_WEDNESDAY as NOON
from tests.celery_app import app
from tests.simulation.invariants import Broken, Violation, Watch, require
from tests.simulation.people import People
from tests.simulation.processes import LEASE, OPTIONS, Beat, Crash, Making, NoSession, quiet
from tests.simulation.tables import Database
from tests.simulation.workers import Workers

N_STEPS = 500
"""Steps in trouble; as many as it takes in peace follow."""
HOUR = 3_600.0
PEACEFUL = (0.0, 0.0, 0.001, 0.003)
"""Seconds that a step takes in peace."""
BUSY = 0.3
"""How likely workers do something before a step in peace."""
UNENDED = frozenset({"waiting", "pending", "sent", "started"})
CALM = 40.0
"""Seconds of peace after which nothing may be overdue: a lease, and a few ticks."""
FAULTS = {
    "begin": ("database away",),
    "statement": ("database away", "answer lost"),
    "commit": ("database away", "answer lost"),
    "wait": ("database away",),
    "connect": ("refused",),
    "publish": ("refused", "taken and raised"),
    "clock": (),
    "sleep": (),
}


class World(Workers, People):
    """One history. ``run`` raises Broken, with the trace, if something did not hold."""

    def __init__(self, seed: int, making: Making | None = None) -> None:
        self.seed, self.making = seed, making or Making()
        self.choose = random.Random(seed)
        self.true, self.offset, self.is_troubled = 0.0, 0.0, True
        self.trace: list[str] = []
        self.db = Database(has_unique_key=self.making.has_unique_key)
        self.watch = Watch(self.db, lease=LEASE)
        for number in range(1, self.choose.randint(1, 6) + 1):
            self.db.rows["schedule", number] = self._schedule(number)
        self.rate = self.choose.choice(self.making.rates)
        self.beats = [
            self._start(Beat(name=f"beat {n}")) for n in range(1, self.choose.choice(self.making.beats) + 1)
        ]

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.true + self.offset)

    def run(self) -> None:
        with quiet():
            try:
                for _ in range(N_STEPS):
                    self._one_step()
                self._calm_down()
                self._drain()
                self.watch.ended()
            except Violation as violation:
                raise Broken(self.story(violation)) from None
            finally:
                for beat in self.beats:
                    self._end(beat)

    def story(self, violation: Violation) -> str:
        """The violation, what led to it, and how to see it again."""
        shown = "\n".join(self.trace[-80:])
        again = f"SEED={self.seed} python -m pytest -n 0 tests/simulation/test_beats.py"
        return f"{violation}\nThe last of {len(self.trace)} steps:\n{shown}\nAgain: {again}"

    def _one_step(self) -> None:
        self.true += self.choose.choice(self.making.paces if self.is_troubled else PEACEFUL)
        ready = [beat for beat in self.beats if beat.wakes_at <= self.true]
        if not ready:
            self.true = min(beat.wakes_at for beat in self.beats)
            ready = [beat for beat in self.beats if beat.wakes_at <= self.true]
        if self.choose.random() < (self.making.people if self.is_troubled else BUSY):
            (self._people if self.is_troubled else self._work_on_any)()
        self._resume(self.choose.choice(ready))

    def _calm_down(self) -> None:
        """Everybody lives again and nothing goes wrong any more: soon nothing is overdue."""
        self.note("everything", "peace")
        self.is_troubled, self.offset = False, 0.0
        for beat in self.beats:
            beat.wakes_at = min(beat.wakes_at, self.true)
        until = self.true + CALM
        while self.true < until:
            self._one_step()
        for schedule in self.db.schedules():
            late = schedule.next_run_at is not None and schedule.next_run_at < self.wall() - timedelta(
                seconds=5
            )
            require(not late, f"schedule {schedule.pk} is overdue since {schedule.next_run_at}")

    def _drain(self) -> None:
        """Switch all off, and go on until no run is pending; a lease may have been taken with a clock too fast."""
        for schedule in self.db.schedules():
            schedule.__dict__.update(enabled=False, next_run_at=None, next_nominal_at=None, resume_at=None)
        for beat in self.beats:
            if beat.loop is not None:
                beat.loop._max_sleep = 60.0
        until, n_steps = self.true + 1.2 * HOUR, 0
        while self.true < until and any(run.state in UNENDED for run in self.db.runs()):
            self._one_step()
            n_steps += 1
            if n_steps > N_STEPS and all(beat.about_to[0] == "sleep" for beat in self.beats):
                self.true += 20.0

    def _work_on_any(self) -> None:
        self._work(self.choose.choice(self.db.schedules()))

    def _start(self, beat: Beat) -> Beat:
        beat.is_dead, beat.frozen_since = False, None
        beat.store = self.making.store(
            self.db, actor=beat.name, step=lambda kind, what: self.step(beat, kind, what)
        )
        beat.greenlet = greenlet(lambda: self._live(beat))
        return beat

    def _live(self, beat: Beat) -> None:
        clock, broker = self.making.clock(self, beat), self.making.broker(self, beat)
        assert beat.store is not None
        ports = Ports(store=beat.store, broker=broker, session=NoSession(), resume=beat.store.resume_due)
        beat.loop = Loop(app=app, clock=clock, options=OPTIONS, max_sleep=1.0, ports=ports)
        beat.loop.heart.name = beat.name
        while True:
            beat.wakes_at = self.true + beat.loop.tick()
            if self.step(beat, "sleep", "") == "stop":
                beat.loop.close()
                return

    def step(self, beat: Beat, kind: str, what: str) -> str:
        """Called by the beat: let others go on, and return what goes wrong."""
        if beat.is_dead:
            raise Crash
        fault: str = greenlet.getcurrent().parent.switch((kind, what))
        return fault

    def _resume(self, beat: Beat) -> None:
        if beat.frozen_since is not None:
            self.note(beat.name, "goes on")
            beat.frozen_since = None
        if not beat.greenlet:
            self.note(beat.name, "starts")
            if beat.is_dead or beat.greenlet.dead:
                self._start(beat)
            said = beat.greenlet.switch()
        else:
            fault = self._fault(beat)
            if fault in {"crash", "freeze"}:
                return
            said = beat.greenlet.switch(fault)
        if beat.greenlet.dead:
            self.note(beat.name, "ended in order")
            beat.wakes_at = self.true + self.choose.uniform(0, 20)
            return
        beat.about_to = said
        self._kill_stuck_sessions()

    def _fault(self, beat: Beat) -> str:
        kind, what = beat.about_to
        fault = self._choose_fault(beat, kind)
        if kind not in {"clock", "sleep"} or fault:
            self.note(beat.name, f"{kind} {what}".strip(), fault)
        return fault

    def _choose_fault(self, beat: Beat, kind: str) -> str:
        if not self.is_troubled:
            return ""
        roll = self.choose.random()
        step = " ".join(beat.about_to).removeprefix("statement ")
        is_deadly = step.startswith(self.making.deadly or "!") and roll > 0.7
        if roll < self.rate / 2 or is_deadly:
            self._end(beat)
            beat.wakes_at = self.true + self.choose.choice([0.5, 5.0, 40.0, 90.0])
            return "crash"
        if roll < self.rate or (step.startswith(self.making.lingers or "!") and roll > 0.6):
            beat.frozen_since = self.true
            beat.wakes_at = self.true + self.choose.choice(self.making.freezes)
            return "freeze"
        if kind == "sleep" and roll < self.rate * 2:
            return "stop"
        if FAULTS[kind] and roll < self.rate * (9 if kind in {"publish", "connect"} else 3):
            return self.choose.choice(FAULTS[kind])
        return ""

    def _end(self, beat: Beat) -> None:
        beat.is_dead = True
        if beat.greenlet is not None and not beat.greenlet.dead and beat.greenlet:
            try:
                beat.greenlet.throw(Crash)
            except Crash:
                return

    def _kill_stuck_sessions(self) -> None:
        """What the database does with a session that stands still in the middle of a transaction."""
        for beat in self.beats:
            if beat.frozen_since is None or beat.store is None or beat.store.current is None:
                continue
            if self.true - beat.frozen_since > LEASE / 2:
                self.db.roll_back(beat.store.current)

    # making

    def _schedule(self, number: int) -> Schedule:
        choose = self.choose
        row = Schedule(
            pk=number,
            uuid=uuid.UUID(int=choose.getrandbits(128), version=4),
            name=f"schedule {number}",
            task="tests.add",
            kind="interval",
            every=choose.choice([7, 10, 20, 60]),
            period="seconds",
            anchor_at=NOON - timedelta(days=1),
            misfire=choose.choice(["latest", "all", "none"]),
            grace=choose.choice([5, 30]),
            overlap=choose.choice(["allow", "skip", "queue", "queue", "cancel_previous", "cancel_previous"]),
            queue_max=choose.choice([1, 1, 2, 3]),
            cancel_grace=choose.choice([5, 30]),
            catchup_window=choose.choice([None, None, 60]),
            catchup_max=choose.choice([2, 100]),
            max_runs=choose.choice([None, None, None, 5, 15]),
            retry_max=choose.choice([0, 0, 1, 3]),
            retry_after=choose.choice([1, 10]),
            delivery=choose.choice(["at_least_once", "at_least_once", "at_most_once"]),
            jitter=choose.choice([0, 0, 3]),
            created_at=NOON,
            updated_at=NOON,
        )
        row.__dict__.update(self.making.fields)
        first = row.timetable().first(NOON - INSTANT)
        assert first is not None
        row.next_nominal_at, row.next_run_at = first.nominal_at, first.due_at
        return row

    def note(self, who: str, what: str, fault: str = "") -> None:
        line = f"{len(self.trace) + 1:>5} {self.true:9.3f} {who:<8} {what}"
        self.trace.append(f"{line} !! {fault}" if fault else line)
