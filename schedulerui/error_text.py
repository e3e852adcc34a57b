"""Text as a row and a page can hold it, and an error in one line of it."""

from __future__ import annotations

import re

HIDDEN = "***"
"""What stands in the place of a secret."""
IN_ADDRESS = re.compile(r"(://[^\s/:@\"'<>]{0,200}:)[^\s/\"'<>]{1,1000}(?=@)")
"""The password of an address such as ``redis://user:password@host``."""


def storable(text: str) -> str:
    """Return a text without what databases refuse: NUL is left out, half of a surrogate pair becomes a question mark."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def without_passwords(text: str) -> str:
    """Return a text with the passwords of addresses hidden: a library may say the one that it could not reach."""
    return IN_ADDRESS.sub(rf"\1{HIDDEN}", text)


def error_text(error: object, *, limit: int = 300) -> str:
    """Return the kind of an error and at most ``limit`` characters of what it says, on one line, without passwords of addresses."""
    text = " ".join(storable(without_passwords(str(error))).split())[:limit]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
