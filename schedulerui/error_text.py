"""Text as a row and a page can hold it, and an error in one line of it."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return a text without what databases refuse: NUL is left out, half of a surrogate pair becomes a question mark."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def error_text(error: object, *, limit: int = 300) -> str:
    """Return the kind of an error and at most ``limit`` characters of what it says, on one line."""
    text = " ".join(storable(str(error)).split())[:limit]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
