"""Text of tasks with the values hidden that stand behind names like secrets: what they log, return and raise."""

from __future__ import annotations

import re
from functools import lru_cache

from schedulerui.conf import settings

HIDDEN = "***"


def masked(text: str) -> str:
    """Return text with the values hidden that stand behind a name like a secret: ``password=...``, ``"token": "..."``."""
    pattern = _secrets(settings().REDACT)
    return text if pattern is None else pattern.sub(rf"\1{HIDDEN}", text)


@lru_cache(maxsize=2)
def _secrets(names: tuple[str, ...]) -> re.Pattern[str] | None:
    # Every repetition is bounded, so that no line takes long.
    if not names:
        return None
    words = "|".join(re.escape(name) for name in names)
    found = r"\"[^\"]{0,500}\"?|'[^']{0,500}'?|(?:(?:bearer|basic|token)\s)?[^\s,;&)\]}]{1,500}"
    return re.compile(rf"((?:{words})[\w.-]{{0,40}}[\"']?\s?[=:]\s?)(?:{found})", re.IGNORECASE)
