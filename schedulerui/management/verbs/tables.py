"""Aligned plain text for a terminal, a pipe or a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GAP = "  "
UNKNOWN = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the rows under their head in columns as wide as they need; a value that is None is unknown."""
    lines = [list(head), *([UNKNOWN if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return one line for each pair, the values under each other."""
    known = [(name, str(value)) for name, value in pairs]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name.ljust(width)}{GAP}{value}".rstrip() for name, value in known)
