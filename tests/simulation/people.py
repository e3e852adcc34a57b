"""What people do to schedules while beats work, and what becomes of the clock."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from schedulerui.facts import Actor, RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import runs as run_verbs
from schedulerui.testing import DULL_WEDNESDAY as NOON
from tests.simulation.invariants import PEOPLE
from tests.simulation.stage import Stage
from tests.simulation.tables import check_run, clone, holds_back

HOUR = 3_600.0
DAY = timedelta(days=1)


class People(Stage):
    """The verbs of people on a world's rows; each happens at once, between two steps of beats."""

    def _people(self) -> None:
        verb = getattr(self, f"_{self.choose.choice(self.making.verbs)}")
        verb(self.choose.choice(self.db.schedules()))

    def _edit(self, schedule: Schedule) -> None:
        if self.choose.random() < 0.5:
            self._change(schedule, "edits the arguments", args=[self.choose.random()])
            return
        every = self.choose.choice([7, 10, 20, 60])
        self._change(schedule, f"sets every {every} s", every=every, is_moved=True)

    def _switch(self, schedule: Schedule) -> None:
        if schedule.enabled:
            self._change(schedule, "switches off", enabled=False, is_moved=True)
        elif schedule.paused_at is None:
            self._change(schedule, "switches on", enabled=True, is_moved=True)

    def _pause(self, schedule: Schedule) -> None:
        if schedule.enabled:
            until = self.wall() + timedelta(seconds=self.choose.choice([3, 20, 60, 200]))
            pause = {"paused_at": self.wall(), "paused_by": "ana", "resume_at": until}
            self._change(schedule, f"pauses until {until:%H:%M:%S}", enabled=False, is_moved=True, **pause)

    def _rewind(self, schedule: Schedule) -> None:
        """A backup is played back, or another program writes: times that have their rows are due again."""
        if schedule.next_nominal_at is None:
            return
        earlier = schedule.timetable().first(schedule.next_nominal_at - timedelta(seconds=45))
        assert earlier is not None
        self._change(schedule, "is led back", next_nominal_at=earlier.nominal_at, next_run_at=earlier.due_at)

    def _change(self, schedule: Schedule, word: str, *, is_moved: bool = False, **values: Any) -> None:
        key = ("schedule", schedule.pk)
        row = clone(schedule)
        row.__dict__.update({**values, "version": schedule.version + 1})
        unsent = [] if row.enabled else self._unsent(schedule)
        if self._is_held(key) or any(self._is_held(("run", run.pk)) for run in unsent):
            return  # would wait for the writer: another time
        self.note(PEOPLE, f"{word} {schedule.pk}")
        if is_moved:
            is_over = row.max_runs is not None and row.runs_created >= row.max_runs
            first = row.timetable().first(self.wall()) if row.enabled and not is_over else None
            row.next_nominal_at = first.nominal_at if first else None
            row.next_run_at = first.due_at if first else None
        self.db.rows[key] = row
        for run in unsent:
            self._call_off(run, "switched off")
        times = [run.nominal_at for run in self.db.runs() if run.schedule_id == row.pk and run.nominal_at]
        if row.next_nominal_at is not None and max(times, default=NOON) >= row.next_nominal_at:
            self.watch.led_back.add(row.pk)

    def _call_off(self, run: Run, reason: str) -> None:
        """A claimed one may be on its way: workers are not to begin it."""
        wish = {"cancel_requested_at": self.wall()} if run.publishes and not run.cancel_requested_at else {}
        self._store_run(run, RunState.CANCELLED, lease_until=None, reason=reason, **wish)

    def _cancel(self, schedule: Schedule) -> None:
        """Somebody calls off a run, whatever it is about."""
        mine = [run for run in self.db.runs() if run.schedule_id == schedule.pk]
        alive = [run for run in mine if run.state in {"waiting", "pending", "sent", "started"}]
        run = self.choose.choice(alive) if alive else None
        if run is None or self._is_held(("run", run.pk)):
            return
        self.note(PEOPLE, f"cancels {run.pk}, which is {run.state}")
        if run.state in {"waiting", "pending"}:
            self._call_off(run, "cancelled")
        elif run.cancel_requested_at is None:
            row = clone(run)
            row.__dict__.update(cancel_requested_at=self.wall(), cancel_terminate=True)
            self.db.rows["run", run.pk] = row

    def _unsent(self, schedule: Schedule) -> list[Run]:
        mine = [run for run in self.db.runs() if run.schedule_id == schedule.pk and run.trigger != "manual"]
        return [run for run in mine if run.state in {"pending", "waiting"}]

    def _run_now(self, schedule: Schedule) -> None:
        if self._is_held(("schedule", schedule.pk)):
            return
        token = str(self.choose.getrandbits(32))
        run = run_verbs.manual_run(schedule, token=token, actor=Actor(name="ana"), now=self.wall())
        run.pk, run.task_id = next(self.db.ids), str(uuid.UUID(int=self.choose.getrandbits(128)))
        run.lease_until = self.wall()
        is_forced = self.choose.random() < 0.2
        if schedule.overlap != "allow" and not is_forced and self._is_active(schedule):
            run_verbs.wait(run)
        if is_forced:
            self.watch.forced.add(run.pk)
        check_run(run)
        self.note(PEOPLE, f"runs {schedule.pk} now and dies before it is sent: {run.pk} {run.state}")
        self.db.rows["run", run.pk] = run

    def _is_active(self, schedule: Schedule) -> bool:
        mine = [run for run in self.db.runs() if run.schedule_id == schedule.pk]
        return any(
            holds_back(run, self.wall() - DAY) or (run.state == "waiting" and run.trigger != "retry")
            for run in mine
        )

    def _set_clock(self, _schedule: Schedule) -> None:
        self.offset = self.choose.choice([0.0, 0.0, HOUR, -HOUR])
        self.note("clock", f"stands {self.offset:+.0f} s from the truth")
