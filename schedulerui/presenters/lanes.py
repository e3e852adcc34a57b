"""A day as lanes: one for each of the busiest or chosen schedules, with what ran as bars and what is to come as marks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import islice, takewhile

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.facts import RunState
from schedulerui.models import Run, Schedule
from schedulerui.presenters.moments import stamp
from schedulerui.presenters.schedules import why_no_next
from schedulerui.presenters.states import state_of
from schedulerui.recurrence import CrontabRule, RuleError
from schedulerui.recurrence.load import by_quarter

LANES = 30
LOOKED_AT = 3_000
"""Newest runs of the stretch that say which schedules are the busiest, and that are drawn."""
MOST_COUNTED = 1_000
"""Schedules that match, up to which they are counted."""
MARKS = 100
"""Most coming times drawn one by one in a lane; more of them become bands."""
QUARTER = timedelta(minutes=15)
WIDTH = 1_000
"""Units of the drawing from its left to its right edge."""
THINNEST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One run: where it begins and how long it took, in units of the drawing; ``title`` says it in words."""

    x: float
    width: float
    family: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of coming times that are too many to be drawn one by one."""

    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One schedule: its bars, and the marks of its coming times or the bands of many."""

    pk: int
    name: str
    bars: tuple[Bar, ...]
    marks: tuple[float, ...]
    bands: tuple[Band, ...]
    sentence: str
    """The same for those who do not see the drawing."""
    why_none: str = ""
    """Why it has no next run, where it has none."""

    @property
    def drawing(self) -> SafeString:
        """The bars, bands and marks, written without a template: a day has thousands."""
        return SafeString(
            "".join(
                [*map(_bar_drawn, self.bars), *map(_band_drawn, self.bands), *map(_mark_drawn, self.marks)]
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The lanes that are drawn, of how many there are, and since when runs are drawn in them (None: all of the stretch)."""

    drawn: tuple[Lane, ...]
    n_all: int
    is_capped: bool = False
    """Whether there are more than ``n_all``."""
    since: datetime | None = None


def lanes_of(
    schedules: QuerySet[Schedule],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    is_chosen: bool,
    runs: QuerySet[Run] | None = None,
) -> Lanes:
    """Return at most ``LANES`` lanes: of the ``schedules`` if they were chosen, else of the busiest among them.

    ``runs``: the only ones that are looked at, and of those ``LOOKED_AT``. Three queries, two where no more were chosen than are
    drawn.
    """
    known = Run.objects.all() if runs is None else runs
    runs = known.filter(due_at__gte=start, due_at__lt=min(end, now), schedule__isnull=False)
    columns = ("schedule_id", "state", "due_at", "started_at", "finished_at")
    shown = schedules.only(*COLUMNS)
    if is_chosen:
        rows = list(shown.order_by("next_run_at", "id")[: LANES + 1])
        n_all = len(rows) if len(rows) <= LANES else schedules.order_by()[: MOST_COUNTED + 1].count()
        rows = rows[:LANES]
        ids, is_capped = [row.pk for row in rows], False
    else:
        # Their keys first: a day's moments of all schedules take longer to read than all the rest.
        often = Counter(runs.order_by("-due_at").values_list("schedule_id", flat=True)[:LOOKED_AT])
        n_all, is_capped = len(often), often.total() == LOOKED_AT
        ids = [pk for pk, _n in often.most_common(LANES)]
        by_id = {row.pk: row for row in shown.filter(pk__in=ids)}
        rows = [by_id[pk] for pk in ids if pk in by_id]
    told = list(runs.filter(schedule__in=ids).order_by("-due_at").values_list(*columns)[:LOOKED_AT])
    scale = _Scale(start=start, end=end)
    of_each: dict[int | None, list[Told]] = defaultdict(list)
    for run in told:
        of_each[run[0]].append(run)
    return Lanes(
        drawn=tuple(_lane(row, of_each[row.pk], scale=scale, now=now) for row in rows),
        n_all=min(n_all, MOST_COUNTED),
        is_capped=is_capped or n_all > MOST_COUNTED,
        since=told[-1][2] if len(told) == LOOKED_AT else None,
    )


COLUMNS = (
    "uuid", "name", "enabled", "kind", "expression", "semantics", "tz", "every", "period", "anchor_at", "clocked_at_utc",
    "clocked_at_local", "solar_event", "latitude", "longitude", "start_at", "end_at", "jitter", "next_run_at", "error", "paused_at",
)  # fmt: skip
Told = tuple[int | None, str, datetime, datetime | None, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)


def _bar_drawn(bar: Bar) -> str:
    y, height = (1, 18) if bar.family == "fail" else (4, 12)
    return rect(
        f"bar bar--{bar.family}",
        x=bar.x,
        y=y,
        width=bar.width,
        height=height,
        more=f"<title>{escape(bar.title)}</title>",
    )


def _band_drawn(band: Band) -> str:
    return rect("mark mark--many", x=band.x, y=6, width=band.width, height=8)


def _mark_drawn(x: float) -> str:
    return f'<path class="mark" d="M{x:.1f} 5v10"/>'


def rect(names: str, *, x: float, y: float, width: float, height: float, more: str = "") -> str:
    """Return a rectangle of a drawing; ``more`` is markup in it."""
    drawn = f'<rect class="{names}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}"'
    return f"{drawn}>{more}</rect>" if more else f"{drawn}/>"


def now_line(*, start: datetime, end: datetime, now: datetime) -> float | None:
    """Return where the present stands in the drawing; None when it is not in it."""
    return _Scale(start=start, end=end).x(now) if start <= now < end else None


def _lane(schedule: Schedule, runs: Sequence[Told], *, scale: _Scale, now: datetime) -> Lane:
    bars = tuple(_bar(run, scale=scale, now=now) for run in reversed(runs))
    coming = _coming(schedule, after=now, until=scale.end)
    bands = _bands(schedule, coming[0], scale=scale) if len(coming) == MARKS else ()
    return Lane(
        pk=schedule.pk,
        name=schedule.name,
        bars=bars,
        marks=() if bands else tuple(scale.x(moment) for moment in coming),
        bands=bands,
        sentence=_sentence(runs, len(coming)),
        why_none=_why_none(schedule),
    )


def _bar(run: Told, *, scale: _Scale, now: datetime) -> Bar:
    _schedule, state, due_at, started_at, finished_at = run
    first = started_at or due_at
    last = now if state == RunState.STARTED else finished_at or first
    x = scale.x(first)
    word = state_of(state)
    return Bar(
        x=min(x, WIDTH - THINNEST),
        width=max(round(scale.x(last) - x, 1), THINNEST),
        family=word.family,
        title=f"{stamp(due_at)}: {word.word}",
    )


def _why_none(schedule: Schedule) -> str:
    is_paused = not schedule.enabled and schedule.paused_at is not None
    return _("Paused") if is_paused else why_no_next(schedule)


def _coming(schedule: Schedule, *, after: datetime, until: datetime) -> Sequence[datetime]:
    if schedule.next_run_at is None:
        return ()
    try:
        occurrences = schedule.timetable().after(after)
        due = (occurrence.due_at for occurrence in occurrences)
        return list(islice(takewhile(lambda moment: moment < until, due), MARKS))
    except (RuleError, ValueError, TypeError):
        return ()


def _bands(schedule: Schedule, first: datetime, *, scale: _Scale) -> tuple[Band, ...]:
    """Return where a schedule of many times has any: all the rest for an interval, quarters of an hour for a crontab."""
    until = min(scale.end, schedule.end_at or scale.end)
    rule = schedule.timetable().rule
    if isinstance(rule, CrontabRule):
        quarters = (at for at, _n in by_quarter(rule, start=first - QUARTER, end=until))
        stretches = _joined((max(at, first), min(at + QUARTER, until)) for at in quarters)
    else:
        stretches = [(first, until)]
    found = ((scale.x(start), scale.x(end)) for start, end in stretches)
    return tuple(Band(x=x, width=round(end - x, 1)) for x, end in found if end > x)


def _joined(stretches: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the stretches in order, those that touch as one."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in stretches:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _sentence(runs: Sequence[Told], n_coming: int) -> str:
    counts = Counter(state_of(run[1]).word for run in runs)
    parts = [_("%(n)d %(state)s") % {"n": n, "state": word.lower()} for word, n in counts.most_common()]
    ahead = ngettext("%(n)d to come", "%(n)d to come", n_coming) % {"n": n_coming}
    if n_coming >= MARKS:
        ahead = _("%(n)d or more to come") % {"n": MARKS}
    return ", ".join([*parts, ahead])


def hours_between(start: datetime, end: datetime, *, every: timedelta) -> list[tuple[float, datetime]]:
    """Return (place in the drawing, moment) of each line of the scale."""
    scale, found, at = _Scale(start=start, end=end), [], start
    while at < end:
        found.append((scale.x(at), at))
        at += every
    return found
