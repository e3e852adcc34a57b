"""Text of tasks with the values hidden that stand behind names like secrets: what they log, return and raise."""

from __future__ import annotations

import re
from functools import lru_cache

from schedulerui.conf import settings
from schedulerui.error_text import HIDDEN, without_passwords

GAP = r"[-_ .]?"
"""What may stand between the words of a name: ``X-Api-Key`` is an ``api_key``."""
BETWEEN = r"\\{0,8}[\"']?[ \t]{0,20}(?:=>|:=|[=:])[ \t]{0,20}"
FOUND = (
    r"\\{1,8}(?:\"[^\"]{0,8000}\"?|'[^']{0,8000}'?)"  # a text within a text, such as JSON in JSON
    r"|[bru]{0,2}\"(?:\\[\s\S]|[^\"\\]){0,8000}\"?"
    r"|[bru]{0,2}'(?:\\[\s\S]|[^'\\]){0,8000}'?"
    r"|(?:(?:bearer|basic|digest|token)[ \t]{1,20})?[^\s,;&)\]}]+"
)
NO_LETTERS = re.compile(r"[\W_]+")


def masked(text: str) -> str:
    """Return text with the values hidden that stand behind a name like a secret, ``password=...``, ``"token": "..."``, and in addresses."""
    pattern = _secrets(settings().REDACT)
    if pattern is None:
        return text
    return without_passwords(pattern.sub(rf"\1{HIDDEN}", text))


def is_secret(name: str) -> bool:
    """Return whether a name contains one of the words of REDACT, however both are spelt."""
    plain = _plain(name)
    return any(word in plain for word in _words(settings().REDACT))


def _plain(name: str) -> str:
    return NO_LETTERS.sub("", name).lower()


@lru_cache(maxsize=2)
def _words(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(None, map(_plain, names)))


@lru_cache(maxsize=2)
def _secrets(names: tuple[str, ...]) -> re.Pattern[str] | None:
    # Every repetition is bounded or ends the match, so that no text takes long.
    spelt = [GAP.join(map(re.escape, filter(None, NO_LETTERS.split(name)))) for name in names]
    words = "|".join(filter(None, spelt))
    return re.compile(rf"((?:{words})[\w.-]{{0,40}}{BETWEEN})(?:{FOUND})", re.IGNORECASE) if words else None
