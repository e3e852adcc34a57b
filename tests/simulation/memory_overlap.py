"""What the overlap policies ask of a store in memory: what is active, what waits, who goes, who is asked to end."""

from __future__ import annotations

from schedulerui.facts import ACTIVE, RunState, progress
from schedulerui.operations.store import Blocker
from tests.simulation.session import Session
from tests.simulation.tables import clone, holds_back

ALIVE = frozenset(str(state) for state in ACTIVE)


class Overlapping(Session):
    """The half of the store in memory that answers these questions."""

    def hold(self, ids):
        with self._statement(f"hold {list(ids)}") as tx:
            keys = [("schedule", pk) for pk in ids]
            self._wait_for(tx, keys)
            for key in keys:
                self._write(tx, key)

    def active(self, ids, *, queued_since):
        with self._statement(f"active {list(ids)}") as tx:
            found: dict[int, list[Blocker]] = {}
            for r in sorted(self._rows(tx, "run"), key=lambda r: r.pk):
                waits = r.state == "waiting" and r.trigger in {"schedule", "manual"}
                if r.schedule_id in ids and (waits or holds_back(r, queued_since)):
                    found.setdefault(r.schedule_id, []).append(self.blocker(r))
            return found

    def blocker(self, run) -> Blocker:
        """What is said of one that is in the way."""
        return Blocker(
            run_id=run.pk,
            state=run.state,
            cancel_requested_at=run.cancel_requested_at,
            cancel_grace=self.db.schedule_of(run).cancel_grace,
        )

    def waiting(self, now, *, limit, after=None):
        with self._statement("waiting") as tx:
            due = [clone(r) for r in self._rows(tx, "run") if self.may_go(r, now)]
            for run in due:
                run.schedule = clone(self._seen(tx, ("schedule", run.schedule_id)))
            behind = [r for r in due if after is None or (r.due_at, r.pk) > (after.due_at, after.pk)]
            return sorted(behind, key=lambda r: (r.due_at, r.pk))[:limit]

    def may_go(self, run, now) -> bool:
        """The condition of the question."""
        return bool(run.state == "waiting" and (run.trigger != "retry" or run.due_at <= now))

    def promote(self, runs, *, lease, now):
        taken = []
        for run in runs:
            with self._statement(f"promote {run.pk}") as tx:
                self._wait_for(tx, [("run", run.pk)])
                if not self.still_waits(self._seen(tx, ("run", run.pk))):
                    continue
                values = {
                    "state": "pending", "progress": progress(RunState.PENDING), "owner": lease.owner,
                    "lease_until": lease.until, "publishes": 1, "promoted_at": now, "reason": "",
                }  # fmt: skip
                self._write(tx, ("run", run.pk), **values)
                run.__dict__.update(values)
                taken.append(run)
        return taken

    def still_waits(self, row) -> bool:
        """The condition of the update."""
        return bool(row.state == "waiting")

    def supersede(self, kept, *, now):
        with self._statement(f"supersede {sorted(kept)}") as tx:
            rows = [r for r in self._rows(tx, "run") if r.schedule_id in kept and r.key not in kept.values()]
            mine = [r for r in rows if r.state in {"waiting", *ALIVE}]
            self._wait_for(tx, [("run", r.pk) for r in mine])
            for row in (self._seen(tx, ("run", r.pk)) for r in mine):
                self._supersede(tx, row, now)

    def _supersede(self, tx, row, now) -> None:
        if row.state == "waiting":
            values = {"progress": progress(RunState.CANCELLED), "finished_at": now, "reason": "superseded"}
            self._write(tx, ("run", row.pk), state="cancelled", **values)
        elif row.state in ALIVE and row.cancel_requested_at is None:
            self._write(tx, ("run", row.pk), cancel_requested_at=now, cancel_terminate=True)
