"""A message as text for chat programs, in which what people, workers and rules are called stays text.

Slack takes ``<...>`` for a link or for a word to everybody, and has those who send replace ``&``, ``<`` and ``>`` by entities.
Programs that read the same messages take Markdown, and some call everybody at a plain ``@all``.
"""

from __future__ import annotations

import re

CALLS = re.compile(r"@(?=\w)")
LINKS = re.compile(r"\](?=[(\[:])")
APART = "\u200b"
"""A space without width: it is not seen, and keeps a sign from what would make markup of it."""


def for_chat(text: str) -> str:
    """Return a text of which chat programs make no link with another name, and by which they call nobody."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return LINKS.sub("]" + APART, CALLS.sub("@" + APART, escaped))
