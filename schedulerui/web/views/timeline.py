"""The timeline: a day in lanes, a week or a month in cells; what ran, what is planned, how much at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from schedulerui import clock
from schedulerui.access import is_limited, visible
from schedulerui.facts import FAILING
from schedulerui.models import Run, Schedule
from schedulerui.models.run import RunQuerySet
from schedulerui.presenters import lanes
from schedulerui.presenters.load import Load, Stretch, edges_between, load_of
from schedulerui.presenters.moments import zone_shown
from schedulerui.web.decorators import gate
from schedulerui.web.filters import ScheduleFilter

SPANS: tuple[tuple[str, Any], ...] = (("24h", _("24 hours")), ("7d", _("7 days")), ("month", _("Month")))
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
HEIGHT = 60
"""Height of the load strip in units of its drawing."""
FARTHEST = 10 * 366 * DAY
"""How far from today the timeline goes."""
PER_DAY = 4
"""Cells for each day of a week."""
OF_CELL = {
    "ran": "-state:skipped,missed", "failed": f"state:{','.join(FAILING)}", "missed": "state:missed", "skipped": "state:skipped",
}  # fmt: skip
"""What each number of a cell counts, as the list of runs is asked for it."""
MONDAY = date(2026, 3, 2)
"""Any Monday: the first column of a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is looked at: from start to end (UTC), as days of one zone."""

    span: str
    day: date
    zone: tzinfo
    start: datetime
    end: datetime

    @classmethod
    def of(cls, span: str, day: date, zone: tzinfo) -> Window:
        """Return the day, the seven days around it, or its month."""
        first, n_days = day, 1
        if span == "7d":
            first, n_days = day - 3 * DAY, 7
        elif span == "month":
            first = day.replace(day=1)
            n_days = ((first + 31 * DAY).replace(day=1) - first).days
        start, end = (datetime.combine(each, time(), tzinfo=zone) for each in (first, first + n_days * DAY))
        return cls(span=span, day=day, zone=zone, start=start.astimezone(UTC), end=end.astimezone(UTC))

    @property
    def before(self) -> date:
        """A day of the window before this one."""
        if self.span == "month":
            return self.day.replace(day=1) - DAY
        return self.day - (7 if self.span == "7d" else 1) * DAY

    @property
    def after(self) -> date:
        """A day of the window after this one."""
        if self.span == "month":
            return (self.day.replace(day=1) + 31 * DAY).replace(day=1)
        return self.day + (7 if self.span == "7d" else 1) * DAY

    def days(self) -> list[date]:
        """Return the days of the window in its zone."""
        first, last = self.start.astimezone(self.zone).date(), self.end.astimezone(self.zone).date()
        return [first + n * DAY for n in range((last - first).days)]


@gate("view", methods=("GET", "HEAD"))
def timeline(request: HttpRequest) -> HttpResponse:
    """Answer the page; ``span`` and ``day`` say what is shown, the list's filter whose lanes."""
    now = clock.now()
    window = _window(request, now)
    context: dict[str, Any] = {
        "window": window,
        "spans": [(name, label, _link(request, span=name, day=window.day)) for name, label in SPANS],
        "before": _link(request, span=window.span, day=window.before),
        "after": _link(request, span=window.span, day=window.after),
        "today": _link(request, span=window.span, day=None),
        "day_words": date_format(window.day, "F Y" if window.span == "month" else str(_("l j F Y"))),
        "day_value": window.day.isoformat(),
        "now": now,
    }
    context |= _day(request, window, now) if window.span == "24h" else _cells(request, window, now)
    return render(request, "schedulerui/pages/timeline.html", context)


def _window(request: HttpRequest, now: datetime) -> Window:
    here = zone_shown(timezone.get_current_timezone())
    today = now.astimezone(here).date()
    span = request.GET.get("span", "")
    day = today
    try:
        asked = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        asked = today
    if abs(asked - today) <= FARTHEST:
        day = asked
    return Window.of(span if span in dict(SPANS) else "24h", day, here)


def _link(request: HttpRequest, *, span: str, day: date | None) -> str:
    kept = {name: value for name, value in request.GET.items() if name not in {"span", "day"}}
    query = {**kept, "span": span, **({"day": day.isoformat()} if day else {})}
    return f"?{urlencode(query)}"


def _day(request: HttpRequest, window: Window, now: datetime) -> dict[str, Any]:
    asked = request.GET.copy()
    for name in ("span", "day"):
        asked.pop(name, None)
    found = ScheduleFilter(asked, queryset=visible(request.user, Schedule.objects.all()), now=now)
    is_chosen = bool(found.active)
    shown = lanes.lanes_of(
        found.narrowed, start=window.start, end=window.end, now=now, is_chosen=is_chosen, runs=_runs(request)
    )
    load = _load(request, edges_between(window.start, window.end, step=QUARTER), now=now)
    return {
        "filter": found,
        "is_chosen": is_chosen,
        "lanes": shown.drawn,
        "n_lanes": shown.n_all,
        "is_capped": shown.is_capped,
        "drawn_since": f"{shown.since.astimezone(window.zone):%H:%M}" if shown.since else "",
        "n_drawn": lanes.LOOKED_AT,
        "strip": _strip(load),
        "strip_height": HEIGHT,
        "load": load,
        "hours": [
            (x, f"{at.astimezone(window.zone):%H:%M}", _hour(load, n))
            for n, (x, at) in enumerate(lanes.hours_between(window.start, window.end, every=HOUR))
        ],
        "now_x": lanes.now_line(start=window.start, end=window.end, now=now),
        "now_words": f"{now.astimezone(window.zone):%H:%M}",
        "width": lanes.WIDTH,
    }


def _load(request: HttpRequest, edges: Sequence[datetime], *, now: datetime) -> Load:
    """Return what there was and will be to do, of the schedules that the person may know of."""
    known = visible(request.user, Schedule.objects.all())
    return load_of(edges, now=now, schedules=known, runs=_runs(request), is_of_all=not is_limited())


def _runs(request: HttpRequest) -> RunQuerySet | None:
    """Return the runs that the person may know of; None: all."""
    if not is_limited():
        return None
    known: Any = visible(request.user, Run.objects.all())
    return known  # type: ignore[no-any-return] # filtering a RunQuerySet gives one


def _hour(load: Load, n: int) -> Stretch:
    """Return an hour's four quarters as one."""
    quarters = load.stretches[4 * n : 4 * n + 4]
    return _together(quarters)


def _together(parts: tuple[Stretch, ...] | list[Stretch]) -> Stretch:
    return Stretch(
        start=parts[0].start,
        end=parts[-1].end,
        **{
            name: sum(getattr(part, name) for part in parts)
            for name in ("planned", "ran", "failed", "missed", "skipped")
        },
    )


def _strip(load: Load) -> SafeString:
    """Return the bars of the load strip as they are drawn: what ran, what failed of it, what is planned."""
    width, most = lanes.WIDTH / len(load.stretches), load.most
    bars: list[str] = []
    for n, stretch in enumerate(load.stretches):
        ran, failed, planned = (
            round(HEIGHT * value / most, 1) for value in (stretch.ran, stretch.failed, stretch.planned)
        )
        bars += [
            lanes.rect(f"bar bar--{family}", x=n * width, y=top - height, width=width - 1, height=height)
            for family, top, height in (
                ("ok", HEIGHT, ran),
                ("fail", HEIGHT, failed),
                ("plan", HEIGHT - ran, planned),
            )
            if height
        ]
    return SafeString("".join(bars))


def _cells(request: HttpRequest, window: Window, now: datetime) -> dict[str, Any]:
    edges = [window.start]
    for day in window.days():
        midnight = datetime.combine(day, time(), tzinfo=window.zone)
        parts = PER_DAY if window.span == "7d" else 1
        for part in range(1, parts + 1):
            wall = midnight + part * DAY / parts  # wall time: a day of 23 or 25 hours still ends at midnight
            edges.append(wall.astimezone(UTC))
    load = _load(request, edges, now=now)
    cells = [_cell(stretch, window, now) for stretch in load.stretches]
    per_day = PER_DAY if window.span == "7d" else 1
    days = [
        {
            "words": _words(day, window.span),
            "href": _link(request, span="24h", day=day),
            "weekday": date_format(day, "l"),
            "is_today": day == now.astimezone(window.zone).date(),
            "cells": cells[n * per_day : (n + 1) * per_day],
        }
        for n, day in enumerate(window.days())
    ]
    return {
        "load": load,
        "days": days,
        "weekdays": [date_format(MONDAY + n * DAY, "D") for n in range(7)] if window.span == "month" else [],
        "lead_in": range(window.days()[0].weekday() if window.span == "month" else 0),
    }


def _words(day: date, span: str) -> str:
    return str(day.day) if span == "month" else date_format(day, str(_("D j")))


def _cell(stretch: Stretch, window: Window, now: datetime) -> dict[str, Any]:
    home = reverse("schedulerui:runs")
    moments = _moments(stretch, now=now) if stretch.start <= now else {}
    links = {
        name: f"{home}?{urlencode({**moments, 'q': words})}" if moments else ""
        for name, words in OF_CELL.items()
    }
    return {
        "stretch": stretch,
        "hours": f"{stretch.start.astimezone(window.zone):%H:%M} – {stretch.end.astimezone(window.zone):%H:%M}",  # noqa: RUF001 - a range is written with this dash
        "links": links,
        "is_now": stretch.start <= now < stretch.end,
    }


def _moments(stretch: Stretch, *, now: datetime) -> dict[str, str]:
    """Return the filters of the list of runs for a stretch: what is due at its end belongs to the next one."""
    last = min(stretch.end - timedelta(seconds=1), now)
    return {"due_from": f"{stretch.start:%Y-%m-%dT%H:%M}", "due_to": f"{last:%Y-%m-%dT%H:%M:%S}"}
