"""Rules: frozen values that say when, already checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


class RuleError(ValueError):
    """A rule that cannot be: ``field`` names the place, ``message`` says what is wrong and what would be right."""

    def __init__(self, field: str, message: str) -> None:
        self.field, self.message = field, message
        super().__init__(f"{field}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrontabRule:
    """Five fields, expanded; matched against wall time in ``tz``."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """0 is Sunday."""
    is_interval_like: bool
    """The minute or hour field begins with ``*``: fires at every real minute that matches, in both passes of a repeated hour."""
    is_either_day: bool
    """A day matches when one of the two day fields does; otherwise both must."""
    semantics: str
    tz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRule:
    """``anchor + k * every`` for k = 0, 1, 2, ... in elapsed time."""

    every: timedelta
    anchor: datetime
    count: int
    period: str
    tz: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockedRule:
    """Once, at one moment (UTC); ``local`` is the wall time it was given as, if it was."""

    at: datetime
    local: datetime | None = None
    tz: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarRule:
    """At an event of the sun, degrees north and east."""

    event: str
    latitude: float
    longitude: float
    tz: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualRule:
    """Never by itself."""

    tz: str = "UTC"


Rule = CrontabRule | IntervalRule | ClockedRule | SolarRule | ManualRule
