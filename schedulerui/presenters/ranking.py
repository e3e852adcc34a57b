"""The slowest and the most failing schedules of a week, from its newest runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schedulerui.facts import DECIDED, FAILING, FINISHED, RunState
from schedulerui.models.run import RunQuerySet
from schedulerui.presenters.remembered import Remembered

WEEK = timedelta(days=7)
LOOKED_AT = 10_000
"""Newest runs that are looked at."""
N_CHEAP = 500
"""Runs that are looked through again whenever something moves; more of them once a minute."""
N_RANKED = 5
TRIED = frozenset(map(str, FINISHED - DECIDED - {RunState.CANCELLED}))
"""States of runs that were to happen and are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """What the runs of one schedule tell; times are seconds."""

    schedule_id: int
    n: int
    n_failed: int
    mean: float | None
    longest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The first of each order, and what was looked at: ``n`` runs, the oldest due at ``since`` where that was not a week's."""

    slowest: tuple[Rank, ...] = ()
    failing: tuple[Rank, ...] = ()
    n: int = 0
    since: datetime | None = None

    @property
    def keys(self) -> frozenset[int]:
        """The schedules that are named."""
        return frozenset(rank.schedule_id for rank in (*self.slowest, *self.failing))


REMEMBERED: Remembered[Ranking] = Remembered("ranking", is_cheap=lambda ranking: ranking.n < N_CHEAP)


def ranking_of(runs: RunQuerySet, *, now: datetime) -> Ranking:
    """Return the ranking of the newest runs of the last week; one query, one walk of an index."""
    newest = runs.newest_first().filter(due_at__gte=now - WEEK, due_at__lte=now)
    rows: list[Any] = list(newest.values_list("schedule_id", "state", "runtime", "due_at")[:LOOKED_AT])
    ranks = _ranks((key, state, runtime) for key, state, runtime, _at in rows if key is not None)
    slow = [rank for rank in ranks if rank.mean is not None]
    failing = [rank for rank in ranks if rank.n_failed]
    return Ranking(
        slowest=tuple(sorted(slow, key=lambda rank: (-(rank.mean or 0.0), rank.schedule_id))[:N_RANKED]),
        failing=tuple(
            sorted(failing, key=lambda rank: (-rank.n_failed, rank.n, rank.schedule_id))[:N_RANKED]
        ),
        n=len(rows),
        since=rows[-1][3] if len(rows) == LOOKED_AT else None,
    )


def _ranks(rows: Iterable[tuple[int, str, float | None]]) -> list[Rank]:
    told: dict[int, list[tuple[str, float | None]]] = defaultdict(list)
    for key, state, runtime in rows:
        if state in TRIED:
            told[key].append((state, runtime))
    return [_rank(key, outcomes) for key, outcomes in told.items()]


def _rank(key: int, outcomes: list[tuple[str, float | None]]) -> Rank:
    times = [runtime for _state, runtime in outcomes if runtime is not None and math.isfinite(runtime)]
    return Rank(
        schedule_id=key,
        n=len(outcomes),
        n_failed=sum(state in FAILING for state, _runtime in outcomes),
        mean=sum(times) / len(times) if times else None,
        longest=max(times, default=None),
    )
