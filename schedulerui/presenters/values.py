"""Values on their way to a page: secrets hidden, differences told by a short digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from schedulerui.operations.masking import is_secret, masked

HIDDEN = "••••••"
DEEPEST = 64
"""Levels of lists and objects that are shown; a task may return more than a page, or Python, can follow."""
CUT = "…"


def printable(text: str) -> str:
    """Return text that a page can carry: half of a surrogate pair, which old rows may hold, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def redact(value: object) -> object:
    """Return ``value`` without secrets: what stands under a key named like one, at any depth, and in texts; all of it printable."""
    return _redacted(value, level=0)


def on_one_line(*values: object) -> str:
    """Return values as JSON without secrets, side by side; those that are empty are left out."""
    given = (redact(value) for value in values if value)
    return " ".join(json.dumps(value, ensure_ascii=False, default=str) for value in given)


def _redacted(node: object, *, level: int) -> object:
    if isinstance(node, str):
        return printable(masked(node))
    if not isinstance(node, Mapping | list | tuple):
        return node
    if level >= DEEPEST:
        return CUT
    if isinstance(node, Mapping):
        return {
            printable(str(key)): HIDDEN if is_secret(str(key)) else _redacted(item, level=level + 1)
            for key, item in node.items()
        }
    items = [_redacted(item, level=level + 1) for item in node]
    return tuple(items) if isinstance(node, tuple) else items


def digest(*parts: object) -> str:
    """Return ten hexadecimal digits that change when any of ``parts`` changes; for comparing, not for security."""
    return hashlib.blake2s(repr(parts).encode(), digest_size=5).hexdigest()
