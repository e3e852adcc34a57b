"""The words that a person types into a list's filter, taken apart: ``state:failed tag:billing next<1h -queue:mail report``.

A term is a bare word, words in double quotes, or a qualifier (letters and one of ``:``, ``<``, ``>``) with its value. A minus in
front turns a term round. Nothing here knows a database or a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

TERM = re.compile(
    r"""(?P<minus>-(?=[^\s-]))?
        (?:(?P<key>[A-Za-z][A-Za-z_]{0,19})(?P<sign>[:<>]))?
        (?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]*))""",
    re.VERBOSE,
)
MOST_TERMS = 20
"""Terms that one filter may have; more make no sense to a person and work for a database."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 100 * 366 * 86_400
"""Longest duration, seconds: beyond it, moments leave the calendar."""
SPAN = re.compile(r"(\d{1,10}(?:\.\d{1,3})?)\s*(s|m|h|d|w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of a filter, and where it stands in the text."""

    value: str
    key: str = ""
    """The qualifier in small letters; empty for bare words."""
    sign: str = ""
    is_negated: bool = False
    start: int = 0
    end: int = 0

    @property
    def qualifier(self) -> str:
        """Return the qualifier with its sign as it is typed; empty for bare words."""
        return self.key + self.sign


def parse(text: str) -> list[Term]:
    """Return the terms of a text in their order; anything at all is a list of terms."""
    found: list[Term] = []
    at = 0
    while at < len(text):
        match = TERM.match(text, at)
        if match is None or match.end() == at:
            at += 1
            continue
        found.append(_term(match))
        at = match.end()
    return found


def _term(match: re.Match[str]) -> Term:
    quoted = match["quoted"]
    return Term(
        key=(match["key"] or "").lower(),
        sign=match["sign"] or "",
        value=match["plain"] if quoted is None else quoted.strip(),
        is_negated=bool(match["minus"]),
        start=match.start(),
        end=match.end(),
    )


def without(text: str, terms: Iterable[Term]) -> str:
    """Return the text less these of its terms."""
    for term in sorted(terms, key=lambda term: -term.start):
        text = text[: term.start] + text[term.end :]
    return " ".join(text.split()) if '"' not in text else text.strip()


def term_at(text: str, caret: int) -> Term:
    """Return the term that a caret stands in or behind; an empty one between two terms."""
    for term in parse(text):
        if term.start <= caret <= term.end:
            return term
    return Term(value="", start=caret, end=caret)


def written(qualifier: str, value: str) -> str:
    """Return a term as a person would type it, in quotes where it needs them."""
    needs_quotes = not value or re.search(r"[\s\"]", value) is not None
    shown = '"' + value.replace('"', "") + '"' if needs_quotes else value
    return qualifier + shown


def duration_of(text: str) -> timedelta:
    """Return what ``90s``, ``15m``, ``1h30m``, ``7d`` or ``2w`` says; raises ValueError for anything else."""
    parts = SPAN.findall(text.lower())
    if not parts or SPAN.sub("", text.lower()).strip():
        message = f"{text!r} is no duration"
        raise ValueError(message)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds > LONGEST:
        message = f"{text!r} is too long"
        raise ValueError(message)
    return timedelta(seconds=seconds)
