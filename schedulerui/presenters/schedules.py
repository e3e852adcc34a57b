"""A schedule in a list: everything that its row shows, ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from schedulerui.facts import FAILING
from schedulerui.models import Schedule, ScheduleState
from schedulerui.presenters.moments import duration
from schedulerui.presenters.policies import pause_of
from schedulerui.presenters.rules import code_of, words_of
from schedulerui.presenters.states import StateWord, state_of
from schedulerui.presenters.values import digest

LIST_COLUMNS = (
    "uuid", "name", "task", "enabled", "kind", "expression", "semantics", "tz", "every", "period", "anchor_at", "clocked_at_utc",
    "clocked_at_local", "solar_event", "latitude", "longitude", "queue", "grace", "version", "next_nominal_at", "next_run_at",
    "skips", "error", "updated_at", "paused_at", "paused_by", "pause_reason", "resume_at",
    "state__last_run_at", "state__last_state", "state__failure_streak", "state__recent", "state__failure_rate",
    "state__usual_runtime",
)  # fmt: skip
"""What a row needs; arguments, options and descriptions stay in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One line of the list of schedules."""

    pk: int
    name: str
    task: str
    enabled: bool
    words: str
    code: str
    tz: str
    problem: str
    """What keeps it from running, in a sentence: a broken rule, or the error that beat met."""
    last_state: StateWord
    last_run_at: datetime | None
    failure_streak: int
    is_failing: bool
    """Its last run is one that went wrong; the streak counts fewer ends than these."""
    recent: str
    next_run_at: datetime | None
    is_next_skipped: bool
    """Somebody decided that the next time will not run."""
    is_late: bool
    """Due for longer than its grace and not sent."""
    why_no_next: str
    changed_at: datetime
    """When somebody last changed it, or it was put aside for its error."""
    resume_at: datetime | None
    paused: str
    """Until when, by whom and why it is paused; empty when it is not, or was just switched off."""
    version: int
    figure: str = ""
    """What the list is sorted by, in words, where no column shows it."""
    is_yours: bool = False
    """Whoever sees the row has just asked for its last run; the next poll that changes something forgets it."""
    mark: str = ""
    """Since when it waits for a beat to see how it was switched, as ``unseen`` has it; empty for nearly all rows."""

    @property
    def digest(self) -> str:
        """What changes exactly when the row looks different; the passing of time alone does not count."""
        looks = digest(
            self.version, self.enabled, self.problem, self.last_state.key, self.last_run_at, self.failure_streak,
            self.recent, self.next_run_at, self.is_next_skipped, self.is_late, self.figure,
        )  # fmt: skip
        return f"{looks}{self.mark}"


def schedule_row(
    schedule: Schedule, *, now: datetime, sort: str = "", mark: str = "", is_yours: bool = False
) -> ScheduleRow:
    """Return the row of a schedule loaded with its state; a broken rule is shown, never raised.

    ``sort``: what the list is sorted by; ``mark``: of one just switched; ``is_yours``: of one just run.
    """
    words, problem = words_of(schedule)
    state = state_row(schedule)
    late_at = schedule.next_run_at + timedelta(seconds=schedule.grace) if schedule.next_run_at else None
    return ScheduleRow(
        pk=schedule.pk,
        name=schedule.name,
        task=schedule.task,
        enabled=schedule.enabled,
        words=words,
        code=code_of(schedule),
        tz=schedule.tz,
        problem=problem or schedule.error,
        last_state=state_of(state.last_state),
        last_run_at=state.last_run_at,
        failure_streak=state.failure_streak,
        is_failing=state.last_state in FAILING,
        recent=state.recent,
        next_run_at=schedule.next_run_at,
        is_next_skipped=_is_next_skipped(schedule),
        is_late=late_at is not None and late_at < now,
        why_no_next=why_no_next(schedule, problem),
        changed_at=schedule.updated_at,
        resume_at=schedule.resume_at,
        paused=pause_of(schedule, now=now),
        version=schedule.version,
        figure=_figure(state, sort),
        is_yours=is_yours,
        mark=mark,
    )


def state_row(schedule: Schedule) -> ScheduleState:
    """Return the state beside a schedule, an empty one where none was written yet."""
    try:
        return schedule.state
    except ScheduleState.DoesNotExist:
        return ScheduleState(schedule=schedule)


def _figure(state: ScheduleState, sort: str) -> str:
    if sort == "rate" and state.failure_rate:
        return _("%(share)s %% failed") % {"share": number_format(round(state.failure_rate / 10))}
    if sort == "duration" and state.usual_runtime is not None:
        return _("usually %(time)s") % {"time": duration(state.usual_runtime)}
    return ""


def _is_next_skipped(schedule: Schedule) -> bool:
    try:
        return schedule.next_nominal_at in schedule.skipped()
    except ValueError:  # beat will say so
        return False


def why_no_next(schedule: Schedule, problem: str = "") -> str:
    """Return in a word or two why it has no next run; empty for one that has."""
    if schedule.next_run_at is not None:
        return ""
    if not schedule.enabled:
        return _("Off")
    if problem or schedule.error:
        return _("Cannot run")
    return _("By hand only") if schedule.kind == "manual" else _("No further run")
