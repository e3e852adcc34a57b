"""What must hold of runs that must not overlap, of tries, of numbers and of pauses; checked at commits and when a body begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from schedulerui.models import Run, Schedule
from tests.simulation.memory_overlap import ALIVE
from tests.simulation.memory_pauses import newest_accounted
from tests.simulation.tables import EXCLUSIVE, GIVEN_UP, Database, holds_back

DAY = timedelta(days=1)
CLICKED = timedelta(seconds=60)
"""MANUAL_SEND_WITHIN here."""


class Exclusion:
    """The half of the watch that knows the policies; ``forced`` are the clicks that were told not to wait."""

    db: Database
    lease: float
    forced: set[int]
    turns: dict[int, datetime]
    """When the runs that waited were let go."""

    def require(self, condition: object, sentence: str) -> None:
        raise NotImplementedError

    def runs_of(self, schedule: Schedule) -> list[Run]:
        return [run for run in self.db.runs() if run.schedule_id == schedule.pk]

    def began(self, run: Run) -> None:
        """A worker begins a body: the only one of its schedule, whatever beats believe."""
        schedule = self.db.schedule_of(run)
        if schedule.overlap in EXCLUSIVE and run.pk not in self.forced:
            beside = [
                other.pk
                for other in self.runs_of(schedule)
                if other.state == "started" and other.pk != run.pk and other.pk not in self.forced
            ]
            self.require(not beside, f"overlap: the body of run {run.pk} begins beside {beside}")

    def promoted(self, run: Run) -> None:
        """A run that waited goes: nothing of its schedule may be alive, and a try goes not before its time."""
        schedule = self.db.schedule_of(run)
        assert run.lease_until is not None
        now = run.lease_until - timedelta(seconds=self.lease)
        self.turns[run.pk] = now
        if run.trigger == "retry":
            self.require(run.due_at <= now, f"retry: run {run.pk} went before its time")
        if schedule.overlap in EXCLUSIVE:
            self.alone(run, schedule, now=now)

    def gave_up_click(self, run: Run, now: datetime) -> None:
        """A click that is given up has had its time, which begins when it need not wait for others any more."""
        age = now - self.turns.get(run.pk, run.created_at)
        self.require(age > CLICKED, f"click: run {run.pk} was given up after {age}")

    def alone(self, run: Run, schedule: Schedule, *, now: datetime) -> None:
        since, grace = run.created_at - DAY, timedelta(seconds=schedule.cancel_grace)
        others = [
            other.pk
            for other in self.runs_of(schedule)
            if other.pk != run.pk
            and other.pk not in self.forced
            and holds_back(other, since)
            and not was_given_up(other, now, grace)
        ]
        self.require(not others, f"overlap: run {run.pk} beside {others}")

    def came_to_wait(self, run: Run, schedule: Schedule) -> None:
        """A time that waits: within the places there are, or the only one that is still wanted."""
        others = [other for other in self.runs_of(schedule) if other.pk != run.pk]
        if schedule.overlap == "queue":
            n_waiting = 1 + sum(other.state == "waiting" and other.trigger == "schedule" for other in others)
            self.require(
                n_waiting <= schedule.queue_max, f"queue: {n_waiting} runs of schedule {schedule.pk} wait"
            )
        if schedule.overlap == "cancel_previous":
            wanted = [other.pk for other in others if is_wanted(other)]
            self.require(not wanted, f"cancel_previous: run {run.pk} waits, and {wanted} are not given up")

    def counted(self, run: Run, schedule: Schedule) -> None:
        """No more runs than there may be."""
        if schedule.max_runs is not None:
            runs = [
                other
                for other in self.runs_of(schedule)
                if other.trigger == "schedule" and other.state not in {"skipped", "missed"}
            ]
            self.require(len(runs) <= schedule.max_runs, f"max runs: run {run.pk} is one of {len(runs)}")

    def tried(self, run: Run, schedule: Schedule) -> None:
        self.require(run.retry_number <= schedule.retry_max, f"retry: run {run.pk} is try {run.retry_number}")

    def resumed(self, old: Schedule, new: Schedule, inserted: set[int]) -> None:
        """A pause has ended: each time in it has a row."""
        runs = self.runs_of(new)
        accounted = newest_accounted([run for run in runs if run.pk not in inserted])
        assert old.paused_at is not None
        assert old.resume_at is not None
        after, until = max(old.paused_at, accounted or old.paused_at), old.resume_at
        times = (each.nominal_at for each in new.timetable().after(after))
        for nominal in takewhile(lambda moment: moment < until, times):
            has_row = any(run.nominal_at == nominal or covers(run, nominal) for run in runs)
            self.require(has_row, f"pause: {nominal} of schedule {new.pk} has no row")


def covers(run: Run, moment) -> bool:
    return bool(run.nominal_at and run.covers_until and run.nominal_at <= moment <= run.covers_until)


def was_given_up(run: Run, now, grace: timedelta) -> bool:
    """Whether it is a message that no worker took in time after it was cancelled: none will begin it."""
    asked_at = run.cancel_requested_at
    return run.state in {"sent", *GIVEN_UP} and asked_at is not None and now - asked_at > grace


def is_wanted(run: Run) -> bool:
    waits = run.state == "waiting" and run.trigger != "retry"
    return waits or (run.state in ALIVE and run.cancel_requested_at is None)
