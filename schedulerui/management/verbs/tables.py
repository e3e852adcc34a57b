"""Aligned plain text for a terminal, a pipe or a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GAP = "  "
UNKNOWN = "-"
SPACES = "\u00a0\u202f"
"""Spaces at which no line breaks; all others but the plain one are signs for a terminal, and so are marks that turn the direction."""


def one_line(text: str) -> str:
    """Return a text of which a terminal shows each letter and does nothing else, whatever a row holds: what is no letter as its escape."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in SPACES else ascii(letter)[1:-1] for letter in text
    )


def plain(text: str) -> str:
    """Return a text of several lines, each as ``one_line`` has it."""
    return "\n".join(map(one_line, text.split("\n")))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the rows under their head in columns as wide as they need; a value that is None is unknown."""
    lines = [
        list(head),
        *([UNKNOWN if cell is None else one_line(str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return one line for each pair, the values under each other."""
    known = [(name, one_line(str(value))) for name, value in pairs]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name.ljust(width)}{GAP}{value}".rstrip() for name, value in known)
