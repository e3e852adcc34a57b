"""How much is planned in each quarter of an hour of the next day: a strip of bars, and the same hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from schedulerui.models import Schedule
from schedulerui.presenters.load import Load, Stretch, edges_between, load_of
from schedulerui.presenters.moments import zone_shown
from schedulerui.presenters.remembered import N_CHEAP, Remembered

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
PER_HOUR = 4
MARKS_EVERY = 6
"""Hours between two marks below the strip."""
WIDTH, HEIGHT = 960, 60
"""Size of the drawing in its own units."""

REMEMBERED: Remembered[Load] = Remembered("load", is_cheap=lambda load: load.n_schedules <= N_CHEAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One quarter of an hour that holds runs, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour by its beginning on the wall and the runs planned in it."""

    words: str
    planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStrip:
    """The next day; ``n_left_out``: rules that were not counted, because there are so many."""

    bars: tuple[Bar, ...]
    hours: tuple[Hour, ...]
    zone: str
    total: int
    most: int
    busiest: str
    """The quarter with the most runs, by its beginning."""
    n_left_out: int

    @property
    def marks(self) -> tuple[Hour, ...]:
        """The hours that are named below the strip."""
        return self.hours[::MARKS_EVERY]

    @property
    def sentence(self) -> str:
        """All of it in words, for those who do not see the strip."""
        if not self.total:
            return _("Nothing is planned for the next 24 hours.")
        total, most = (number_format(n, use_l10n=True, force_grouping=True) for n in (self.total, self.most))
        return _(
            "%(total)s runs are planned in 24 hours; the most in a quarter of an hour are %(most)s, at %(at)s (%(zone)s)."
        ) % {"total": total, "most": most, "at": self.busiest, "zone": self.zone}


def load_ahead(schedules: QuerySet[Schedule], *, now: datetime) -> Load:
    """Return what is planned from the beginning of this quarter of an hour on, for 24 hours; two queries."""
    start = quarter_of(now)
    return load_of(edges_between(start, start + DAY, step=QUARTER), now=start, schedules=schedules)


def quarter_of(now: datetime) -> datetime:
    """Return the beginning of the quarter of an hour of ``now``."""
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def strip_of(load: Load, *, zone: tzinfo) -> LoadStrip:
    """Return the strip, its times in the zone that the person has chosen, or else in ``zone``."""
    shown = zone_shown(zone)
    quarters = load.stretches
    largest = max(quarters, key=lambda each: each.planned)
    return LoadStrip(
        bars=_bars(quarters, most=load.most),
        hours=tuple(
            Hour(words=f"{four[0].start.astimezone(shown):%H:%M}", planned=sum(each.planned for each in four))
            for four in (quarters[n : n + PER_HOUR] for n in range(0, len(quarters), PER_HOUR))
        ),
        zone=str(shown),
        total=sum(each.planned for each in quarters),
        most=largest.planned,
        busiest=f"{largest.start.astimezone(shown):%H:%M}",
        n_left_out=load.n_left_out,
    )


def _bars(quarters: tuple[Stretch, ...], *, most: int) -> tuple[Bar, ...]:
    width = WIDTH / len(quarters)
    heights = [round(HEIGHT * each.planned / most, 1) for each in quarters]
    return tuple(
        Bar(
            x=round(n * width, 1),
            y=HEIGHT - max(height, 1.0),
            width=round(width - 1, 1),
            height=max(height, 1.0),
        )
        for n, height in enumerate(heights)
        if quarters[n].planned
    )
