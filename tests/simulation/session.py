"""One session on a store in memory: its transactions, its statements, and how it waits for other writers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

from django.db import IntegrityError, OperationalError

from schedulerui.models import Run
from tests.simulation.tables import Database, Key, Transaction, check_run, check_schedule, clone, same

WAITS_MAX = 40
"""How often a statement waits for another writer before it gives up."""


class Session:
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
