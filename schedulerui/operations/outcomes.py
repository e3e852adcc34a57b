"""What a finished run leaves on its schedule: the last 30 outcomes, the streak of failures, the last state."""

from __future__ import annotations

import math
from collections.abc import Iterable

from django.db import transaction

from schedulerui import clock
from schedulerui.facts import FAILING, FINISHED, RunState
from schedulerui.models import Run, ScheduleState
from schedulerui.operations import retries

KEPT = 30
"""Outcomes kept beside a schedule."""

LETTERS: dict[RunState, str] = {
    RunState.SUCCEEDED: "s",
    RunState.FAILED: "f",
    RunState.MISSED: "m",
    RunState.SKIPPED: "k",
    RunState.REVOKED: "x",
    RunState.CANCELLED: "x",
    RunState.IGNORED: "x",
    RunState.REJECTED: "r",
    RunState.LOST: "l",
    RunState.EXPIRED: "e",
    RunState.UNSENT: "u",
}
FAILURES = frozenset({RunState.FAILED, RunState.LOST})
"""States that lengthen the streak of failures; success ends it, everything else leaves it."""
FAILED_LETTERS = tuple(LETTERS[state] for state in FAILING)
"""Outcomes that are failures of what was to run; what was decided or called off is none."""
EQUALS = 10
"""Runs up to which each counts as much in the usual run time; beyond, the newest counts a tenth."""
LONGEST = 1e9
"""Run times beyond it, seconds, are nonsense."""


def append_outcome(recent: str, state: str, runtime: float | None) -> str:
    """Return ``recent`` with one more outcome, newest last, at most 30: a letter and a digit for the run time (seconds).

    The digit is the whole logarithm to base 2 of 1 + the run time in units of 10 ms, at most 9; 0 when it is not known. Text
    that does not consist of such pairs is dropped; a state without a letter (one that is not finished) changes nothing.
    """
    letter = LETTERS.get(RunState(state))
    if letter is None:
        return recent
    known = recent if len(recent) % 2 == 0 else ""
    return (known + letter + str(_digit(runtime)))[-2 * KEPT :]


def failure_rate(recent: str) -> int | None:
    """Return how many in a thousand of the outcomes failed, of those that were to run; None where none did."""
    n_failed = sum(recent.count(letter) for letter in FAILED_LETTERS)
    return round(1000 * n_failed / (n_failed + recent.count("s"))) if n_failed else None


def usual_runtime(usual: float | None, recent: str, runtime: float | None) -> float | None:
    """Return the usual run time (seconds) after one more run; ``recent``: the outcomes before it."""
    if runtime is None or not 0 <= runtime <= LONGEST:
        return usual
    if usual is None:
        return round(runtime, 6)
    n = min(recent.count("s") + recent.count("f") + 1, EQUALS)
    return round(usual + (runtime - usual) / max(n, 2), 6)


def follow(run: Run, state: RunState, *, runtime: float | None, is_again: bool) -> None:
    """Tell the run's schedule about its new state; inside the transaction that changed the run, which holds its row.

    ``is_again``: the run had an outcome before (it was lost and told its end late, or it was delivered twice). Then the
    account is made anew from the rows instead of counting one run twice.
    """
    if run.schedule_id is None:
        return
    if state in retries.RETRIED or (state is RunState.SUCCEEDED and is_again):
        retries.follow(run, state)
    states = ScheduleState.objects.filter(pk=run.schedule_id)
    if state in FINISHED:
        row = states.select_for_update().first()
        if row is None:
            return
        streak = _recount(row) if is_again else _count(row, state, runtime)
        newest: dict[str, object] = {"last_state": str(state)} if row.last_run_id == run.pk else {}
        if state is RunState.SUCCEEDED:
            of_run = run.nominal_at or run.due_at
            newest["last_success_at"] = max(of_run, row.last_success_at or of_run)
        states.update(
            recent=row.recent,
            failure_streak=streak,
            failure_rate=row.failure_rate,
            usual_runtime=row.usual_runtime,
            **newest,
        )
        if state in FAILURES:
            _pause_after_commit(run.schedule_id, streak=streak)
        return
    states.filter(last_run_id=run.pk).update(last_state=str(state))


def _pause_after_commit(schedule_id: int, *, streak: int) -> None:
    """Pause the schedule if it has failed too often; after the commit, since beat locks schedules before what stands beside them."""

    def pause() -> None:
        # Here and not above: pausing writes a skipped row, which is an outcome.
        from schedulerui.operations import pauses  # noqa: PLC0415 - they need each other

        pauses.after_failures(schedule_id, streak=streak, now=clock.now())

    transaction.on_commit(pause, robust=True)


def note_decisions(runs: Iterable[Run]) -> None:
    """Append decided runs (skipped, missed) to what stands beside their schedules: two statements for any number.

    Inside the transaction that inserted them. They neither lengthen nor end a streak of failures.
    """
    decided: dict[int, list[Run]] = {}
    for run in runs:
        if run.schedule_id is not None:
            decided.setdefault(run.schedule_id, []).append(run)
    if not decided:
        return
    rows = list(ScheduleState.objects.select_for_update().filter(pk__in=decided).order_by("pk"))
    for row in rows:
        for run in decided[row.pk]:
            _append(row, run.state, None)
    ScheduleState.objects.bulk_update(rows, ["recent", "failure_rate"])


def _append(row: ScheduleState, state: str, runtime: float | None) -> None:
    """Let the row's account have one more outcome."""
    row.usual_runtime = usual_runtime(row.usual_runtime, row.recent, runtime)
    row.recent = append_outcome(row.recent, state, runtime)
    row.failure_rate = failure_rate(row.recent)


def _count(row: ScheduleState, state: RunState, runtime: float | None) -> int:
    """Append the outcome and return the streak of failures after it."""
    _append(row, state, runtime)
    if state in FAILURES:
        return row.failure_streak + 1
    return 0 if state is RunState.SUCCEEDED else row.failure_streak


def _recount(row: ScheduleState) -> int:
    """Make the account anew from the newest finished runs, and return the streak of failures."""
    finished = Run.objects.filter(schedule_id=row.pk, state__in=[str(state) for state in LETTERS])
    newest = list(finished.newest_first().values_list("state", "runtime")[:KEPT])
    row.recent, row.usual_runtime = "", None
    for state, runtime in reversed(newest):
        _append(row, state, runtime)
    streak = 0
    for state, _runtime in newest:
        if state == RunState.SUCCEEDED:
            return streak
        streak += state in FAILURES
    # No success among those looked at: the streak may be longer than what we can see.
    return max(streak, row.failure_streak) if len(newest) == KEPT else streak


def _digit(runtime: float | None) -> int:
    if runtime is None or not math.isfinite(runtime) or runtime <= 0:
        return 0
    return min(9, math.floor(math.log2(1 + runtime * 100)))
