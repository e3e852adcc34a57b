"""The last 30 runs as a drawing of 150 x 20: one path for each family of states, and a sentence that says the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.facts import RunState
from schedulerui.presenters.states import StateWord, state_of

SLOTS = 30
SLOT = 5
"""Width of a bar and the gap after it; the style sheet strokes bars 4 wide."""
HEIGHT = 20
LEAST = 4
"""Height of the shortest bar."""

BAR = re.compile(rf"M(\d+) {HEIGHT}V(\d+)")

LETTERS: Mapping[str, RunState] = {
    "s": RunState.SUCCEEDED,
    "f": RunState.FAILED,
    "l": RunState.LOST,
    "u": RunState.UNSENT,
    "m": RunState.MISSED,
    "k": RunState.SKIPPED,
    "e": RunState.EXPIRED,
    "r": RunState.REJECTED,
    "x": RunState.REVOKED,
}
SUMMARY = (RunState.SUCCEEDED, RunState.FAILED, RunState.MISSED)
"""States that the sentence counts by name; all others are "other"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Paths by family to be stroked, the base line of the empty slots, and the sentence for those who do not see it."""

    paths: tuple[tuple[str, str], ...]
    empty: str
    sentence: str


def spark_of(recent: str) -> Spark:
    """Return the drawing of ``ScheduleState.recent``; pairs that make no sense are left empty."""
    pairs = [recent[i : i + 2] for i in range(0, len(recent) - 1, 2)][-SLOTS:]
    free = SLOTS - len(pairs)
    paths: dict[str, list[str]] = {}
    states: list[RunState] = []
    for place, pair in enumerate(pairs, start=free):
        state = LETTERS.get(pair[0])
        if state is None:
            continue
        states.append(state)
        family = state_of(state).family
        draw = SHAPES.get(family, _bar)
        paths.setdefault(family, []).append(draw(place * SLOT, _height(pair[1])))
    return Spark(
        paths=tuple((family, _joined(parts)) for family, parts in paths.items()),
        empty=f"M0 {HEIGHT - 1}H{free * SLOT - 1}" if free else "",
        sentence=sentence_of([state_of(state) for state in states]),
    )


def _height(digit: str) -> int:
    size = int(digit) if digit.isascii() and digit.isdigit() else 0
    return LEAST + size * (HEIGHT - LEAST) // 9


def _bar(x: int, height: int) -> str:
    return f"M{x + 2} {HEIGHT}V{HEIGHT - height}"


def _joined(parts: list[str]) -> str:
    """Return one path; bars go up and down in turn, each from where the one before ended: a page has 1,500 of them."""
    path, x, y = "", None, HEIGHT
    for part in parts:
        bar = BAR.fullmatch(part)
        if bar and x is not None:
            top = int(bar[2])
            first, last = (HEIGHT, top) if y == HEIGHT else (top, HEIGHT)
            path += f"m{int(bar[1]) - x}{first - y: d}V{last}"
            y = last
        else:
            path += part
            y = int(bar[2]) if bar else HEIGHT
        x = int(bar[1]) if bar else None
    return path


def _split(x: int, _height: int) -> str:
    """Draw a full bar with a gap: a failure is told by its shape, not by red alone."""
    return f"M{x + 2} {HEIGHT}v-6m0-2V0"


def _hollow(x: int, _height: int) -> str:
    """Draw the outline of a full bar: nothing ran there."""
    return f"M{x + 0.5} 0.5h3v19h-3z"


SHAPES: Mapping[str, Callable[[int, int], str]] = {"fail": _split, "warn": _hollow}


def sentence_of(states: Sequence[StateWord], *, named: Collection[str] = SUMMARY) -> str:
    """Return how many of the last runs came to each of the ``named`` states, and how many to another."""
    if not states:
        return _("No runs yet")
    counts = Counter(state.key for state in states)
    parts = [
        _("%(n)d %(state)s") % {"n": counts[key], "state": state_of(key).word.lower()}
        for key in named
        if counts[key]
    ]
    n_other = len(states) - sum(counts[key] for key in named)
    if n_other:
        parts.append(_("%(n)d other") % {"n": n_other})
    head = ngettext("Last run: %(parts)s", "Last %(n)d runs: %(parts)s", len(states))
    return head % {"n": len(states), "parts": ", ".join(parts)}
