"""Random rules by the thousand, from a seed, where Hypothesis would be slow; fields as in strategies."""

from __future__ import annotations

from tests.unit.recurrence.strategies import BOUNDS, ZONES, Text

SEMANTICS = ("celery-and", "vixie-or")
__all__ = ["SEMANTICS", "ZONES", "crontab", "field"]


def crontab(choose, *, wraps=True):
    """Return five fields; half of them everything, so that rules stay frequent."""
    return tuple(field(choose, index, wraps=wraps) for index in range(5))


def field(choose, index, *, wraps=True):
    low, high = BOUNDS[index]
    if choose.random() < (0.2 if index < 2 else 0.5):
        return Text("*", frozenset(range(low, high + 1)))
    parts = [_item(choose, low, high, wraps=wraps) for _ in range(choose.choice((1, 1, 1, 2, 3)))]
    return Text(",".join(part.text for part in parts), frozenset().union(*(part.numbers for part in parts)))


def _item(choose, low, high, *, wraps):
    step, first, last = choose.randint(1, high - low), choose.randint(low, high), choose.randint(low, high)
    if not wraps:
        first, last = min(first, last), max(first, last)
    walked = [first]
    while walked[-1] != last:
        walked.append(low if walked[-1] == high else walked[-1] + 1)
    every = list(range(low, high + 1))
    return choose.choice(
        [
            Text(str(first), frozenset({first})),
            Text(f"{first}-{last}", frozenset(walked)),
            Text(f"{first}-{last}/{step}", frozenset(walked[::step])),
            Text(f"*/{step}", frozenset(every[::step])),
        ]
    )
