"""An error in one line, as a row and a page can hold it."""

from __future__ import annotations


def error_text(error: object, *, limit: int = 300) -> str:
    """Return the kind of an error and at most ``limit`` characters of what it says, on one line."""
    # What is no text, such as half of a surrogate pair in the name of an argument, no database would keep.
    told = str(error).replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    text = " ".join(told.split())[:limit]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
