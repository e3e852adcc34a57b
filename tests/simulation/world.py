"""A week of beat on a clock that is set by hand: real loop, real claims, no broker; with restarts, outages and crashes."""

from __future__ import annotations

import contextlib
import itertools
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from unittest import mock

from schedulerui import dispatch
from schedulerui.beat.loop import Loop
from schedulerui.conf import Settings
from schedulerui.facts import Actor, Coming
from schedulerui.models import Run, Schedule
from schedulerui.operations import schedules, skips
from schedulerui.presenters.coming import occurrences_of
from schedulerui.testing import FrozenClock, Outbox
from tests.celery_app import app
from tests.simulation.definitions import MINUTE, Definitions

ACTOR = Actor(name="ana")
INSTANT = timedelta(milliseconds=1)
OUTAGE_MAX = 28.0
"""Seconds: shorter than the shortest grace, so that nothing may be missed."""


class Crash(BaseException):
    """The process of beat ends in the middle of its work, as under kill -9."""


@dataclass(frozen=True)
class Trouble:
    """At a moment beat ends, in one of three ways, and another one starts so many seconds later."""

    at: datetime
    how: str
    seconds: float


@dataclass
class Week:
    """Three and a half days on each side of a change of the clocks."""

    definitions: Definitions
    n_schedules: int
    outbox: Outbox
    is_crashing: bool = False
    promised: dict[int, list[Coming]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.change = self.definitions.change
        self.start, self.end = self.change - timedelta(days=3.5), self.change + timedelta(days=3.5)
        self.clock = FrozenClock(self.start)
        self.calm_until = self.start  # one crash may not hit what the one before it left behind
        self.choose: random.Random = self.definitions.choose

    def run(self) -> None:
        """Make the schedules, keep what is promised, and let the week pass."""
        for number in range(self.n_schedules):
            self._make(number)
        take = dispatch.publish

        def publish(run: Run, **options: object) -> None:
            if self.is_crashing:
                raise Crash
            take(run, **options)  # type: ignore[arg-type]  # passed on as they come

        with mock.patch.object(dispatch, "publish", publish):
            beat = self._beat()
            for trouble in self._troubles():
                self._pass(beat, until=trouble.at)
                beat = self._restart(beat, trouble)
            self._pass(beat, until=self.end - INSTANT)

    def _make(self, number: int) -> None:
        schedule = schedules.create(self.definitions.one(number), actor=ACTOR, now=self.start)
        for coming in self._coming(schedule)[:200]:
            if self.choose.random() < 0.05:
                skips.skip_next(
                    schedule.pk, nominal_at=coming.nominal_at, reason="away", actor=ACTOR, now=self.start
                )
        self.promised[schedule.pk] = self._coming(Schedule.objects.get(pk=schedule.pk))

    def _coming(self, schedule: Schedule) -> list[Coming]:
        found = occurrences_of(schedule, now=self.start)
        return list(itertools.takewhile(lambda coming: coming.due_at < self.end, found))

    def _troubles(self) -> list[Trouble]:
        """Restarts in every quarter of the hour before and after the change, and outages at any time."""
        moments = [
            self.change + quarter * 15 * MINUTE + timedelta(seconds=self.choose.choice([-7, 0, 3]))
            for quarter in range(-4, 6)
        ]
        span = (self.end - self.start).total_seconds() - 600
        moments += [self.start + timedelta(seconds=self.choose.uniform(60, span)) for _ in range(12)]
        return [
            Trouble(at, self.choose.choice(["stop", "kill", "crash"]), self.choose.uniform(0, OUTAGE_MAX))
            for at in sorted(moments)
        ]

    def _beat(self) -> Loop:
        return Loop(app=app, clock=self.clock, options=Settings(), max_sleep=86_400.0)

    def _pass(self, beat: Loop, *, until: datetime) -> None:
        while self.clock.now() < until:
            wait = beat.tick()
            left = (until - self.clock.now()).total_seconds()
            self.clock.shift(seconds=min(wait, left))
        if not self.is_crashing:
            beat.tick()

    def _restart(self, beat: Loop, trouble: Trouble) -> Loop:
        if trouble.how == "crash" and self.clock.now() > self.calm_until:
            self.is_crashing = True
            deadline = self.clock.now() + timedelta(hours=1)
            with contextlib.suppress(Crash):
                self._pass(beat, until=deadline)  # until it has something to send
            self.is_crashing = False
            self.calm_until = self.clock.now() + 2 * MINUTE
        elif trouble.how == "stop":
            beat.close()
        self.clock.shift(seconds=trouble.seconds)
        return self._beat()
