"""Pauses that end, and tries after a run that could not be sent, on a store in memory."""

from __future__ import annotations

from datetime import datetime

from schedulerui.facts import RunState, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations import pausing, retries
from tests.simulation.session import Session
from tests.simulation.tables import EXCLUSIVE, clone


def newest_accounted(runs: list[Run]) -> datetime | None:
    """The nominal time of the newest run or decision of one schedule: what ``operations.schedules`` asks."""
    of_beat = [run for run in runs if run.trigger == "schedule"]
    newest = max(of_beat, key=lambda run: (run.due_at, run.pk or 0), default=None)
    return None if newest is None else newest.nominal_at


class Pausing(Session):
    """What ``operations.pauses`` and ``operations.retries`` do to the rows, from the same pure halves."""

    def resume_due(self, now):
        with self._statement("paused") as tx:
            ending = [s for s in self._rows(tx, "schedule") if s.resume_at is not None]
        due = [s for s in ending if s.resume_at <= now]
        n_resumed = sum(self._resume(s, now) for s in due)
        return n_resumed, min((s.resume_at for s in ending if s.resume_at > now), default=None)

    def _resume(self, seen: Schedule, now) -> bool:
        with self.transaction(), self._statement(f"resume {seen.pk}") as tx:
            key = ("schedule", seen.pk)
            self._wait_for(tx, [key])
            if not self.is_still_paused(self._seen(tx, key), seen):
                return False
            row = clone(seen)
            assert seen.resume_at is not None
            since = pausing.before(seen.resume_at)
            row.enabled, row.version = True, seen.version + 1
            paused = pausing.end(row, until=since)
            assert paused is not None
            accounted = newest_accounted([r for r in self._rows(tx, "run") if r.schedule_id == row.pk])
            if row.max_runs is None or row.runs_created < row.max_runs:
                after = row.timetable().resume_after(now=since, unaccounted_from=None)
                found = row.timetable().first(max(after, accounted or after))
                row.next_nominal_at, row.next_run_at = found.nominal_at, found.due_at
            self._write(tx, key, **row.__dict__)
            self._account(tx, pausing.row_of(row, paused, accounted_until=accounted, now=now))
        return True

    def is_still_paused(self, row: Schedule, seen: Schedule) -> bool:
        """The condition of the update."""
        return row.version == seen.version

    def _account(self, tx, row: Run | None) -> None:
        if row is not None and not any(r.key == row.key for r in self._rows(tx, "run")):
            self._insert(tx, row)

    def mark_unsent(self, run, *, reason, now, is_in_doubt=False):
        with self._statement(f"mark unsent {run.pk}") as tx:
            self._wait_for(tx, [("run", run.pk)])
            if self._seen(tx, ("run", run.pk)).state != "pending":
                return False
            values = {"progress": progress(RunState.UNSENT), "lease_until": None, "finished_at": now}
            if is_in_doubt and self._seen(tx, ("schedule", run.schedule_id)).overlap in EXCLUSIVE:
                values |= self.wish(self._seen(tx, ("run", run.pk)), now)
            row = self._write(tx, ("run", run.pk), state="unsent", reason=reason, **values)
            if row.trigger in {"schedule", "retry"}:
                schedule = self._seen(tx, ("schedule", row.schedule_id))
                again = retries.next_try(row, schedule, state=RunState.UNSENT)
                if again is not None:
                    self._insert(tx, again)
            return True

    def call_off(self, run, *, now):
        with self._statement(f"call off {run.pk}") as tx:
            self._wait_for(tx, [("run", run.pk)])
            if self._seen(tx, ("run", run.pk)).state != "pending":
                return False
            values = {"progress": progress(RunState.CANCELLED), "lease_until": None, "finished_at": now}
            self._write(tx, ("run", run.pk), state="cancelled", reason="was to be given up", **values)
            return True

    def wish(self, row, now):
        """That no worker is to begin it."""
        return {} if row.cancel_requested_at else {"cancel_requested_at": now}
