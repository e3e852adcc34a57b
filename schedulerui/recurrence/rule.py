"""The value types of the room: five kinds of rule, and the one error.

A rule says *when*, and nothing else. Rules are frozen and hashable, so they can key a cache or a set.
`parse.parse_rule` is the way to make one from text; the constructors trust what they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Semantics: TypeAlias = Literal["celery-and", "vixie-or"]
Period: TypeAlias = Literal["seconds", "minutes", "hours", "days", "weeks"]


class RuleError(ValueError):
    """What is wrong with a rule, told to a person.

    `field` names the input at fault (for example `day_of_week`, `tz` or `every`); `message` is a plain
    sentence that says what is wrong, where, and what would be right.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return self.message


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
