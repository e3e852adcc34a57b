"""Values on their way to a page: secrets hidden, differences told by a short digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from schedulerui.conf import settings

HIDDEN = "••••••"


def printable(text: str) -> str:
    """Return text that a page can carry: half of a surrogate pair, which old rows may hold, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def redact(value: object) -> object:
    """Return ``value`` with everything hidden that stands under a key named like a secret, at any depth; texts printable."""
    secrets = tuple(part.lower() for part in settings().REDACT)

    def walk(node: object) -> object:
        if isinstance(node, Mapping):
            return {
                printable(str(key)): HIDDEN
                if any(part in str(key).lower() for part in secrets)
                else walk(item)
                for key, item in node.items()
            }
        if isinstance(node, list | tuple):
            items = [walk(item) for item in node]
            return tuple(items) if isinstance(node, tuple) else items
        return printable(node) if isinstance(node, str) else node

    return walk(value)


def digest(*parts: object) -> str:
    """Return ten hexadecimal digits that change when any of ``parts`` changes; for comparing, not for security."""
    return hashlib.blake2s(repr(parts).encode(), digest_size=5).hexdigest()
