"""Planning: one due schedule and a moment in, the rows to insert and the next time out. Every policy is here; no I/O."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime

from schedulerui.facts import Coming, Misfire, Overlap, Plan, PlannedRun, RunState, ScheduleFacts
from schedulerui.recurrence import IntervalRule
from schedulerui.recurrence.window import INSTANT, Occurrence, Timetable

NAMESPACE = uuid.UUID("b6a0d1de-53c1-5d43-9c44-8f8c2c6f9f3a")
"""Root of our task ids: the same occurrence has the same id in every process and after every restart."""

AT_ONCE_MAX = 100
"""Most runs that one plan makes; what is left over is due at once and planned in the next round."""
MISSED_ROWS_MAX = 20
"""Missed occurrences with a row each; the rest of an outage is one row with a count."""
MISSED_COUNT_MAX = 1_000
"""Most missed occurrences that are counted one by one; intervals are counted by arithmetic instead."""
OVERLAPPED = "overlap: the run before was still active"
"""The reason of a time that the overlap policy skipped."""


def task_id(schedule: uuid.UUID, *, nominal_at: datetime, retry: int = 0) -> str:
    """Return the Celery task id of an occurrence: the same for every re-publishing, another for a schedule-level retry."""
    return str(uuid.uuid5(NAMESPACE, f"{schedule}|{epoch(nominal_at)}|{retry}"))


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970 (UTC)."""
    return int(moment.timestamp())


def occurrence_key(schedule: uuid.UUID, *, nominal_at: datetime) -> str:
    """Return the unique key of an occurrence."""
    return f"s:{schedule}:{epoch(nominal_at)}"


def plan(schedule: ScheduleFacts, *, now: datetime, is_active: bool = False) -> Plan:
    """Decide about every occurrence from ``schedule.next_nominal_at`` that is due up to ``now``.

    ``is_active`` says whether an earlier run may still be alive (only asked for when the overlap policy wants to know).
    Occurrences not later than their grace run. Of the later ones the misfire policy chooses; each one dropped is accounted
    for: a row each up to MISSED_ROWS_MAX, then one row with a count. A time that a person decided to skip is no policy's
    business any more (only in the middle of an outage, where times have no rows of their own, it counts as missed). The
    plan's ``next_nominal_at`` follows the last occurrence that the plan accounts for, so that a very long backlog is worked
    off in several bounded rounds.
    """
    timetable = schedule.timetable
    late_until = now - schedule.grace - INSTANT
    late = [] if schedule.next_nominal_at > late_until else list(_late(schedule, timetable, until=late_until))
    on_time_from = late[-1].until if late else schedule.next_nominal_at - INSTANT
    on_time = list(itertools.islice(_due(timetable, after=on_time_from, until=now), AT_ONCE_MAX))
    dropped = [span.first for span in late if span.count == 1 and span.first.nominal_at in schedule.skips]
    late = [span for span in late if span.first not in dropped]
    has_newer = any(occurrence.nominal_at not in schedule.skips for occurrence in on_time)
    chosen, missed = _misfire(schedule, late, has_newer=has_newer)
    to_decide = sorted([*dropped, *chosen, *on_time], key=lambda occurrence: occurrence.nominal_at)
    rows, is_used_up = _rows(schedule, to_decide, is_active=is_active)
    last = on_time[-1].nominal_at if on_time else on_time_from
    following = None if is_used_up else timetable.first(last)
    return Plan(
        runs=(*(_missed_row(schedule, span) for span in missed), *rows),
        next_nominal_at=following.nominal_at if following else None,
        next_run_at=following.due_at if following else None,
        runs_created=schedule.runs_created + sum(1 for row in rows if row.state is RunState.PENDING),
    )


def coming(
    timetable: Timetable,
    *,
    after: datetime,
    n_left: int | None = None,
    skips: Mapping[datetime, str] | None = None,
) -> Iterator[Coming]:
    """Yield what is to come nominally after the moment ``after``, exactly as ``plan`` will decide in time.

    ``n_left`` says how many more runs there may be, None for any number; a skipped time does not count. What only the
    day itself can tell, an outage or an overlap, is not foreseen.
    """
    reasons = skips or {}
    for occurrence in timetable.after(after):
        if n_left == 0:
            return
        reason = reasons.get(occurrence.nominal_at, "")
        yield Coming(nominal_at=occurrence.nominal_at, due_at=occurrence.due_at, skipped=reason)
        if n_left is not None and not reason:
            n_left -= 1


class _Span:
    """Consecutive occurrences: the first, the last, how many, and whether the count is only a lower bound."""

    __slots__ = ("count", "first", "is_lower_bound", "until")

    def __init__(
        self, first: Occurrence, until: datetime, count: int = 1, *, is_lower_bound: bool = False
    ) -> None:
        self.first, self.until, self.count, self.is_lower_bound = first, until, count, is_lower_bound


def _due(timetable: Timetable, *, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """Yield the occurrences nominally after ``after`` and due not later than ``until``."""
    return itertools.takewhile(lambda occurrence: occurrence.due_at <= until, timetable.after(after))


def _late(schedule: ScheduleFacts, timetable: Timetable, *, until: datetime) -> Iterator[_Span]:
    """Yield late occurrences: singly at first, then one span for the middle, then the newest singly."""
    singly = MISSED_ROWS_MAX if schedule.misfire is not Misfire.ALL else AT_ONCE_MAX
    start = schedule.next_nominal_at - INSTANT
    singles = list(itertools.islice(_due(timetable, after=start, until=until), singly))
    yield from (_Span(occurrence, occurrence.nominal_at) for occurrence in singles)
    if len(singles) < singly:
        return
    newest = timetable.newest_due(after=singles[-1].nominal_at, until=until)
    if newest is None:
        return
    middle = _count(timetable, after=singles[-1].nominal_at, before=newest.nominal_at)
    if middle is not None:
        yield middle
    yield _Span(newest, newest.nominal_at)


def _count(timetable: Timetable, *, after: datetime, before: datetime) -> _Span | None:
    """Return the span of the occurrences strictly between two nominal times; None when there are none."""
    first = timetable.first(after)
    if first is None or first.nominal_at >= before:
        return None
    if isinstance(timetable.rule, IntervalRule):
        every = timetable.rule.every
        count = (before - first.nominal_at) // every
        return _Span(first, first.nominal_at + (count - 1) * every, count)
    n, last = 0, first.nominal_at
    for occurrence in timetable.after(after):
        if occurrence.nominal_at >= before:
            break
        if n == MISSED_COUNT_MAX:
            return _Span(first, before - INSTANT, n, is_lower_bound=True)
        n, last = n + 1, occurrence.nominal_at
    return _Span(first, last, n)


def _misfire(
    schedule: ScheduleFacts, late: list[_Span], *, has_newer: bool
) -> tuple[list[Occurrence], list[_Span]]:
    """Split late occurrences into those to run and those to account for.

    ``latest`` runs the newest late one only if nothing newer is on time: that one brings the work up to date by itself.
    """
    if schedule.misfire is Misfire.ALL:
        singles = [span for span in late[:AT_ONCE_MAX] if span.count == 1]
        return [span.first for span in singles], late[len(singles) :]
    if schedule.misfire is Misfire.LATEST and late and not has_newer and late[-1].count == 1:
        return [late[-1].first], late[:-1]
    return [], late


def _rows(
    schedule: ScheduleFacts, occurrences: list[Occurrence], *, is_active: bool
) -> tuple[list[PlannedRun], bool]:
    """Return a row for each occurrence until no run is left, and whether none is left; only runs count."""
    left = None if schedule.max_runs is None else max(schedule.max_runs - schedule.runs_created, 0)
    rows: list[PlannedRun] = []
    for occurrence in occurrences:
        if left == 0:
            break
        reason = schedule.skips.get(occurrence.nominal_at, "")
        if not reason and is_active and schedule.overlap is Overlap.SKIP:
            reason = OVERLAPPED
        if reason:
            rows.append(_skipped_row(schedule, occurrence, reason=reason))
            continue
        is_active = True
        left = None if left is None else left - 1
        rows.append(_run_row(schedule, occurrence))
    return rows, left == 0


def _run_row(schedule: ScheduleFacts, occurrence: Occurrence) -> PlannedRun:
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=occurrence.nominal_at),
        state=RunState.PENDING,
        nominal_at=occurrence.nominal_at,
        due_at=occurrence.due_at,
        task_id=task_id(schedule.uuid, nominal_at=occurrence.nominal_at),
    )


def _skipped_row(schedule: ScheduleFacts, occurrence: Occurrence, *, reason: str) -> PlannedRun:
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=occurrence.nominal_at),
        state=RunState.SKIPPED,
        nominal_at=occurrence.nominal_at,
        due_at=occurrence.due_at,
        reason=reason,
    )


def _missed_row(schedule: ScheduleFacts, span: _Span) -> PlannedRun:
    at_least = "at least " if span.is_lower_bound else ""
    times = f"{at_least}{span.count} times" if span.count > 1 else "this time"
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=span.first.nominal_at),
        state=RunState.MISSED,
        nominal_at=span.first.nominal_at,
        due_at=span.first.due_at,
        reason=f"no beat dispatched {times} within the grace of {int(schedule.grace.total_seconds())} s",
        count=span.count,
        covers_until=span.until if span.count > 1 else None,
    )
