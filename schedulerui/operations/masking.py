"""Text of tasks with the values hidden that stand behind names like secrets: what they log, return and raise."""

from __future__ import annotations

import re
from functools import lru_cache

from schedulerui.conf import settings
from schedulerui.error_text import HIDDEN, without_passwords

GAP = r"[-_ .]?"
"""What may stand between the words of a name: ``X-Api-Key`` is an ``api_key``."""
BETWEEN = r"\\{0,8}[\"']?[ \t]{0,20}(?:=>|:=|[=:])[ \t]{0,20}"
QUOTED = (
    r"\\{1,8}(?:\"[^\"]{0,8000}\"?|'[^']{0,8000}'?)"  # a text within a text, such as JSON in JSON
    r"|[bru]{0,2}\"(?:\\[\s\S]|[^\"\\]){0,8000}\"?"
    r"|[bru]{0,2}'(?:\\[\s\S]|[^'\\]){0,8000}'?"
)
BREAK = r"(?<=[,\[({ \r])\n|\n(?=\s{0,200}[\])}])"
"""The end of a line within a list, which other lines do not have: a bracket in a sentence hides no more than its line."""
IN_BRACKETS = rf"[\[({{](?:{QUOTED}|[^\[\](){{}}\"'\\\n]{{1,8000}}|\\|{BREAK}|@){{0,500}}+[\])}}]?"
"""A list, a tuple or a mapping, whose end may be cut off; ``@`` stands for what may nest in it."""
NESTED = IN_BRACKETS.replace("@", IN_BRACKETS).replace("@", IN_BRACKETS).replace("@", r"[\[({]")
FOUND = (
    rf"{QUOTED}|{NESTED}"
    r"|(?:(?:bearer|basic|digest|token)[ \t]{1,20})?[^\s,;&)\]}]+"
)
LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
KEYS = re.compile(
    rf"-----BEGIN {LABEL}(?:(?:[^-]|-(?!----(?:END|BEGIN))){{0,20000}}+-----END {LABEL}"
    r"|(?:(?:\s|\\[nrt\\]){0,9}+[A-Za-z0-9+/=]{16,100}+){1,400}+(?:\s[A-Za-z0-9+/=]{1,15}\Z)?)"  # whose end is cut off
)
"""A private key as files have it: its name says what it is."""
NO_LETTERS = re.compile(r"[\W_]+")


def masked(text: str) -> str:
    """Return text with the values hidden that stand behind a name like a secret, ``password=...``, ``"token": ["...", "..."]``, in addresses, and private keys."""
    pattern = _secrets(settings().REDACT)
    if pattern is None:
        return text
    return without_passwords(pattern.sub(rf"\1{HIDDEN}", KEYS.sub(HIDDEN, text)))


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
