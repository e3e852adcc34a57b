"""How much ran and how much is to come in each stretch of time: counts for pictures, bounded however many schedules there are."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Min

from schedulerui.facts import RunState
from schedulerui.models import Run, Schedule
from schedulerui.presenters.overview import FAILING
from schedulerui.recurrence import CrontabRule, RuleError, SolarRule, parse_rule, upcoming
from schedulerui.recurrence.load import by_quarter

MOST_RULES = 2_000
"""Most different rules that are counted; the most common ones."""
MOST_MOMENTS = 5_000
"""Most single moments (once, solar) that are counted."""
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One stretch of time and what happened or is to happen in it; ``planned`` counts from now on only."""

    start: datetime
    end: datetime
    planned: int = 0
    ran: int = 0
    failed: int = 0
    missed: int = 0
    skipped: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.planned or self.ran or self.failed or self.missed or self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All stretches in order, and how many rules were left out of ``planned``."""

    stretches: tuple[Stretch, ...]
    n_rules: int
    n_left_out: int

    @property
    def most(self) -> int:
        """The largest number of runs in one stretch, at least 1."""
        return max([1, *(each.planned + each.ran for each in self.stretches)])


def load_of(edges: Sequence[datetime], *, now: datetime) -> Load:
    """Return the stretches between the edges (aware, ascending, at least two); seven queries."""
    planned, n_rules, n_left_out = _planned(edges, now=now)
    past = [edge for edge in edges if edge < now]
    told = _past(past, until=min(edges[-1], now)) if past else {}
    stretches = [
        Stretch(
            start=start,
            end=end,
            planned=round(planned[n]),
            **{name: counts[n] if n < len(counts) else 0 for name, counts in told.items()},
        )
        for n, (start, end) in enumerate(itertools.pairwise(edges))
    ]
    return Load(stretches=tuple(stretches), n_rules=n_rules, n_left_out=n_left_out)


def _past(starts: Sequence[datetime], *, until: datetime) -> Mapping[str, list[int]]:
    edges = [*starts, until] if starts[-1] < until else list(starts)
    decided = [str(RunState.SKIPPED), str(RunState.MISSED)]
    skipped, missed = (Run.objects.tally(edges, states=[state]) for state in decided)
    failed = Run.objects.tally(edges, states=FAILING)
    all_of_them = Run.objects.tally(edges)
    ran = [n - s - m for n, s, m in zip(all_of_them, skipped, missed, strict=True)]
    return {"ran": ran, "failed": failed, "missed": missed, "skipped": skipped}


def _planned(edges: Sequence[datetime], *, now: datetime) -> tuple[list[float], int, int]:
    counts = [0.0] * (len(edges) - 1)
    start, end = max(edges[0], now), edges[-1]
    if start >= end:
        return counts, 0, 0
    on = Schedule.objects.filter(next_run_at__isnull=False).order_by()
    n_rules, n_left_out = _add_crontabs(counts, edges, on, start=start)
    n_rules += _add_intervals(counts, edges, on, start=start)
    _add_moments(counts, edges, on.filter(kind="clocked", next_run_at__gte=start, next_run_at__lt=end))
    n_rules += _add_solar(counts, edges, on, start=start)
    return counts, n_rules, n_left_out


def _add_crontabs(
    counts: list[float], edges: Sequence[datetime], on: object, *, start: datetime
) -> tuple[int, int]:
    groups = (
        on.filter(kind="crontab")  # type: ignore[attr-defined] # a queryset, whose stubs do not know values() after order_by()
        .values_list("expression", "tz", "semantics")
        .annotate(n=Count("pk"), first=Min("pk"))
        .order_by("-n", "first")
    )
    rows = list(groups[: MOST_RULES + 1])
    for expression, tz, semantics, n_schedules, first in rows[:MOST_RULES]:
        rule = _rule(kind="crontab", expression=expression, tz=tz, semantics=semantics, seed=str(first))
        if not isinstance(rule, CrontabRule):
            continue
        found = [(at, n * n_schedules) for at, n in by_quarter(rule, start=start, end=edges[-1])]
        if "H" in expression and n_schedules > 1:  # each of them has its own minute: all over the stretch
            _spread(counts, edges, sum(n for _at, n in found), start=start)
            continue
        for at, n in found:
            _add(counts, edges, at, n)
    return min(len(rows), MOST_RULES), max(len(rows) - MOST_RULES, 0)


def _add_intervals(counts: list[float], edges: Sequence[datetime], on: object, *, start: datetime) -> int:
    groups = list(
        on.filter(kind="interval").values_list("every", "period").annotate(n=Count("pk"))[:MOST_RULES]  # type: ignore[attr-defined] # as above
    )
    length = (edges[-1] - start).total_seconds()
    for every, period, n in groups:
        seconds = (every or 0) * SECONDS.get(period, 0)
        if seconds:
            _spread(counts, edges, n * length / seconds, start=start)
    return len(groups)


def _add_moments(counts: list[float], edges: Sequence[datetime], schedules: object) -> None:
    for at in schedules.values_list("next_run_at", flat=True)[:MOST_MOMENTS]:  # type: ignore[attr-defined] # as above
        _add(counts, edges, at, 1)


def _add_solar(counts: list[float], edges: Sequence[datetime], on: object, *, start: datetime) -> int:
    columns = ("solar_event", "latitude", "longitude", "tz")
    groups = list(on.filter(kind="solar").values_list(*columns).annotate(n=Count("pk"))[:50])  # type: ignore[attr-defined] # as above
    for event, latitude, longitude, tz, n in groups:
        fields = {"event": event, "latitude": latitude, "longitude": longitude}
        rule = _rule(kind="solar", tz=tz, fields=fields)
        if isinstance(rule, SolarRule):
            for at in _until(upcoming(rule, start, 45), edges[-1]):
                _add(counts, edges, at, n)
    return len(groups)


def _until(moments: Iterable[datetime], end: datetime) -> list[datetime]:
    return [moment for moment in moments if moment < end]


def _add(counts: list[float], edges: Sequence[datetime], at: datetime, n: float) -> None:
    place = bisect.bisect_right(edges, at) - 1
    if 0 <= place < len(counts):
        counts[place] += n


def _spread(counts: list[float], edges: Sequence[datetime], n: float, *, start: datetime) -> None:
    """Add ``n`` evenly from ``start`` to the last edge."""
    length = (edges[-1] - start) / timedelta(seconds=1)
    for place, (first, last) in enumerate(itertools.pairwise(edges)):
        share = (last - max(first, start)) / timedelta(seconds=1)
        if share > 0:
            counts[place] += n * share / length


def _rule(**spec: object) -> object:
    whole = {"semantics": "celery-and", "expression": "", "fields": {}, "seed": "", **spec}
    try:
        return parse_rule(whole)
    except RuleError:
        return None


def edges_between(start: datetime, end: datetime, *, step: timedelta) -> list[datetime]:
    """Return moments from ``start`` to ``end`` in equal steps; the last one is ``end``."""
    edges, at = [], start.astimezone(UTC)
    while at < end:
        edges.append(at)
        at += step
    return [*edges, end.astimezone(UTC)]
