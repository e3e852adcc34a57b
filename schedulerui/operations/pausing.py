"""What a pause leaves behind: the columns that say who, why and until when, and one row for the times that fell into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from schedulerui.facts import RunState, Trigger, progress
from schedulerui.models import Run, Schedule
from schedulerui.operations import outcomes
from schedulerui.planning import occurrence_key
from schedulerui.recurrence import IntervalRule, RuleError
from schedulerui.recurrence.window import Occurrence, Timetable

COLUMNS = ("paused_at", "paused_by", "pause_reason", "resume_at")
COUNT_MAX = 10_000
"""Times of a crontab that are counted singly; beyond it the row says "at least"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause that has ended; moments in UTC."""

    began_at: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times that fell into a pause."""

    first: Occurrence
    last_at: datetime
    count: int
    is_lower_bound: bool = False


def end(schedule: Schedule, *, until: datetime) -> Pause | None:
    """Clear the pause's columns on the object and return what it was; None when it was not paused."""
    if schedule.paused_at is None:
        return None
    by, why = schedule.paused_by or "somebody", schedule.pause_reason
    reason = f"paused by {by}: {why}" if why else f"paused by {by}"
    ended = Pause(began_at=schedule.paused_at, until=until, reason=reason)
    schedule.paused_at = schedule.resume_at = None
    schedule.paused_by = schedule.pause_reason = ""
    return ended


def account(schedule: Schedule, pause: Pause, *, accounted_until: datetime | None, now: datetime) -> None:
    """Insert one skipped row for all times in the pause, in the transaction that ends it; none when there were none."""
    row = row_of(schedule, pause, accounted_until=accounted_until, now=now)
    if row is None or Run.objects.filter(key=row.key).exists():
        return
    row.save(force_insert=True)
    outcomes.note_decisions([row])


def row_of(
    schedule: Schedule, pause: Pause, *, accounted_until: datetime | None, now: datetime
) -> Run | None:
    """Return the row for all times in the pause, not saved; None when there were none. No I/O."""
    try:
        times = _times(schedule.timetable(), pause, accounted_until=accounted_until)
    except RuleError:  # the schedule's own row says so
        return None
    return None if times is None else _row(schedule, times, reason=pause.reason, now=now)


def _times(timetable: Timetable, pause: Pause, *, accounted_until: datetime | None) -> Times | None:
    # A time before the pause that its jitter had put off into it belongs to it too.
    after = timetable.resume_after(now=pause.began_at, unaccounted_from=pause.began_at - timetable.jitter)
    after = max(after, accounted_until or after)
    first = timetable.first(after)
    if first is None or first.nominal_at > pause.until:
        return None
    if isinstance(timetable.rule, IntervalRule):
        every = timetable.rule.every
        last_until = pause.until if timetable.end_at is None else min(pause.until, timetable.end_at)
        further = max((last_until - first.nominal_at) // every, 0)
        return Times(first=first, last_at=first.nominal_at + further * every, count=further + 1)
    inside = takewhile(lambda time: time.nominal_at <= pause.until, timetable.after(after))
    counted = list(islice(inside, COUNT_MAX))
    if len(counted) < COUNT_MAX:
        return Times(first=first, last_at=counted[-1].nominal_at, count=len(counted))
    return Times(first=first, last_at=pause.until, count=COUNT_MAX, is_lower_bound=True)


def _row(schedule: Schedule, times: Times, *, reason: str, now: datetime) -> Run:
    at_least = " (at least so many times)" if times.is_lower_bound else ""
    return Run(
        key=occurrence_key(schedule.uuid, nominal_at=times.first.nominal_at),
        schedule=schedule,
        schedule_name=schedule.name,
        schedule_version=schedule.version,
        trigger=Trigger.SCHEDULE,
        nominal_at=times.first.nominal_at,
        due_at=times.first.due_at,
        covers_until=times.last_at if times.count > 1 else None,
        count=times.count,
        state=RunState.SKIPPED,
        progress=progress(RunState.SKIPPED),
        reason=f"{reason}{at_least}"[:500],
        task=schedule.task,
        queue=schedule.queue,
        created_at=now,
        finished_at=now,
    )


def before(moment: datetime) -> datetime:
    """Return the last instant before a moment: a time that falls on the end of a pause runs."""
    return moment - timedelta(microseconds=1)
