"""Whether a schedule's runs take longer than the time between two of them: its history against its rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from schedulerui.models import Run, Schedule
from schedulerui.presenters.coming import occurrences_of
from schedulerui.presenters.moments import duration
from schedulerui.presenters.percentile import percentile
from schedulerui.recurrence import shortest_and_longest_gap

N_RUNS = 20
"""Newest runs looked at."""
N_RUNS_MIN = 3
"""Fewer say nothing about how long the next one takes."""
SHARE = 0.95
N_TIMES = 50
"""Times to come among which the shortest gap is looked for."""


def usual_longest(schedule: Schedule) -> float | None:
    """Return the run time in seconds that 95 in 100 of the newest runs keep within; None for too few. One query."""
    told = Run.objects.filter(schedule=schedule, runtime__isnull=False).newest_first()
    newest = told.values_list("runtime", flat=True)[:N_RUNS]
    runtimes = _known(newest)
    return percentile(runtimes, SHARE) if len(runtimes) >= N_RUNS_MIN else None


def usual_words(runtimes: Iterable[float | None]) -> str:
    """Return how long the newest runs took, seconds given, in words; empty for too few."""
    known = _known(runtimes)
    if len(known) < N_RUNS_MIN:
        return ""
    words = _("%(mean)s on average, %(share)d\u00a0%% within %(within)s, of the newest %(n)d")
    within = percentile(known, SHARE)
    mean = sum(known) / len(known)
    return words % {
        "mean": duration(mean), "share": 100 * SHARE, "within": duration(within), "n": len(known),
    }  # fmt: skip


def _known(runtimes: Iterable[float | None]) -> list[float]:
    return sorted(runtime for runtime in runtimes if runtime is not None and math.isfinite(runtime))


def shortest_gap(schedule: Schedule, *, now: datetime) -> float | None:
    """Return the seconds between the two nearest of its times to come; None where there are none to compare."""
    try:
        found = [each.due_at for each in itertools.islice(occurrences_of(schedule, now=now), N_TIMES)]
    except ValueError:
        return None
    gaps = shortest_and_longest_gap(found)
    return gaps[0].total_seconds() if gaps else None


def overrun_of(schedule: Schedule, *, gap: float | None) -> str:
    """Return the sentence that warns when its runs usually take longer than ``gap`` seconds; empty when they do not."""
    longest = usual_longest(schedule) if gap else None
    if gap is None or longest is None or longest <= gap:
        return ""
    words = _(
        "Its newest runs took up to %(longest)s, longer than the %(gap)s between two of its times: "
        "one starts before the last has ended, or is skipped."
    )
    return words % {"longest": duration(longest), "gap": duration(gap)}
