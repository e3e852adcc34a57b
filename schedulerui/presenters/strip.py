"""The last hundred runs of a schedule as a strip of 1000 x 40: a bar for each, the higher the longer it took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from schedulerui.facts import RunState
from schedulerui.models import Run
from schedulerui.presenters import moments
from schedulerui.presenters.lines import TIMES
from schedulerui.presenters.runs import is_over
from schedulerui.presenters.spark import SUMMARY, sentence_of
from schedulerui.presenters.states import StateWord, state_of

N_RUNS = 100
ALL = (*SUMMARY, *(state for state in RunState if state not in SUMMARY))
WIDTH, HEIGHT = 1000, 40
SLOT = WIDTH // N_RUNS
BAR = SLOT - 2
LINK = (
    '<a href="{}{}/" tabindex="-1"><title>{}: {}</title><path fill="none" pointer-events="all" d="M{} 0h10v40h-10z"/>'
    '<path class="bar bar--{}" fill-rule="evenodd" d="{}"/></a>'
)
LINE = '<tr><td><a href="{}{}/" tabindex="-1">{}</a></td><td>{}</td></tr>'
LEAST = 6
"""Height of the shortest bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripBar:
    """One run: where its place begins, what is drawn there, and what is said of it; ``count`` is how many times it stands for."""

    uuid: UUID
    x: int
    path: str
    state: StateWord
    when: str
    runtime: float | None
    count: int

    @property
    def words(self) -> str:
        """What became of the run and how long it took."""
        times = f" {TIMES} {self.count}" if self.count > 1 else ""
        took = f", {moments.duration(self.runtime)}" if self.runtime is not None else ""
        return f"{self.state.word}{times}{took}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The bars, the oldest first, the newest at the right end, and a sentence for those who do not see them.

    Written without a template, which takes a tenth of the time.
    """

    bars: tuple[StripBar, ...]
    sentence: str

    def links(self) -> SafeString:
        """Return the bars as links of a drawing, for the pointer alone."""
        home = reverse("schedulerui:runs")
        parts = (
            (home, str(bar.uuid), bar.when, bar.words, bar.x, bar.state.family, bar.path) for bar in self.bars
        )
        return format_html_join("", LINK, parts)

    def lines(self) -> SafeString:
        """Return the bars as lines of a table, for those who do not see the drawing."""
        home = reverse("schedulerui:runs")
        parts = ((home, str(bar.uuid), bar.when, bar.words) for bar in self.bars)
        return format_html_join("", LINE, parts)


def strip_of(runs: Sequence[Run], *, now: datetime, tz: str) -> Strip:
    """Return the strip of runs that come newest first; their moments are told in ``tz`` or where the person wants them."""
    zone = moments.zone_shown(moments.zone_of(tz))
    shown = list(runs[:N_RUNS])[::-1]
    longest = max((run.runtime or 0.0 for run in shown if is_over(run)), default=0.0)
    first = N_RUNS - len(shown)
    return Strip(
        bars=tuple(
            _bar(
                run,
                x=(first + place) * SLOT,
                longest=longest,
                when=moments.absolute(run.due_at, now, zone, with_seconds=True),
            )
            for place, run in enumerate(shown)
        ),
        sentence=sentence_of([state_of(run.state) for run in shown], named=ALL),
    )


def _bar(run: Run, *, x: int, longest: float, when: str) -> StripBar:
    state = state_of(run.state)
    runtime = run.runtime if is_over(run) else None
    return StripBar(
        uuid=run.uuid,
        x=x,
        path=_path(state.family, x + 1, _height(runtime, longest)),
        state=state,
        when=when,
        runtime=runtime,
        count=run.count,
    )


def _height(runtime: float | None, longest: float) -> int:
    if not runtime or not longest or not math.isfinite(runtime + longest) or runtime < 0:
        return LEAST
    return LEAST + round((HEIGHT - LEAST) * math.sqrt(runtime / longest))


def _path(family: str, x: int, height: int) -> str:
    """Draw a bar; a failure as a whole one with a gap and what was missed as an outline: told by their shapes too."""
    if family == "fail":
        return f"M{x} 0h{BAR}v26h-{BAR}zM{x} 30h{BAR}v10h-{BAR}z"
    if family == "warn":
        return f"M{x} 0h{BAR}v{HEIGHT}h-{BAR}zM{x + 2} 2v{HEIGHT - 4}h{BAR - 4}v-{HEIGHT - 4}z"
    return f"M{x} {HEIGHT - height}h{BAR}v{height}h-{BAR}z"
