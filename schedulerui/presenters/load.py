"""How much ran and how much is to come in each stretch of time: counts for pictures, bounded however many schedules there are."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, Min, QuerySet

from schedulerui.facts import FAILING, RunState
from schedulerui.models import Run, Schedule
from schedulerui.models.run import RunQuerySet
from schedulerui.presenters.remembered import N_CHEAP, Look, Remembered
from schedulerui.recurrence import CrontabRule, RuleError, SolarRule, parse_rule, upcoming
from schedulerui.recurrence.load import by_quarter
from schedulerui.recurrence.rule import SECONDS_OF

MOST_RULES = 2_000
"""Most different rules that are counted; the most common ones."""
MOST_MOMENTS = 5_000
"""Most single moments that are counted."""
MOST_SOLAR = 50
"""Most different solar rules that are counted: each costs some milliseconds."""
MOST_GROUPS = 2 * MOST_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One stretch of time and what happened or is to happen in it; ``planned`` counts from now on only."""

    start: datetime
    end: datetime
    planned: int = 0
    ran: int = 0
    """Runs that are neither missed nor skipped, in whatever state they are."""
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
    n_schedules: int = 0
    """Schedules that were walked through for ``planned``."""

    @property
    def most(self) -> int:
        """The largest number of runs in one stretch, at least 1."""
        return max([1, *(each.planned + each.ran for each in self.stretches)])

    @property
    def has_any(self) -> bool:
        """Whether anything ran or is planned."""
        return any(each.planned or each.ran for each in self.stretches)


def load_of(
    edges: Sequence[datetime],
    *,
    now: datetime,
    schedules: QuerySet[Schedule] | None = None,
    runs: RunQuerySet | None = None,
    is_of_all: bool = False,
) -> Load:
    """Return the stretches between the edges (aware, ascending, at least two); at most three queries.

    ``schedules`` and ``runs``: the only ones that count; without them all do, which costs less. ``is_of_all``: the schedules
    are all that there are, and their rules may be those of up to a minute ago where they are many.
    """
    on = Schedule.objects.all() if schedules is None else schedules
    planned, n_rules, n_left_out, n_schedules = _planned(edges, on, now=now, is_of_all=is_of_all)
    past = [edge for edge in edges if edge < now]
    told = _past(past, until=min(edges[-1], now), runs=runs) if past else {}
    stretches = [
        Stretch(
            start=start,
            end=end,
            planned=round(planned[n]),
            **{name: counts[n] if n < len(counts) else 0 for name, counts in told.items()},
        )
        for n, (start, end) in enumerate(itertools.pairwise(edges))
    ]
    return Load(stretches=tuple(stretches), n_rules=n_rules, n_left_out=n_left_out, n_schedules=n_schedules)


def _past(
    starts: Sequence[datetime], *, until: datetime, runs: RunQuerySet | None
) -> Mapping[str, list[int]]:
    edges = [*starts, until] if starts[-1] < until else list(starts)
    groups: list[list[str]] = [[str(RunState.SKIPPED)], [str(RunState.MISSED)], [*FAILING], []]
    if runs is None:
        skipped, missed, failed, all_of_them = Run.objects.tally(edges, groups=groups)
    else:
        skipped, missed, failed, all_of_them = runs.tally_narrowed(edges, groups=groups)
    ran = [n - s - m for n, s, m in zip(all_of_them, skipped, missed, strict=True)]
    return {"ran": ran, "failed": failed, "missed": missed, "skipped": skipped}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Schedules of one rule; ``first`` is the key of one of them."""

    kind: str
    expression: str
    tz: str
    semantics: str
    every: int | None
    period: str
    solar_event: str
    latitude: float | None
    longitude: float | None
    n: int
    first: int


RULES: Remembered[tuple[_Group, ...]] = Remembered(
    "rules", is_cheap=lambda groups: sum(group.n for group in groups) <= N_CHEAP
)
RULE = (
    "kind", "expression", "tz", "semantics", "every", "period", "solar_event", "latitude", "longitude",
)  # fmt: skip


def _planned(
    edges: Sequence[datetime], schedules: QuerySet[Schedule], *, now: datetime, is_of_all: bool
) -> tuple[list[float], int, int, int]:
    counts = [0.0] * (len(edges) - 1)
    start, end = max(edges[0], now), edges[-1]
    if start >= end:
        return counts, 0, 0, 0
    on: Any = schedules.filter(next_run_at__isnull=False).order_by()
    if is_of_all:
        found = RULES.get(lambda: _groups(on), Look(now=now, scope=""), stamp=object())
    else:
        found = _groups(on)
    crontabs = [group for group in found if group.kind == "crontab"]
    for group in crontabs[:MOST_RULES]:
        _add_crontab(counts, edges, group, start=start)
    others = [group for group in found if group.kind not in {"crontab", "clocked"}]
    for group in others:
        if group.kind == "interval":
            seconds = (group.every or 0) * SECONDS_OF.get(group.period, 0)
            _spread(counts, edges, _times(start, end, seconds) * group.n, start=start)
    for group in [each for each in others if each.kind == "solar"][:MOST_SOLAR]:
        _add_solar(counts, edges, group, start=start)
    if len(found) > MOST_GROUPS or any(group.kind == "clocked" for group in found):
        _add_moments(counts, edges, on.filter(kind="clocked", next_run_at__gte=start, next_run_at__lt=end))
    n_rules = min(len(crontabs), MOST_RULES) + len(others)
    return counts, n_rules, max(len(crontabs) - MOST_RULES, 0), sum(group.n for group in found)


def _groups(on: Any) -> tuple[_Group, ...]:
    """Return the different rules of these schedules; one walk through them."""
    ruled = on.exclude(kind="manual").values(*RULE).annotate(n=Count("pk"), first=Min("pk"))
    # The last kind by name first, for crontabs are the most.
    return tuple(_Group(**row) for row in ruled.order_by("-kind", "-n", "first")[: MOST_GROUPS + 1])


def _times(start: datetime, end: datetime, seconds: float) -> float:
    return (end - start).total_seconds() / seconds if seconds else 0.0


def _add_crontab(counts: list[float], edges: Sequence[datetime], group: _Group, *, start: datetime) -> None:
    # Only an expression with H depends on whose it is.
    seed = str(group.first) if "H" in group.expression else ""
    rule = _crontab(group.expression, group.tz, group.semantics, seed)
    if not isinstance(rule, CrontabRule):
        return
    found = [(at, n * group.n) for at, n in by_quarter(rule, start=start, end=edges[-1])]
    if "H" in group.expression and group.n > 1:  # each of them has its own minute: all over the stretch
        _spread(counts, edges, sum(n for _at, n in found), start=start)
        return
    for at, n in found:
        _add(counts, edges, at, n)


def _add_moments(counts: list[float], edges: Sequence[datetime], schedules: Any) -> None:
    for at in schedules.values_list("next_run_at", flat=True)[:MOST_MOMENTS]:
        _add(counts, edges, at, 1)


def _add_solar(counts: list[float], edges: Sequence[datetime], group: _Group, *, start: datetime) -> None:
    fields = {"event": group.solar_event, "latitude": group.latitude, "longitude": group.longitude}
    rule = _rule(kind="solar", tz=group.tz, fields=fields)
    if isinstance(rule, SolarRule):
        for at in _until(upcoming(rule, start, 45), edges[-1]):
            _add(counts, edges, at, group.n)


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


@lru_cache(maxsize=MOST_RULES)
def _crontab(expression: str, tz: str, semantics: str, seed: str) -> object:
    return _rule(kind="crontab", expression=expression, tz=tz, semantics=semantics, seed=seed)


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
