"""Planning: one due schedule and a moment in, the rows to insert and the next time out. Every policy is here; no I/O."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schedulerui.facts import Coming, Misfire, Overlap, Plan, PlannedRun, RunState, ScheduleFacts
from schedulerui.planned import epoch, missed_row, occurrence_key, run_row, skipped_row, task_id
from schedulerui.recurrence import CrontabRule, IntervalRule, upcoming
from schedulerui.recurrence.counting import n_fires_over
from schedulerui.recurrence.window import INSTANT, Occurrence, Timetable

__all__ = ["coming", "epoch", "occurrence_key", "plan", "task_id"]

AT_ONCE_MAX = 100
"""Most runs that one plan makes; what is left over is due at once and planned in the next round."""
MISSED_ROWS_MAX = 20
"""Missed occurrences with a row each; the rest of an outage is one row with a count."""
MISSED_COUNT_MAX = 1_000
"""Most missed occurrences that are counted one by one; those of intervals and crontabs are counted by arithmetic instead."""
MISSED_DAYS_MAX = 1_000
"""Most days of an outage over which the missed occurrences of a crontab are counted."""
OVERLAPPED = "overlap: the run before was still active"
"""The reason of a time that the overlap policy skipped."""
QUEUE_FULL = "overlap: the run before was still active, and {} were waiting already"
"""The reason of a time for which there was no place to wait."""
QUEUED = "overlap: it waits until the run before has ended"
"""The reason of a run that waits."""
CANCELLING = "overlap: it waits until the run before, which is being cancelled, has ended"
"""The reason of a run that waits for one that is being stopped."""
SUPERSEDED = "overlap: a newer time took its place"
"""The reason of a time that a newer one made needless."""
_NO_BEAT = "within the grace of {} s"
_FORGOTTEN = "within the catch-up window of {} s"
_TO_RUN = frozenset({RunState.PENDING, RunState.WAITING})


def plan(schedule: ScheduleFacts, *, now: datetime, is_active: bool = False, n_waiting: int = 0) -> Plan:
    """Decide about every occurrence from ``schedule.next_nominal_at`` that is due up to ``now``.

    ``is_active`` says whether an earlier run may still be alive, ``n_waiting`` how many runs are held back until it ends (both
    only asked for when the overlap policy wants to know). Occurrences not later than their grace run. Of the later ones the
    misfire policy chooses; each one dropped is accounted for: a row each up to MISSED_ROWS_MAX, then one row with a count. A
    time that a person decided to skip is no policy's business any more. The plan's ``next_nominal_at`` follows the last
    occurrence that the plan accounts for, so that a very long backlog is worked off in several bounded rounds.
    """
    timetable = schedule.timetable
    start, late_until = schedule.next_nominal_at - INSTANT, now - schedule.grace - INSTANT
    newest_late = (
        timetable.newest_due(after=start, until=late_until)
        if schedule.next_nominal_at <= late_until
        else None
    )
    on_time_from = newest_late.nominal_at if newest_late else start
    on_time = list(itertools.islice(_due(timetable, after=on_time_from, until=now), AT_ONCE_MAX))
    has_newer = any(occurrence.nominal_at not in schedule.skips for occurrence in on_time)
    late = _Late() if newest_late is None else _late(schedule, newest_late, now=now, has_newer=has_newer)
    to_decide = sorted([*late.decided, *on_time], key=lambda occurrence: occurrence.nominal_at)
    rows, is_used_up = _rows(schedule, to_decide, is_active=is_active or n_waiting > 0, n_waiting=n_waiting)
    last = on_time[-1].nominal_at if on_time else on_time_from
    following = None if is_used_up else timetable.first(last)
    chained = _chained((*late.missed, *rows), before=schedule.previous_nominal_at)
    return Plan(
        runs=chained,
        next_nominal_at=following.nominal_at if following else None,
        next_run_at=following.due_at if following else None,
        previous_nominal_at=_last_of(chained) or schedule.previous_nominal_at,
        runs_created=schedule.runs_created + sum(1 for row in rows if row.state in _TO_RUN),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Late:
    """What becomes of late occurrences: those to decide about one by one, and rows for the missed ones."""

    decided: tuple[Occurrence, ...] = ()
    missed: tuple[PlannedRun, ...] = ()


def _due(timetable: Timetable, *, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """Yield the occurrences nominally after ``after`` and due not later than ``until``."""
    return itertools.takewhile(lambda occurrence: occurrence.due_at <= until, timetable.after(after))


def _late(schedule: ScheduleFacts, newest: Occurrence, *, now: datetime, has_newer: bool) -> _Late:
    """Split the late occurrences up to ``newest`` into those to decide about and rows for the missed ones.

    What is older than the catch-up window is missed under every policy. ``latest`` runs the newest one only if nothing newer
    is on time: that one brings the work up to date by itself.
    """
    start = schedule.next_nominal_at - INSTANT
    forgotten = _forgotten(schedule, newest, now=now)
    recent_from = forgotten.nominal_at if forgotten else start
    chosen = _chosen(schedule, newest, after=recent_from, has_newer=has_newer)
    stretches = []
    if forgotten:
        stretches.append((start, forgotten, _FORGOTTEN.format(_seconds(schedule.catchup_window))))
    why = _NO_BEAT.format(_seconds(schedule.grace))
    if schedule.misfire is Misfire.ALL:
        stretches.append((chosen[-1].nominal_at if chosen else recent_from, newest, why))
    else:
        before = (
            schedule.timetable.newest_due(after=recent_from, until=chosen[0].nominal_at - INSTANT)
            if chosen
            else newest
        )
        if before is not None:
            stretches.append((recent_from, before, why))
        if chosen:
            stretches.append((chosen[0].nominal_at, newest, why))
    missed: list[PlannedRun] = []
    skipped: list[Occurrence] = []
    if schedule.misfire is Misfire.ALL and chosen:
        skipped.extend(_left_out(schedule, after=recent_from, until=chosen[-1].nominal_at))
    for after, until, reason in stretches:
        spare = MISSED_ROWS_MAX - sum(1 for row in missed if row.count == 1)
        skipped.extend(_left_out(schedule, after=after, until=until.nominal_at))
        missed.extend(_missed(schedule, after=after, until=until, n_singly=max(spare, 0), reason=reason))
    return _Late(decided=(*chosen, *skipped), missed=tuple(missed))


def _forgotten(schedule: ScheduleFacts, newest: Occurrence, *, now: datetime) -> Occurrence | None:
    """Return the newest late occurrence that is older than the catch-up window, which is never shorter than the grace."""
    if schedule.catchup_window is None:
        return None
    until = now - max(schedule.catchup_window, schedule.grace) - INSTANT
    if newest.due_at <= until:
        return newest
    return schedule.timetable.newest_due(after=schedule.next_nominal_at - INSTANT, until=until)


def _chosen(
    schedule: ScheduleFacts, newest: Occurrence, *, after: datetime, has_newer: bool
) -> list[Occurrence]:
    """Return the late occurrences after ``after`` that run: all up to a limit, oldest first, or the newest, or none."""
    timetable, skips = schedule.timetable, schedule.skips
    if schedule.misfire is Misfire.ALL:
        late = _due(timetable, after=after, until=newest.due_at)
        wanted = (occurrence for occurrence in late if occurrence.nominal_at not in skips)
        return list(itertools.islice(wanted, schedule.catchup_max))
    if schedule.misfire is Misfire.NONE or has_newer:
        return []
    found: Occurrence | None = newest
    while found is not None and found.nominal_at > after and found.nominal_at in skips:
        found = timetable.newest_due(after=after, until=found.nominal_at - INSTANT)
    return [] if found is None or found.nominal_at <= after else [found]


def _left_out(schedule: ScheduleFacts, *, after: datetime, until: datetime) -> list[Occurrence]:
    """Return the occurrences of a stretch that a person decided to skip."""
    found = []
    for nominal_at in sorted(schedule.skips):
        if after < nominal_at <= until:
            occurrence = schedule.timetable.first(nominal_at - INSTANT)
            if occurrence is not None and occurrence.nominal_at == nominal_at:
                found.append(occurrence)
    return found


def _missed(
    schedule: ScheduleFacts, *, after: datetime, until: Occurrence, n_singly: int, reason: str
) -> Iterator[PlannedRun]:
    """Yield rows for the occurrences nominally after ``after`` up to ``until``: up to ``n_singly`` one by one, then one for the rest."""
    last = after
    for occurrence in itertools.islice(schedule.timetable.after(after), n_singly):
        if occurrence.nominal_at > until.nominal_at:
            return
        last = occurrence.nominal_at
        if last not in schedule.skips:
            yield missed_row(schedule, occurrence, reason=reason)
    if last < until.nominal_at:
        yield from _rest(schedule, after=last, until=until, reason=reason)


def _rest(
    schedule: ScheduleFacts, *, after: datetime, until: Occurrence, reason: str
) -> Iterator[PlannedRun]:
    """Yield one row for the occurrences nominally after ``after`` up to ``until``, without those that a person skipped."""
    skipped = {each.nominal_at for each in _left_out(schedule, after=after, until=until.nominal_at)}
    first = schedule.timetable.first(after)
    while first is not None and first.nominal_at in skipped:
        skipped.discard(first.nominal_at)
        first = schedule.timetable.first(first.nominal_at)
    if first is None or first.nominal_at > until.nominal_at:
        return
    n, is_all = _count(schedule.timetable, first=first.nominal_at, last=until.nominal_at)
    count = max(n - len(skipped), 1)
    yield missed_row(schedule, first, reason=reason, count=count, until=until.nominal_at, is_all=is_all)


def _count(timetable: Timetable, *, first: datetime, last: datetime) -> tuple[int, bool]:
    """Return how many occurrences there are from one nominal time to another, and whether these are all of them."""
    if isinstance(timetable.rule, IntervalRule):
        return (last - first) // timetable.rule.every + 1, True
    if isinstance(timetable.rule, CrontabRule):
        return n_fires_over(timetable.rule, first, last + INSTANT, most_days=MISSED_DAYS_MAX)
    counted = upcoming(timetable.rule, first, MISSED_COUNT_MAX)
    n = bisect.bisect_right(counted, last)
    return n + 1, n < MISSED_COUNT_MAX


def _rows(
    schedule: ScheduleFacts, occurrences: list[Occurrence], *, is_active: bool, n_waiting: int
) -> tuple[list[PlannedRun], bool]:
    """Return a row for each occurrence until no run is left, and whether none is left; only runs count."""
    left = None if schedule.max_runs is None else max(schedule.max_runs - schedule.runs_created, 0)
    rows: list[PlannedRun] = []
    newest = _newest_wanted(schedule, occurrences)
    for occurrence in occurrences:
        if left == 0:
            break
        reason = schedule.skips.get(occurrence.nominal_at, "")
        if reason:
            rows.append(skipped_row(schedule, occurrence, reason=reason))
            continue
        state, reason = _overlap(
            schedule, is_active=is_active, n_waiting=n_waiting, is_newest=occurrence == newest
        )
        if state is RunState.SKIPPED:
            rows.append(skipped_row(schedule, occurrence, reason=reason, is_blocked=True))
            continue
        is_active, n_waiting = True, n_waiting + (state is RunState.WAITING)
        left = None if left is None else left - 1
        rows.append(run_row(schedule, occurrence, state=state, reason=reason))
    return rows, left == 0


def _newest_wanted(schedule: ScheduleFacts, occurrences: list[Occurrence]) -> Occurrence | None:
    wanted = (each for each in reversed(occurrences) if each.nominal_at not in schedule.skips)
    return next(wanted, None)


def _overlap(
    schedule: ScheduleFacts, *, is_active: bool, n_waiting: int, is_newest: bool
) -> tuple[RunState, str]:
    """Return what the overlap policy makes of one time, and why."""
    if schedule.overlap is Overlap.CANCEL_PREVIOUS and not is_newest:
        return RunState.SKIPPED, SUPERSEDED
    if not is_active or schedule.overlap is Overlap.ALLOW:
        return RunState.PENDING, ""
    if schedule.overlap is Overlap.SKIP:
        return RunState.SKIPPED, OVERLAPPED
    if schedule.overlap is Overlap.CANCEL_PREVIOUS:
        return RunState.WAITING, CANCELLING
    if n_waiting >= schedule.queue_max:
        return RunState.SKIPPED, QUEUE_FULL.format(n_waiting)
    return RunState.WAITING, QUEUED


def _chained(rows: tuple[PlannedRun, ...], *, before: datetime | None) -> tuple[PlannedRun, ...]:
    """Give each row the nominal time before its own; missed rows come first, as they were made."""
    ordered = sorted(rows, key=lambda row: row.nominal_at)
    previous: dict[str, datetime | None] = {}
    for row in ordered:
        previous[row.key] = before
        before = max(before or row.nominal_at, row.covers_until or row.nominal_at)
    return tuple(replace(row, previous_nominal_at=previous[row.key]) for row in rows)


def _last_of(rows: tuple[PlannedRun, ...]) -> datetime | None:
    return max((row.covers_until or row.nominal_at for row in rows), default=None)


def _seconds(duration: timedelta | None) -> int:
    return 0 if duration is None else int(duration.total_seconds())
