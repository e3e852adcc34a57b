"""A store in memory with the constraints of the real one: READ COMMITTED, writers wait for a row's writer, no row locks.

An update sees the newest committed row, waits while another transaction has written it, and is atomic. Transactions are seen
by others whole or not at all. Reads take no lock: ``lock_due`` hands the same rows to everybody who asks.
"""

from __future__ import annotations

from schedulerui.facts import RunState, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations.store import Store, Wake
from tests.simulation.memory_overlap import Overlapping
from tests.simulation.memory_pauses import Pausing
from tests.simulation.tables import clone


class MemoryStore(Overlapping, Pausing, Store):
    """The questions and changes that the protocol asks for."""

    # questions

    def look(self, clock):
        # The clock, schedules and runs in three steps: more may happen in between than while a database answers.
        now = clock.now()
        with self._statement("first due") as tx:
            due = (s.next_run_at for s in self._rows(tx, "schedule") if s.next_run_at)
            due_at = min(due, default=None)
        with self._statement("first in outbox") as tx:
            rows = self._rows(tx, "run")
            leases = (r.lease_until for r in rows if r.state == "pending")
            waiting = (r.due_at for r in rows if r.state == "waiting")
            return Wake(
                now=now,
                due_at=due_at,
                lease_until=min(leases, default=None),
                waiting_at=min(waiting, default=None),
            )

    def due_ids(self, now, *, limit, of_intervals=False):
        with self._statement("due") as tx:
            due = [s for s in self._rows(tx, "schedule") if s.next_run_at and s.next_run_at <= now]
            due = [s for s in due if s.kind == "interval" or not of_intervals]
            return [s.pk for s in sorted(due, key=lambda s: (s.next_run_at, s.pk))[:limit]]

    def take_due(self, now, *, limit, of_intervals=False):
        return self.load(self.lock_due(now, limit=limit, of_intervals=of_intervals))

    def lock_due(self, now, *, limit, of_intervals=False):
        return self.due_ids(now, limit=limit, of_intervals=of_intervals)

    def first_interval_due(self):
        with self._statement("first interval due") as tx:
            due = (
                s.next_run_at for s in self._rows(tx, "schedule") if s.next_run_at and s.kind == "interval"
            )
            return min(due, default=None)

    def furthest_clock(self):
        return None

    def load(self, ids):
        with self._statement(f"load {list(ids)}") as tx:
            found = [clone(self._seen(tx, ("schedule", pk))) for pk in ids]
            return sorted(found, key=lambda s: (str(s.next_run_at), s.pk))

    def known_keys(self, keys):
        with self._statement("known keys") as tx:
            return {r.key for r in self._rows(tx, "run")} & set(keys)

    def abandoned(self, now, *, limit):
        with self._statement("abandoned") as tx:
            left = [r for r in self._rows(tx, "run") if r.state == "pending" and r.lease_until < now]
            return [clone(r) for r in sorted(left, key=lambda r: (r.lease_until, r.pk))[:limit]]

    # changes

    def advance(self, planned):
        with self._statement(f"advance {[each.schedule.pk for each in planned]}") as tx:
            self._wait_for(tx, [("schedule", each.schedule.pk) for each in planned])
            return sum(self._advance(tx, each) for each in planned)

    def _advance(self, tx, each) -> bool:
        row = self._seen(tx, ("schedule", each.schedule.pk))
        if not self.is_as_seen(row, each.schedule):
            return False
        self._write(
            tx,
            ("schedule", row.pk),
            next_nominal_at=each.plan.next_nominal_at,
            next_run_at=each.plan.next_run_at,
            previous_nominal_at=each.plan.previous_nominal_at,
            runs_created=each.plan.runs_created,
        )
        return True

    def is_as_seen(self, row: Schedule, seen: Schedule) -> bool:
        """The condition of the update."""
        return row.next_run_at == seen.next_run_at and row.version == seen.version

    def insert(self, rows):
        with self._statement(f"insert {[row.key for row in rows]}") as tx:
            for row in rows:
                self._insert(tx, row)

    def note_runs(self, rows):
        return None

    def put_aside(self, broken, *, now):
        for pk, reason in broken:
            with self._statement(f"put aside {pk}") as tx:
                row = self._seen(tx, ("schedule", pk))
                if row.next_run_at is not None and row.next_run_at <= now:
                    self._write(tx, ("schedule", pk), error=reason, next_run_at=None, next_nominal_at=None)

    def respell(self, pk, *, now):
        return None

    def take_over(self, runs, *, lease):
        taken = []
        for run in runs:
            with self._statement(f"take over {run.pk}") as tx:
                self._wait_for(tx, [("run", run.pk)])
                row = self._seen(tx, ("run", run.pk))
                if not self.is_still_left(row, run):
                    continue
                values = {"owner": lease.owner, "lease_until": lease.until, "publishes": row.publishes + 1}
                self._write(tx, ("run", run.pk), **values)
                run.__dict__.update(values)
                taken.append(run)
        return taken

    def is_still_left(self, row: Run, seen: Run) -> bool:
        """The condition of the update."""
        return row.state == "pending" and row.lease_until == seen.lease_until

    def give_back(self, runs, *, owner, now, reason, is_tried):
        with self._statement(f"give back {[run.pk for run in runs]}") as tx:
            self._wait_for(tx, [("run", run.pk) for run in runs])
            mine = [
                row for row in (self._seen(tx, ("run", run.pk)) for run in runs) if self.is_mine(row, owner)
            ]
            for row in mine:
                publishes = row.publishes if is_tried else max(row.publishes - 1, 0)
                self._write(tx, ("run", row.pk), lease_until=now, reason=reason, publishes=publishes)
            return len(mine)

    def is_mine(self, row: Run, owner: str) -> bool:
        """The condition of the update."""
        return row.state == "pending" and row.owner == owner

    def mark_sent(self, runs, *, sent_at):
        with self._statement(f"mark sent {[run.pk for run in runs]}") as tx:
            self._wait_for(tx, [("run", run.pk) for run in runs])
            for run in runs:
                row = self._seen(tx, ("run", run.pk))
                values: dict[str, object] = {"sent_at": row.sent_at or sent_at, "lease_until": None}
                if row.progress < progress(RunState.SENT):
                    values |= {"state": "sent", "progress": progress(RunState.SENT), "reason": ""}
                self._write(tx, ("run", run.pk), **values)
            return len(runs)

    # beats are information, never a lock

    def tick_beat(self, beat):
        with self._statement("heartbeat"):
            return True

    def register_beat(self, beat):
        with self._statement("sign on"):
            return

    def sign_off_beat(self, beat):
        with self._statement("sign off"):
            return
