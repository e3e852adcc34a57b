"""A traceback with the frames of libraries folded away: what is left is the project's own code and what was raised."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import ngettext

_FRAME = re.compile(r'([\s|+-]*)File "([^"]*)", line \d+')
_LIBRARIES = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\](?:python|pypy)\d[^/\\]*[/\\]|^<frozen ",
    re.IGNORECASE,
)


def folded(traceback: str) -> str:
    """Return a traceback with each row of frames of libraries as one line that counts them; empty when nothing is folded.

    A frame is of a library when its file lies among the installed packages or in Python's own library. Of a traceback
    without a frame of the project nothing is folded: its last frame is where it was raised.
    """
    kinds = [is_library for is_library, _lines in _frames(traceback)]
    if True not in kinds or False not in kinds:
        return ""
    said: list[str] = []
    n_hidden, indent = 0, ""
    for is_library, lines in _frames(traceback):
        if is_library:
            n_hidden, indent = n_hidden + 1, _indent_of(lines[0])
            continue
        if n_hidden:
            said.append(indent + _hidden(n_hidden))
            n_hidden = 0
        said += lines
    if n_hidden:
        said.append(indent + _hidden(n_hidden))
    return "\n".join(said)


def _hidden(n: int) -> str:
    return ngettext("… %(n)d frame of a library", "… %(n)d frames of libraries", n) % {"n": n}


def _frames(traceback: str) -> Iterator[tuple[bool | None, list[str]]]:
    """Yield the pieces in order: the lines of a frame with whether it is a library's, and with None what stands between."""
    lines: list[str] = []
    is_library: bool | None = None
    for line in traceback.splitlines():
        found = _FRAME.match(line)
        belongs = is_library is not None and len(_indent_of(line)) > len(_indent_of(lines[0]))
        if lines and (found or not (belongs or is_library is None)):
            yield is_library, lines
            lines, is_library = [], None
        if found:
            is_library = _LIBRARIES.search(found[2]) is not None
        lines.append(line)
    if lines:
        yield is_library, lines


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" |+-"))]
