"""Random rules for the property tests: texts, together with what they mean by the definition."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Campo_Grande",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Pacific/Chatham",
)


@dataclass(frozen=True)
class Text:
    """The text of one field and the numbers that it stands for."""

    text: str
    numbers: frozenset[int]


@st.composite
def items(draw, index):
    low, high = BOUNDS[index]
    numbers = st.integers(low, high)
    shape = draw(st.sampled_from(("*", "N", "A-B", "*/S", "A-B/S")))
    step = draw(st.integers(1, high - low))
    if shape == "*":
        return Text("*", frozenset(range(low, high + 1)))
    if shape == "*/S":
        return Text(f"*/{step}", frozenset(n for n in range(low, high + 1) if (n - low) % step == 0))
    first = draw(numbers)
    if shape == "N":
        return Text(str(first), frozenset({first}))
    walked = [first]
    last = draw(numbers)
    while walked[-1] != last:
        walked.append(low if walked[-1] == high else walked[-1] + 1)
    if shape == "A-B":
        return Text(f"{first}-{last}", frozenset(walked))
    return Text(f"{first}-{last}/{step}", frozenset(n for i, n in enumerate(walked) if i % step == 0))


def fields(index):
    some = st.lists(items(index), min_size=1, max_size=3)
    return some.map(
        lambda parts: Text(",".join(p.text for p in parts), frozenset().union(*(p.numbers for p in parts)))
    )


def wide(index):
    """A field that leaves a rule frequent: everything half of the time."""
    low, high = BOUNDS[index]
    return st.one_of(st.just(Text("*", frozenset(range(low, high + 1)))), fields(index))


@st.composite
def crontabs(draw):
    """Five fields, often with the hours in which clocks change."""
    night = st.sampled_from(
        [Text("1-3", frozenset({1, 2, 3})), Text("2", frozenset({2})), Text("0", frozenset({0}))]
    )
    hour = draw(st.one_of(night, wide(1)))
    return (draw(wide(0)), hour, draw(wide(2)), draw(wide(3)), draw(wide(4)))


semantics = st.sampled_from(("celery-and", "vixie-or"))
zones = st.sampled_from(ZONES)
