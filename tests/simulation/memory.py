"""A store in memory with the constraints of the real one: READ COMMITTED, writers wait for a row's writer, no row locks.

An update sees the newest committed row, waits while another transaction has written it, and is atomic. Transactions are seen
by others whole or not at all. Reads take no lock: ``lock_due`` hands the same rows to everybody who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

from django.db import IntegrityError, OperationalError

from schedulerui.facts import RunState, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations.store import Blocker, Store
from tests.simulation.tables import (
    Database,
    Key,
    Transaction,
    check_run,
    check_schedule,
    clone,
    holds_back,
    same,
)

WAITS_MAX = 40
"""How often a statement waits for another writer before it gives up."""


class MemoryStore(Store):
    """One session. ``step`` is passed before each statement and commit; it returns what goes wrong there, if anything."""

    def __init__(self, database: Database, *, actor: str, step: Callable[[str, str], str]) -> None:
        self.db, self.actor, self._step = database, actor, step
        self.current: Transaction | None = None

    # transactions

    @contextmanager
    def transaction(self):
        self._fail_before(self._step("begin", ""))
        self.current = Transaction(self.actor)
        self.db.open.append(self.current)
        try:
            yield
        except BaseException:
            self._forget()
            raise
        self.commit()

    def commit(self) -> None:
        assert self.current is not None
        try:
            fault = self._step("commit", "")
            self._fail_before(fault)
            self._fail_if_killed(self.current)
        except BaseException:
            self._forget()
            raise
        done, self.current = self.current, None
        self.db.commit(done)
        self._fail_after(fault)

    def _forget(self) -> None:
        if self.current is not None:
            self.db.roll_back(self.current)
            self.current = None

    @contextmanager
    def _statement(self, what: str):
        fault = self._step("statement", what)
        self._fail_before(fault)
        if self.current is not None:
            self._fail_if_killed(self.current)
            yield self.current
            return
        alone = Transaction(self.actor)
        self.db.open.append(alone)
        try:
            yield alone
        except BaseException:
            self.db.roll_back(alone)
            raise
        self.db.commit(alone)
        self._fail_after(fault)

    @staticmethod
    def _fail_before(fault: str) -> None:
        if fault == "database away":
            raise OperationalError("away")

    @staticmethod
    def _fail_after(fault: str) -> None:
        if fault == "answer lost":
            raise OperationalError("the answer was lost")

    @staticmethod
    def _fail_if_killed(transaction: Transaction) -> None:
        if transaction.is_killed:
            raise OperationalError("the session stood still for too long")

    # rows

    def _seen(self, transaction: Transaction, key: Key):
        return transaction.writes.get(key, self.db.rows.get(key))

    def _rows(self, transaction: Transaction, table: str):
        keys = dict.fromkeys(key for key in (*self.db.rows, *transaction.writes) if key[0] == table)
        return [self._seen(transaction, key) for key in keys]

    def _write(self, transaction: Transaction, key: Key, **values):
        """Change one row; the caller has waited for its writer."""
        row = clone(self._seen(transaction, key))
        row.__dict__.update(values)
        (check_run if isinstance(row, Run) else check_schedule)(row)
        transaction.writes[key] = row
        return row

    def _wait_for(self, transaction: Transaction, keys) -> None:
        """Wait until no other transaction has written these rows; raises OperationalError when that takes too long."""
        for _ in range(WAITS_MAX):
            if not any(self.db.writer(key, but=transaction) for key in keys):
                return
            self._fail_before(self._step("wait", "for a writer"))
            self._fail_if_killed(transaction)
        raise OperationalError("lock time-out")

    # questions

    def first_due(self, now):
        with self._statement("first due") as tx:
            return min((s.next_run_at for s in self._rows(tx, "schedule") if s.next_run_at), default=None)

    def first_in_outbox(self):
        with self._statement("first in outbox") as tx:
            rows = self._rows(tx, "run")
            leases = (r.lease_until for r in rows if r.state == "pending")
            waiting = (r.due_at for r in rows if r.state == "waiting")
            return min(leases, default=None), min(waiting, default=None)

    def due_ids(self, now, *, limit, of_intervals=False):
        with self._statement("due") as tx:
            due = [s for s in self._rows(tx, "schedule") if s.next_run_at and s.next_run_at <= now]
            due = [s for s in due if s.kind == "interval" or not of_intervals]
            return [s.pk for s in sorted(due, key=lambda s: (s.next_run_at, s.pk))[:limit]]

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

    def active(self, ids, *, queued_since):
        with self._statement("active") as tx:
            found: dict[int, list[Blocker]] = {}
            for r in sorted(self._rows(tx, "run"), key=lambda r: r.pk):
                if r.schedule_id in ids and (r.state == "waiting" or holds_back(r, queued_since)):
                    blocker = Blocker(run_id=r.pk, state=r.state, cancel_requested_at=r.cancel_requested_at)
                    found.setdefault(r.schedule_id, []).append(blocker)
            return found

    def waiting(self, now, *, limit):
        with self._statement("waiting") as tx:
            due = [clone(r) for r in self._rows(tx, "run") if r.state == "waiting" and r.due_at <= now]
            for run in due:
                run.schedule = clone(self._seen(tx, ("schedule", run.schedule_id)))
            return sorted(due, key=lambda r: (r.due_at, r.pk))[:limit]

    def promote(self, runs, *, lease):
        taken = []
        for run in runs:
            with self._statement(f"promote {run.pk}") as tx:
                self._wait_for(tx, [("run", run.pk)])
                if self._seen(tx, ("run", run.pk)).state != "waiting":
                    continue
                values = {
                    "state": "pending", "progress": progress(RunState.PENDING), "owner": lease.owner,
                    "lease_until": lease.until, "publishes": 1,
                }  # fmt: skip
                self._write(tx, ("run", run.pk), **values)
                run.__dict__.update(values)
                taken.append(run)
        return taken

    def supersede(self, kept, *, now):
        with self._statement(f"supersede {sorted(kept)}") as tx:
            mine = [r for r in self._rows(tx, "run") if r.schedule_id in kept and r.key not in kept.values()]
            self._wait_for(tx, [("run", r.pk) for r in mine])
            for row in (self._seen(tx, ("run", r.pk)) for r in mine):
                if row.state == "waiting":
                    values = {
                        "progress": progress(RunState.CANCELLED),
                        "finished_at": now,
                        "reason": "superseded",
                    }
                    self._write(tx, ("run", row.pk), state="cancelled", **values)
                elif row.state == "sent" and row.cancel_requested_at is None:
                    self._write(tx, ("run", row.pk), cancel_requested_at=now, cancel_terminate=True)

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

    def _insert(self, tx, row: Run) -> None:
        check_run(row)
        for _ in range(WAITS_MAX):
            twin = next(
                (o for t in self.db.open if t is not tx for o in t.writes.values() if same(o, row)), None
            )
            if twin is None:
                break
            self._fail_before(self._step("wait", "for the writer of the key"))
            self._fail_if_killed(tx)
        if self.db.has_unique_key and any(same(other, row) for other in self._rows(tx, "run")):
            if self.db.on_refusal is not None:
                self.db.on_refusal(row)
            raise IntegrityError(f"a run with the key {row.key} exists")
        row.pk = next(self.db.ids)
        tx.writes["run", row.pk] = clone(row)

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

    def mark_unsent(self, run, *, reason, now):
        with self._statement(f"mark unsent {run.pk}") as tx:
            self._wait_for(tx, [("run", run.pk)])
            if self._seen(tx, ("run", run.pk)).state != "pending":
                return False
            values = {"progress": progress(RunState.UNSENT), "lease_until": None, "finished_at": now}
            self._write(tx, ("run", run.pk), state="unsent", reason=reason, **values)
            return True

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
