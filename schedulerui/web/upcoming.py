"""What the preview says of a rule: in words, its next times, their gaps, and what a person might not expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from schedulerui.recurrence import Rule, RuleError, describe, preview, upcoming
from schedulerui.web.forms import RuleForm

N_SHOWN = 10
N_COMPARED = 200
"""Next times looked at for the shortest and the longest gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Either errors by field, or words and times; ``shortest`` and ``longest`` are seconds between two of them."""

    errors: Mapping[str, list[str]] = field(default_factory=dict)
    words: str = ""
    zone: ZoneInfo | None = None
    times: tuple[datetime, ...] = ()
    shortest: float | None = None
    longest: float | None = None
    notices: tuple[preview.Notice, ...] = ()

    @property
    def has_seconds(self) -> bool:
        """Whether minutes alone would not tell the times apart."""
        return any(moment.second for moment in self.times)

    @property
    def first_error(self) -> str:
        return next((messages[0] for messages in self.errors.values() if messages), "")


def preview_of(form: RuleForm, *, now: datetime) -> Preview:
    """Return the preview of what is in the form; asks no database."""
    if not form.is_valid():
        return Preview(errors=_texts(form))
    try:
        rule = form.rule(now=now)
    except RuleError as error:
        form.add_rule_error(error)
        return Preview(errors=_texts(form))
    return _preview(form, rule, now=now)


def _preview(form: RuleForm, rule: Rule, *, now: datetime) -> Preview:
    times = upcoming(rule, now, N_COMPARED)
    gaps = preview.shortest_and_longest_gap(times)
    return Preview(
        words=describe(rule),
        zone=form.zone,
        times=tuple(times[:N_SHOWN]),
        shortest=gaps[0].total_seconds() if gaps else None,
        longest=gaps[1].total_seconds() if gaps else None,
        notices=tuple(preview.notices(rule, now)),
    )


def _texts(form: RuleForm) -> dict[str, list[str]]:
    return {name: [str(message) for message in messages] for name, messages in form.errors.items()}
