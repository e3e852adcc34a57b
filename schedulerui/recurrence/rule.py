"""The value types of the room: five kinds of rule, and the one error.

A rule says *when*, and nothing else. Rules are frozen and hashable, so they can key a cache or a set.
`parse.parse_rule` is the way to make one from text; the constructors trust what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

Semantics: TypeAlias = Literal["celery-and", "vixie-or"]
Period: TypeAlias = Literal["seconds", "minutes", "hours", "days", "weeks"]
SECONDS_OF: Final[Mapping[str, int]] = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86400,
    "weeks": 604800,
}


class Said:
    """A sentence with places, which can be said in another language; a place may hold a sentence of its own."""

    __slots__ = ("phrase", "places")

    def __init__(self, phrase: str, **places: object) -> None:
        self.phrase = phrase
        self.places = places

    def __str__(self) -> str:
        return self.within(str)

    def within(self, translate: Callable[[str], str]) -> str:
        """Return it in the language of ``translate``, a gettext."""
        if not self.places:
            return translate(self.phrase)
        said = {
            name: place.within(translate) if isinstance(place, Said) else place
            for name, place in self.places.items()
        }
        return translate(self.phrase).format(**said)


class RuleError(ValueError):
    """What is wrong with a rule, told to a person.

    `field` names the input at fault (for example `day_of_week`, `tz` or `every`); `message` is a plain
    sentence that says what is wrong, where, and what would be right, and `said` says it in a language.
    """

    def __init__(self, field: str, phrase: str, **places: object) -> None:
        sentence = Said(phrase, **places)
        super().__init__(field, str(sentence))
        self.field = field
        self.sentence = sentence

    def __str__(self) -> str:
        return self.message

    @property
    def message(self) -> str:
        """The sentence in English, for logs, rows and commands."""
        return str(self.sentence)

    def said(self, translate: Callable[[str], str]) -> str:
        """Return the sentence in the language of ``translate``, a gettext."""
        return self.sentence.within(translate)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrontabRule:
    """Five fields, expanded to sorted numbers, matched against wall time in `tz`. Weekday 0 is Sunday.

    `text` is the five fields, without names such as `@daily` and without `H`; `typed` is what the person wrote.
    `interval_like`: the minute or hour begins with `*`, or with `H/`, so it fires at every real minute that
    matches; otherwise each matching wall time fires once. `day_or`: a day matches when either day field
    matches (otherwise both must).
    """

    text: str
    typed: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    interval_like: bool
    day_or: bool
    tz: str
    semantics: Semantics


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRule:
    """`anchor + k * every` for k = 0, 1, 2, ... in elapsed time; `anchor` is in UTC.

    `count` and `period` are `every` as it was typed, for words; `tz` is for display only.
    """

    every: timedelta
    anchor: datetime
    count: int
    period: Period
    tz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockedRule:
    """Once, at `at` (UTC). `wall` is the naive wall time in `tz` that it was made from, if it was."""

    at: datetime
    wall: datetime | None
    tz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarRule:
    """A solar event, with Celery's name for it, at degrees north and east; `tz` is for display only."""

    event: str
    latitude: float
    longitude: float
    tz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualRule:
    """No time at all: run by hand. `tz` is for display only."""

    tz: str


Rule: TypeAlias = CrontabRule | IntervalRule | ClockedRule | SolarRule | ManualRule
