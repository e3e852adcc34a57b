"""Workers as the histories need them: they begin what was published, end it in any way, and a failure is tried again."""

from __future__ import annotations

from schedulerui.facts import RunState, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations import retries
from tests.simulation.stage import Stage
from tests.simulation.tables import GIVEN_UP, clone


class Workers(Stage):
    """The verbs of workers on a world's rows; each happens at once, between two steps of beats."""

    def _work(self, schedule: Schedule) -> None:
        for run in self.db.runs():
            if run.schedule_id == schedule.pk and not self._is_held(("run", run.pk)):
                self._go_on(run)

    def _go_on(self, run: Run) -> None:
        luck = self.choose.random()
        is_out = bool(self.watch.messages.get(run.pk))
        if run.state in {"pending", "sent", *GIVEN_UP} and is_out:
            if run.cancel_requested_at is None:
                if luck < 0.7:
                    self._begin(run)
            elif luck < 0.3:
                self._end_run(run, RunState.REVOKED)
        elif run.state == "started" and luck < 0.6:
            ends = [RunState.SUCCEEDED, RunState.SUCCEEDED, RunState.FAILED, RunState.LOST]
            self._end_run(run, RunState.REVOKED if run.cancel_terminate else self.choose.choice(ends))

    def _begin(self, run: Run) -> None:
        self.note("worker", f"begins {run.pk}")
        self.watch.began(run)
        self._store_run(run, RunState.STARTED)

    def _end_run(self, run: Run, state: RunState) -> None:
        self.note("worker", f"{run.pk} {state}")
        row = self._store_run(run, state, finished_at=self.wall())
        if state in retries.RETRIED and run.trigger in {"schedule", "retry"}:
            again = retries.next_try(row, self.db.schedule_of(run), state=state)
            if again is not None:
                self._keep(again)
                self.note("worker", f"{again.pk} is to try again at {again.due_at:%H:%M:%S}")

    def _store_run(self, run: Run, state: RunState, **values: object) -> Run:
        row: Run = clone(run)
        row.__dict__.update(state=str(state), progress=progress(state), **values)
        self.db.rows["run", run.pk] = row
        return row

    def _keep(self, run: Run) -> None:
        run.pk = next(self.db.ids)
        self.db.rows["run", run.pk] = run
