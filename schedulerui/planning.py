"""Planning: one due schedule and a moment in, the rows to insert and the next time out. Every policy is here; no I/O."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schedulerui.facts import Misfire, Overlap, Plan, PlannedRun, RunState, ScheduleFacts
from schedulerui.recurrence import IntervalRule, Rule, next_fire

NAMESPACE = uuid.UUID("b6a0d1de-53c1-5d43-9c44-8f8c2c6f9f3a")
"""Root of our task ids: the same occurrence has the same id in every process and after every restart."""

AT_ONCE_MAX = 100
"""Most runs that one plan makes; what is left over is due at once and planned in the next round."""
MISSED_ROWS_MAX = 20
"""Missed occurrences with a row each; the rest of an outage is one row with a count."""
MISSED_COUNT_MAX = 1_000
"""Most missed occurrences that are counted one by one; intervals are counted by arithmetic instead."""

_INSTANT = timedelta(microseconds=1)


def task_id(schedule: uuid.UUID, *, nominal_at: datetime, retry: int = 0) -> str:
    """Return the Celery task id of an occurrence: the same for every re-publishing, another for a schedule-level retry."""
    return str(uuid.uuid5(NAMESPACE, f"{schedule}|{epoch(nominal_at)}|{retry}"))


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970 (UTC)."""
    return int(moment.timestamp())


def occurrence_key(schedule: uuid.UUID, *, nominal_at: datetime) -> str:
    """Return the unique key of an occurrence."""
    return f"s:{schedule}:{epoch(nominal_at)}"


def first_occurrence(
    rule: Rule,
    *,
    after: datetime,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
) -> datetime | None:
    """Return the first nominal time strictly after ``after`` inside the window (both ends belong to it), in UTC, or None."""
    from_moment = after if start_at is None else max(after, start_at - _INSTANT)
    nominal_at = next_fire(rule, from_moment)
    if nominal_at is None or (end_at is not None and nominal_at > end_at):
        return None
    return nominal_at


def plan(schedule: ScheduleFacts, *, now: datetime, is_active: bool = False) -> Plan:
    """Decide about every occurrence from ``schedule.next_nominal_at`` up to ``now``.

    ``is_active`` says whether an earlier run may still be alive (only asked for when the overlap policy wants to know).
    Occurrences not later than their grace run. Of the later ones the misfire policy chooses; each one dropped is accounted
    for: a row each up to MISSED_ROWS_MAX, then one row with a count. The plan's ``next_nominal_at`` follows the last
    occurrence that the plan accounts for, so that a very long backlog is worked off in several bounded rounds.
    """
    late_before = now - schedule.grace
    late = [] if schedule.next_nominal_at >= late_before else list(_late(schedule, before=late_before))
    on_time_from = late[-1].until if late else schedule.next_nominal_at - _INSTANT
    on_time = list(itertools.islice(_occurrences(schedule, after=on_time_from, until=now), AT_ONCE_MAX))
    chosen, missed = _misfire(schedule, late, has_newer=bool(on_time))
    to_run = [*chosen, *on_time]
    last = on_time[-1] if on_time else on_time_from
    allowed, is_used_up = _within_max_runs(schedule, to_run)
    runs = [*(_missed_row(schedule, span) for span in missed), *_rows(schedule, allowed, is_active=is_active)]
    n_created = sum(1 for run in runs if run.state is RunState.PENDING)
    following = None if is_used_up else _following(schedule, after=last)
    return Plan(
        runs=tuple(runs),
        next_nominal_at=following,
        next_run_at=following,
        runs_created=schedule.runs_created + n_created,
    )


class _Span:
    """Consecutive occurrences: the first, the last, how many, and whether the count is only a lower bound."""

    __slots__ = ("at", "count", "is_lower_bound", "until")

    def __init__(self, at: datetime, until: datetime, count: int, *, is_lower_bound: bool = False) -> None:
        self.at, self.until, self.count, self.is_lower_bound = at, until, count, is_lower_bound


def _following(schedule: ScheduleFacts, *, after: datetime) -> datetime | None:
    return first_occurrence(schedule.rule, after=after, start_at=schedule.start_at, end_at=schedule.end_at)


def _occurrences(schedule: ScheduleFacts, *, after: datetime, until: datetime) -> Iterator[datetime]:
    moment = _following(schedule, after=after)
    while moment is not None and moment <= until:
        yield moment
        moment = _following(schedule, after=moment)


def _late(schedule: ScheduleFacts, *, before: datetime) -> Iterator[_Span]:
    """Yield late occurrences: singly at first, then one span for the middle, then the newest singly."""
    singly = MISSED_ROWS_MAX if schedule.misfire is not Misfire.ALL else AT_ONCE_MAX
    until = before - _INSTANT
    start = schedule.next_nominal_at - _INSTANT
    singles = list(itertools.islice(_occurrences(schedule, after=start, until=until), singly))
    yield from (_Span(moment, moment, 1) for moment in singles)
    if len(singles) < singly:
        return
    newest = _newest(schedule, after=singles[-1], until=until)
    if newest is None:
        return
    middle = _count(schedule, after=singles[-1], before=newest)
    if middle is not None:
        yield middle
    yield _Span(newest, newest, 1)


def _newest(schedule: ScheduleFacts, *, after: datetime, until: datetime) -> datetime | None:
    """Return the last occurrence in (after, until], looking back in doubling steps rather than walking the whole outage."""
    window = timedelta(minutes=1)
    while True:
        start = max(after, until - window)
        moment = _following(schedule, after=start)
        if moment is not None and moment <= until:
            break
        if start == after:
            return None
        window *= 2
    newest = moment
    for later in _occurrences(schedule, after=moment, until=until):
        newest = later
    return newest


def _count(schedule: ScheduleFacts, *, after: datetime, before: datetime) -> _Span | None:
    """Return the span of the occurrences strictly between two of them; None when there are none."""
    first = _following(schedule, after=after)
    if first is None or first >= before:
        return None
    if isinstance(schedule.rule, IntervalRule):
        count = (before - first) // schedule.rule.every
        return _Span(first, first + (count - 1) * schedule.rule.every, count)
    n, last = 0, first
    for moment in _occurrences(schedule, after=after, until=before - _INSTANT):
        if n == MISSED_COUNT_MAX:
            return _Span(first, before - _INSTANT, n, is_lower_bound=True)
        n, last = n + 1, moment
    return _Span(first, last, n)


def _misfire(
    schedule: ScheduleFacts, late: list[_Span], *, has_newer: bool
) -> tuple[list[datetime], list[_Span]]:
    """Split late occurrences into those to run and those to account for.

    ``latest`` runs the newest late one only if nothing newer is on time: that one brings the work up to date by itself.
    """
    if schedule.misfire is Misfire.ALL:
        singles = [span for span in late[:AT_ONCE_MAX] if span.count == 1]
        return [span.at for span in singles], late[len(singles) :]
    if schedule.misfire is Misfire.LATEST and late and not has_newer:
        return [late[-1].at], late[:-1]
    return [], late


def _within_max_runs(schedule: ScheduleFacts, moments: list[datetime]) -> tuple[list[datetime], bool]:
    if schedule.max_runs is None:
        return moments, False
    left = max(schedule.max_runs - schedule.runs_created, 0)
    return moments[:left], len(moments) >= left


def _rows(schedule: ScheduleFacts, moments: list[datetime], *, is_active: bool) -> Iterator[PlannedRun]:
    for moment in moments:
        if schedule.overlap is Overlap.SKIP and is_active:
            yield _skipped_row(schedule, moment)
            continue
        is_active = True
        yield PlannedRun(
            key=occurrence_key(schedule.uuid, nominal_at=moment),
            state=RunState.PENDING,
            nominal_at=moment,
            due_at=moment,
            task_id=task_id(schedule.uuid, nominal_at=moment),
        )


def _skipped_row(schedule: ScheduleFacts, moment: datetime) -> PlannedRun:
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=moment),
        state=RunState.SKIPPED,
        nominal_at=moment,
        due_at=moment,
        reason="overlap: the run before was still active",
    )


def _missed_row(schedule: ScheduleFacts, span: _Span) -> PlannedRun:
    at_least = "at least " if span.is_lower_bound else ""
    times = f"{at_least}{span.count} times" if span.count > 1 else "this time"
    return PlannedRun(
        key=occurrence_key(schedule.uuid, nominal_at=span.at),
        state=RunState.MISSED,
        nominal_at=span.at.astimezone(UTC),
        due_at=span.at,
        reason=f"no beat dispatched {times} within the grace of {int(schedule.grace.total_seconds())} s",
        count=span.count,
        covers_until=span.until if span.count > 1 else None,
    )
