"""A run in a list, and on its own page with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from schedulerui.facts import DECIDED, FINISHED, RunState, Trigger
from schedulerui.models import Attempt, Run, Schedule
from schedulerui.operations.deliveries import DUPLICATE
from schedulerui.operations.masking import masked
from schedulerui.presenters.moments import duration, span, stamp
from schedulerui.presenters.states import StateWord, state_of, trigger_word
from schedulerui.presenters.values import digest

LIST_COLUMNS = (
    "uuid", "schedule_id", "schedule_name", "task", "trigger", "actor", "due_at", "sent_at", "started_at", "promoted_at",
    "state", "attempt", "count", "runtime", "worker", "worker_instance", "progress", "reason",
)  # fmt: skip
"""What a list needs: arguments, results and tracebacks stay in the table."""
EXCEPTION_SHOWN = 500
"""Most characters of what an attempt raised, in the list of attempts."""

SENTENCES: dict[RunState, Any] = {
    RunState.WAITING: gettext_lazy("Held back until the run before it ends."),
    RunState.PENDING: gettext_lazy("Queued for dispatch: beat hands it to the broker as soon as it can."),
    RunState.SENT: gettext_lazy("The broker has it; no worker has taken it yet."),
    RunState.UNSENT: gettext_lazy("It is not known to have reached the broker, and is not tried again."),
    RunState.CANCELLED: gettext_lazy("Called off before it was sent."),
    RunState.RECEIVED: gettext_lazy("A worker has taken it from the queue and will start it."),
    RunState.STARTED: gettext_lazy("The task is running."),
    RunState.RETRYING: gettext_lazy("The task asked to be tried again; the next attempt is on its way."),
    RunState.LOST: gettext_lazy("The worker that ran it is gone and never told the end."),
    RunState.SUCCEEDED: gettext_lazy("The task returned."),
    RunState.FAILED: gettext_lazy("The task raised, ran into its time limit, or its process died."),
    RunState.REVOKED: gettext_lazy("Somebody revoked it."),
    RunState.EXPIRED: gettext_lazy("It reached a worker after its expiry and was dropped."),
    RunState.IGNORED: gettext_lazy("The task raised Ignore: it wants no result to be kept."),
    RunState.REJECTED: gettext_lazy("The task raised Reject, or no worker knew it."),
    RunState.SKIPPED: gettext_lazy("It was decided that this time does not run."),
    RunState.MISSED: gettext_lazy("Its time passed without a run: no beat was there."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One line of a list of runs; ``runtime`` is seconds or None."""

    uuid: UUID
    name: str
    schedule_id: int | None
    task: str
    state: StateWord
    trigger: str
    actor: str
    due_at: datetime
    runtime: float | None
    worker: str
    worker_instance: UUID | None
    attempt: int
    count: int
    pk: int = 0
    progress: int = 0
    reason: str = ""
    """Why it did not run, or did not end well, where that is known."""
    late: float | None = None
    """Seconds after which it was sent, where its schedule calls that late."""
    running_since: datetime | None = None

    @property
    def digest(self) -> str:
        """What changes exactly when the row looks different; the passing of time alone does not count."""
        return digest(
            self.pk, self.progress, self.state.key, self.runtime, self.worker, self.reason, self.late
        )


def run_row(run: Run, *, grace: int | None = None) -> RunRow:
    """Return the line of a run loaded with ``LIST_COLUMNS``; ``grace``: after how many seconds its schedule calls it late."""
    return RunRow(
        uuid=run.uuid,
        name=run.schedule_name or run.task,
        schedule_id=run.schedule_id,
        task=run.task,
        state=state_of(run.state),
        trigger=trigger_word(run.trigger),
        actor=run.actor,
        due_at=run.due_at,
        runtime=run.runtime if is_over(run) else None,  # an attempt before may have left one
        worker=run.worker,
        worker_instance=run.worker_instance,
        attempt=run.attempt + 1,
        count=run.count,
        pk=run.pk,
        progress=run.progress,
        reason=run.reason,
        late=_late(run, grace=grace),
        running_since=run.started_at if run.state == RunState.STARTED else None,
    )


def with_grace(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Have runs loaded with their schedules' idea of late, seconds.

    No join: those that are sorted without an index would be joined before all but a few are left out.
    """
    grace = Schedule.objects.filter(pk=OuterRef("schedule_id")).values("grace")
    return runs.annotate(schedule_grace=Subquery(grace))


def grace_of(run: Run) -> int | None:
    """Return after how many seconds a run is late that was loaded ``with_grace``; None where no schedule says."""
    found: int | None = getattr(run, "schedule_grace", None)
    return found


def sentence(run: Run) -> str:
    """Return in words what has become of a run."""
    state = RunState(run.state)
    if run.count > 1 and state in DECIDED:
        return " ".join([str(SENTENCES[state]), _covered(run)])
    if state is RunState.CANCELLED and run.cancel_requested_at is not None:
        return _("Called off while it was on its way: workers are told not to begin it.")
    return str(SENTENCES[state])


def _covered(run: Run) -> str:
    first, last = stamp(run.nominal_at or run.due_at), stamp(run.covers_until or run.due_at)
    return ngettext(
        "This line stands for %(count)d time, from %(first)s to %(last)s.",
        "This line stands for %(count)d times, from %(first)s to %(last)s.",
        run.count,
    ) % {"count": run.count, "first": first, "last": last}


def lateness(run: Run) -> str:
    """Return by how much beat sent a run of a schedule late, in a sentence; empty where it was in time, or where no beat was to send it."""
    grace = run.schedule.grace if run.schedule else None
    late = _late(run, grace=grace)
    if late is None or grace is None:
        return ""
    return _("Sent %(late)s after it was due; late is more than %(grace)s, as its schedule says.") % {
        "late": duration(late),
        "grace": span(grace),
    }


def _late(run: Run, *, grace: int | None) -> float | None:
    """Return after how many seconds a run was sent that beat had to send, None where that was in time.

    A run that was held back until another one ended is not late: its turn came then.
    """
    if grace is None or run.sent_at is None or run.trigger != Trigger.SCHEDULE or run.promoted_at is not None:
        return None
    late = (run.sent_at - run.due_at).total_seconds()
    return late if late > grace else None


def is_over(run: Run) -> bool:
    """Return whether nothing more is expected of it, so that its page need not ask again."""
    return run.state in FINISHED


def is_decision(run: Run) -> bool:
    """Return whether it was decided against and never had a task."""
    return run.state in DECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One start of one delivery of a run; ``runtime`` is seconds or None."""

    number: int
    delivery: int
    state: StateWord
    worker: str
    worker_instance: UUID | None
    received_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    runtime: float | None
    reason: str
    exception: str = ""


def attempt_rows(attempts: Iterable[Attempt], *, with_values: bool) -> list[AttemptRow]:
    """Return the lines of a run's attempts, which come in their order; what each raised, which may hold values, for those who may see them."""
    rows = list(attempts)
    newest = {row.attempt: row.delivery for row in rows if row.reason != DUPLICATE}
    return [
        AttemptRow(
            number=attempt.attempt + 1,
            delivery=attempt.delivery,
            state=state_of(attempt.state),
            worker=attempt.worker,
            worker_instance=attempt.worker_instance,
            received_at=attempt.received_at,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            runtime=attempt.runtime,
            reason=attempt.reason or _untold(attempt, newest),
            exception=masked(attempt.exception[:EXCEPTION_SHOWN]) if with_values else "",
        )
        for attempt in rows
    ]


def _untold(attempt: Attempt, newest: dict[int, int]) -> str:
    """Say why an attempt still looks alive beside the next delivery of its message; empty when there is none."""
    is_open = attempt.state in {RunState.RECEIVED, RunState.STARTED}
    if not is_open or attempt.delivery >= newest.get(attempt.attempt, 0):
        return ""
    return _("Its end was not told. The message was delivered again.")
