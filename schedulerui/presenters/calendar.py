"""A month of a schedule as beat will dispatch it: how many times on each day of its zone. Asks no database, walks no month."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.utils.formats import date_format

from schedulerui.models import Schedule
from schedulerui.presenters.moments import zone_of
from schedulerui.recurrence.counting import n_fires
from schedulerui.recurrence.walltime import midnight
from schedulerui.recurrence.window import INSTANT, Timetable

MONTHS_AHEAD = 12
"""How far from this month the calendar goes."""
TOO_LONG = 10_000
"""The first number of times that does not fit into a day's width."""
DAY = timedelta(days=1)
WEEK = 7
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day and how many times are planned on it: those that will run, and those that somebody has skipped."""

    day: date
    n: int = 0
    n_skipped: int = 0
    is_past: bool = False
    is_today: bool = False

    @property
    def thousands(self) -> int:
        """Full thousands where the number itself is too long for a day's width, else 0."""
        return self.n // 1_000 if self.n >= TOO_LONG else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Weeks from Monday on, None where a week belongs to a neighbour; ``before`` and ``after`` are addresses' values or empty."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]
    before: str
    after: str

    @property
    def words(self) -> str:
        """Its name and year."""
        return date_format(self.first, "F Y")

    @property
    def weekdays(self) -> list[str]:
        """The short names of the days of a week."""
        monday = date(2026, 3, 2)
        return [date_format(monday + n * DAY, "D") for n in range(WEEK)]

    @property
    def n(self) -> int:
        """How many times will run in this month, from now on."""
        return sum(day.n for week in self.weeks for day in week if day)


def month_asked(text: str, *, today: date) -> date:
    """Return the first day of the month "2026-11"; of this month for what is none or lies too far away."""
    this = today.replace(day=1)
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < this.year:  # noqa: PLR2004 - months of a year
        return this
    asked = date(int(found[1]), int(found[2]), 1)
    return asked if this <= asked <= _months_on(this, MONTHS_AHEAD) else this


def month_of(schedule: Schedule, first: date, *, now: datetime) -> Month:
    """Return the month that begins with ``first``; raises ValueError for a row whose rule cannot be read."""
    today = now.astimezone(zone_of(schedule.tz)).date()
    this, following = today.replace(day=1), _months_on(first, 1)
    timetable = schedule.timetable()
    counts = _counts(schedule, timetable, first, following, now=now)
    days: list[Day | None] = [None] * first.weekday()
    for n in range((following - first).days):
        day = first + n * DAY
        n_planned, n_skipped = counts.get(day, (0, 0))
        days.append(
            Day(
                day=day, n=n_planned, n_skipped=n_skipped, is_past=day < today, is_today=day == today,
            )
        )  # fmt: skip
    days += [None] * (-len(days) % WEEK)
    return Month(
        first=first,
        weeks=tuple(tuple(days[n : n + WEEK]) for n in range(0, len(days), WEEK)),
        before=_text(_months_on(first, -1)) if first > this else "",
        after=_text(following) if following <= _months_on(this, MONTHS_AHEAD) else "",
    )


def _counts(
    schedule: Schedule, timetable: Timetable, first: date, following: date, *, now: datetime
) -> Mapping[date, tuple[int, int]]:
    """Return the nominal times of each day as (will run, skipped), up to the most runs that the schedule may still have."""
    after = timetable.resume_after(now=now, unaccounted_from=schedule.next_nominal_at) + INSTANT
    n_left = None
    day = first
    if schedule.max_runs is not None:
        n_left = max(schedule.max_runs - schedule.runs_created, 0)
        day = after.astimezone(zone_of(schedule.tz)).date()  # the runs before this month count too
    skips = [at for at in schedule.skipped() if timetable.has(at)]
    found = {}
    while day < following:
        start, end = midnight(day, schedule.tz), midnight(day + DAY, schedule.tz)
        n = n_fires(timetable.rule, *_inside(timetable, max(start, after), end))
        n_skipped = min(n, sum(1 for at in skips if max(start, after) <= at < end))
        n_runs = n - n_skipped if n_left is None else min(n - n_skipped, n_left)
        if n_left is not None:
            n_left -= n_runs
        found[day] = (n_runs, n_skipped)
        day += DAY
    return found


def _inside(timetable: Timetable, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the part of a stretch that lies in the window; both of the window's ends belong to it."""
    if timetable.start_at is not None:
        start = max(start, timetable.start_at)
    if timetable.end_at is not None:
        end = min(end, timetable.end_at + INSTANT)
    return start.astimezone(UTC), end.astimezone(UTC)


def _months_on(first: date, n: int) -> date:
    months = first.year * 12 + first.month - 1 + n
    return date(months // 12, months % 12 + 1, 1)


def _text(first: date) -> str:
    return f"{first:%Y-%m}"
