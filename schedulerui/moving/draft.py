"""What becomes of one row: the fields of a schedule, and what a person is told about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schedulerui.moving.rows import OldTask

RULE = ("expression", "every", "period", "anchor_at", "clocked_at_utc", "solar_event", "latitude", "longitude")  # fmt: skip
"""Fields that say when, beside the kind and the zone."""


class Outcome(StrEnum):
    """What the import does with a row."""

    ACCEPTED = "accepted"
    CHANGED = "changed"
    DISABLED = "disabled"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What decides beside the row: the moment, and what the Celery app is configured to."""

    now: datetime
    zone: str
    """The app's time zone."""
    is_zone_of_row: bool = True
    """Whether django-celery-beat heeds the zones of its crontabs (``DJANGO_CELERY_BEAT_TZ_AWARE``)."""
    starting_deadline: int | None = None
    """``beat_cron_starting_deadline``, seconds."""
    code_names: frozenset[str] = frozenset()
    """Names of the entries of ``beat_schedule``."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """One row on its way; sentences are without a full stop."""

    old: OldTask
    fields: dict[str, object] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    """What runs on, and otherwise than before."""
    problems: list[str] = field(default_factory=list)
    """Why it is switched off."""
    notes: list[str] = field(default_factory=list)
    """What one should know and need not do anything about."""
    skipped: str = ""

    @property
    def outcome(self) -> Outcome:
        """Return what is done with the row."""
        if self.skipped:
            return Outcome.SKIPPED
        if self.problems:
            return Outcome.DISABLED
        return Outcome.CHANGED if self.changes else Outcome.ACCEPTED

    @property
    def said(self) -> list[str]:
        """Return all that there is to say about it."""
        return [self.skipped] if self.skipped else [*self.problems, *self.changes, *self.notes]

    def by_hand(self, problem: str, rule: str) -> None:
        """Keep a schedule without its rule, which stays readable in the description."""
        self.fields["kind"] = "manual"
        for name in RULE:
            self.fields.pop(name, None)
        self.problems.append(f"{problem}; it is kept without its rule ({rule})")
