"""What must hold at every commit, at every message and at the end, whatever goes wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import takewhile

from schedulerui.models import Run, Schedule
from schedulerui.recurrence.window import INSTANT
from tests.simulation.exclusion import Exclusion, covers
from tests.simulation.tables import EXCLUSIVE, Database, Key

PEOPLE = "people"
"""The actor of every change that no beat makes."""


class Violation(BaseException):
    """Something that must always hold did not; no handler in a beat catches it."""


class Broken(AssertionError):
    """The same for people, with the trace."""


def require(condition: object, sentence: str) -> None:
    if not condition:
        raise Violation(sentence)


class Watch(Exclusion):
    """Watches one database; ``looks`` tells what each beat has read from its clocks."""

    def __init__(self, db: Database, *, lease: float, error: type[BaseException] = Violation) -> None:
        self.db, self.lease, self.error = db, lease, error
        self.messages: dict[int, list[str]] = defaultdict(list)
        self.wall_read: dict[str, datetime] = {}
        self.read_at: dict[str, dict[datetime, float]] = defaultdict(dict)
        self.looked_at: dict[str, float] = {}
        self.led_back: set[int] = set()
        self.forced: set[int] = set()
        self.turns: dict[int, datetime] = {}
        db.on_commit, db.on_refusal = self.committed, self.refused

    def require(self, condition: object, sentence: str) -> None:
        if not condition:
            raise self.error(sentence)

    # what beats have seen of the time

    def saw_wall(self, actor: str, wall: datetime, true: float) -> None:
        self.wall_read[actor] = wall
        self.read_at[actor][wall] = true

    def saw_monotonic(self, actor: str, true: float) -> None:
        self.looked_at[actor] = true

    # at every commit

    def committed(self, actor: str, before: dict[Key, object], after: dict[Key, object]) -> None:
        if actor == PEOPLE:
            return
        inserted = {pk for table, pk in after if table == "run" and (table, pk) not in before}
        for key, row in after.items():
            old = before.get(key)
            if isinstance(row, Schedule) and isinstance(old, Schedule):
                self._moved(old, row)
                if old.paused_at is not None and row.paused_at is None:
                    self.resumed(old, row, inserted)
            elif isinstance(row, Run):
                self._changed(actor, old, row)

    def _moved(self, old: Schedule, new: Schedule) -> None:
        """I2: the next time moves on only past times that have rows, and only to a time of the rule."""
        self.require(
            not new.error, f"schedule {new.pk} was put aside although nothing is wrong with it: {new.error}"
        )
        if new.next_nominal_at is not None:
            self.require(
                new.timetable().has(new.next_nominal_at),
                f"I2: schedule {new.pk} goes on at {new.next_nominal_at}, which is no time of its rule",
            )
        if old.next_nominal_at is None or new.next_nominal_at is None:
            return
        self.require(
            new.next_nominal_at >= old.next_nominal_at,
            f"I2: schedule {new.pk} moved backwards from {old.next_nominal_at} to {new.next_nominal_at}",
        )
        rows = [run for run in self.db.runs() if run.schedule_id == new.pk and run.nominal_at]
        known = {run.nominal_at for run in rows}
        until = new.next_nominal_at
        times = (each.nominal_at for each in new.timetable().after(old.next_nominal_at - INSTANT))
        for nominal in takewhile(lambda moment: moment < until, times):
            has_row = nominal in known or any(covers(run, nominal) for run in rows)
            self.require(has_row, f"I2: {nominal} of schedule {new.pk} was passed without a row")

    def _changed(self, actor: str, old: object, run: Run) -> None:
        if not isinstance(old, Run):
            self._inserted(run)
            return
        self.require(old.task_id == run.task_id, f"I5: run {run.pk} got another task id")
        if run.state == "pending" and old.state == "waiting":
            self.promoted(run)
        is_given_up = run.state == "unsent" and old.state == "pending"
        if is_given_up and run.trigger == "manual" and run.delivery_mode == "at_least_once":
            self.gave_up_click(run, max(self.read_at[actor]))  # the clock may have been set back since
        is_touched = (old.owner, old.lease_until) != (run.owner, run.lease_until)
        if run.state == "pending" and is_touched and old.owner != actor and old.lease_until is not None:
            has_ended = old.lease_until <= self.wall_read[actor]
            self.require(has_ended, f"I4: {actor} touched run {run.pk}, which {old.owner} holds")

    def _inserted(self, run: Run) -> None:
        assert run.schedule_id is not None
        schedule = self.db.rows["schedule", run.schedule_id]
        assert isinstance(schedule, Schedule)
        if run.trigger == "retry":
            self.tried(run, schedule)
            return
        self.require(
            run.schedule_version == schedule.version,
            f"run {run.pk} was made from version {run.schedule_version} of {schedule.version}",
        )
        self.counted(run, schedule)
        if run.state in {"pending", "waiting"}:
            self.require(schedule.enabled, f"run {run.pk} was made of schedule {schedule.pk}, which is off")
        if run.state == "pending" and schedule.overlap in EXCLUSIVE:
            self.alone(run, schedule, now=run.created_at)
        if run.state == "waiting":
            self.came_to_wait(run, schedule)

    def refused(self, run: Run) -> None:
        """The unique key is the last line of defence: only a schedule that was led back may come so far."""
        self.require(
            run.schedule_id in self.led_back, f"I2: only the unique key kept {run.key} from a second row"
        )

    # at every message

    def published(self, actor: str, run: Run) -> None:
        row = self.db.find_run(run.pk)
        self.require(row is not None, f"I3: a message of run {run.pk}, which has no row")
        assert row is not None
        assert run.lease_until is not None
        self.messages[run.pk].append(str(run.task_id))
        self.require(
            run.task_id == row.task_id, f"I5: run {run.pk} was sent as {run.task_id}, not {row.task_id}"
        )
        self.require(
            len(self.messages[run.pk]) <= row.publishes,
            f"I5: run {run.pk} was sent {len(self.messages[run.pk])} times, counted {row.publishes}",
        )
        read_at = self.read_at[actor].get(run.lease_until - timedelta(seconds=self.lease))
        self.require(read_at is not None, f"I4: {actor} sent run {run.pk} under a lease that it did not take")
        assert read_at is not None
        self.require(
            self.looked_at[actor] <= read_at + self.lease,
            f"I4: {actor} sent run {run.pk} {self.looked_at[actor] - read_at:.1f} s after it took it",
        )

    # at the end

    def ended(self) -> None:
        runs = self.db.runs()
        times = Counter((run.schedule_id, run.nominal_at) for run in runs if run.trigger == "schedule")
        twice = [time for time, count in times.items() if count > 1]
        self.require(not twice, f"I1: more than one run for {twice[:3]}")
        for run in runs:
            n_messages = len(self.messages[run.pk])
            self.require(run.state not in {"pending", "waiting"}, f"I4: run {run.pk} is still {run.state}")
            self.require(
                run.state != "sent" or n_messages, f"run {run.pk} counts as sent and no message went out"
            )
            self.require(
                run.state not in {"unsent", "cancelled"} or run.reason,
                f"I4: run {run.pk} was given up without a reason",
            )
            if run.delivery_mode == "at_most_once":
                self.require(n_messages <= 1, f"run {run.pk} went out {n_messages} times, not at most once")
            if run.state in {"skipped", "missed"}:
                self.require(not n_messages, f"run {run.pk} was decided against and sent")
