"""Occurrences against rows: for a recent stretch of time, which times of a schedule have no row at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from schedulerui.conf import settings
from schedulerui.models import Run, Schedule
from schedulerui.planning import occurrence_key
from schedulerui.recurrence.window import INSTANT

WINDOW = timedelta(hours=1)
"""How far back times are compared unless told otherwise."""
TIMES_MAX = 60
"""Most times of a schedule that one comparison of a part of the table looks at, and that one query asks for."""
PAGE = 100
"""Schedules read at once."""
GAPS_MAX = 1_001
"""Gaps after which a comparison ends: there is enough to see."""
NEAR = 30
"""Rows before a time among which the one is that covers it together with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time of a schedule without a row."""

    schedule: int
    name: str
    nominal_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison saw; ``next_after`` is the id to go on after, 0 when it came to the end of the table."""

    gaps: list[Gap]
    n_schedules: int
    next_after: int


def compare(*, now: datetime, after: int, limit: int | None, window: timedelta) -> Compared:
    """Compare up to ``limit`` schedules with ids above ``after``, by their first TIMES_MAX times; None: all, by all times.

    Looked at is what lies after the last edit and before the next run: an edit may have moved what was before it.
    """
    gaps: list[Gap] = []
    n_schedules, last = 0, after
    for schedule in _schedules(after=after, limit=limit):
        n_schedules, last = n_schedules + 1, schedule.pk
        gaps.extend(_gaps(schedule, start=max(now - window, schedule.updated_at), is_complete=limit is None))
        if len(gaps) >= GAPS_MAX:
            break
    is_end = limit is None or n_schedules < limit
    return Compared(gaps=gaps[:GAPS_MAX], n_schedules=n_schedules, next_after=0 if is_end else last)


def readable(schedules: Iterable[int]) -> Iterator[Schedule]:
    """Yield the schedules of these ids; one that cannot be read is left out: the claim puts it aside with the reason."""
    ids = list(schedules)
    try:
        together = list(Schedule.objects.filter(pk__in=ids).order_by("pk"))
    except (ValueError, TypeError, OverflowError, RecursionError):
        together = [schedule for pk in ids for schedule in _one(pk)]
    yield from together


def _one(pk: int) -> list[Schedule]:
    try:
        return list(Schedule.objects.filter(pk=pk))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return []


def _schedules(*, after: int, limit: int | None) -> Iterator[Schedule]:
    """Yield those with a next run, by id."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = Schedule.objects.filter(pk__gt=after, next_run_at__isnull=False).order_by("pk")
        ids = list(page.values_list("pk", flat=True)[:size])
        yield from readable(ids)
        if len(ids) < size:
            return
        after, left = ids[-1], None if left is None else left - size


def _gaps(schedule: Schedule, *, start: datetime, is_complete: bool) -> Iterator[Gap]:
    """Yield the times after ``start`` and before the next run that have no row; nothing for a rule that cannot be read."""
    until = schedule.next_nominal_at
    if until is None or until <= start:
        return
    try:
        times = schedule.timetable().after(start)
        nominal = (time.nominal_at for time in takewhile(lambda time: time.nominal_at < until, times))
        while chunk := list(islice(nominal, TIMES_MAX)):
            yield from _without_row(schedule, chunk)
            if not is_complete:
                return
    except (ValueError, OverflowError):  # RuleError is one: beat puts the row aside and says why
        return


def _without_row(schedule: Schedule, times: list[datetime]) -> Iterator[Gap]:
    keys = {occurrence_key(schedule.uuid, nominal_at=at): at for at in times}
    known = set(Run.objects.filter(key__in=list(keys)).values_list("key", flat=True))
    missing = [at for key, at in keys.items() if key not in known]
    if missing and (kept_since := _kept_since(schedule)):
        missing = [at for at in missing if at > kept_since]
    covered: tuple[datetime, datetime] | None = None
    for at in missing:
        if covered is None or not covered[0] <= at <= covered[1]:
            covered = _covering(schedule, at)
        if covered is None:
            yield Gap(schedule=schedule.pk, name=schedule.name, nominal_at=at)


def _kept_since(schedule: Schedule) -> datetime | None:
    """Return the moment before which runs of this schedule may have been purged for their number."""
    kept = settings().KEEP_RUNS_PER_SCHEDULE
    if not kept:
        return None
    newest = Run.objects.finished().filter(schedule=schedule).newest_first()
    return next(iter(newest.values_list("due_at", flat=True)[kept - 1 : kept]), None)


def _covering(schedule: Schedule, at: datetime) -> tuple[datetime, datetime] | None:
    """Return the stretch of the row that stands for this time and others, None when there is none."""
    due_until = at + timedelta(seconds=schedule.jitter)
    before = Run.objects.filter(schedule=schedule, due_at__lte=due_until).newest_first()
    for first, last in before.values_list("nominal_at", "covers_until")[:NEAR]:
        if first is not None and last is not None and first <= at <= last + INSTANT:
            return first, last
    return None
