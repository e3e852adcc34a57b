"""What the preview says of a rule: in words, its next times, their gaps, and what a person might not expect."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedulerui import planning
from schedulerui.facts import Coming
from schedulerui.presenters.often import how_often, left_out
from schedulerui.presenters.rules import spoken
from schedulerui.recurrence import Rule, RuleError, describe, gaps_of_year, preview
from schedulerui.recurrence.window import Timetable
from schedulerui.web.forms import RuleForm

N_SHOWN = 10
N_OF_OTHER = 5
"""Times shown of the other reading of both day fields."""
N_COMPARED = 200
"""Next times looked at for the shortest and the longest gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReading:
    """What the same text would mean if its two day fields were read the other way."""

    words: str
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Either errors by field, or words and times; ``shortest`` and ``longest`` are seconds between two of them."""

    errors: Mapping[str, list[str]] = field(default_factory=dict)
    words: str = ""
    zone: ZoneInfo | None = None
    resolved: str = ""
    """The expression in numbers, where what was typed leaves them open."""
    occurrences: tuple[Coming, ...] = ()
    shortest: float | None = None
    longest: float | None = None
    often: str = ""
    left_out: str = ""
    """What a long gap is known by."""
    notices: tuple[preview.Notice, ...] = ()
    other: OtherReading | None = None

    @property
    def times(self) -> tuple[datetime, ...]:
        """When they are due."""
        return tuple(occurrence.due_at for occurrence in self.occurrences)

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
        timetable = form.timetable(now=now)
    except RuleError as error:
        form.add_rule_error(error)
        return Preview(errors=_texts(form))
    return _preview(form, timetable, now=now)


def _preview(form: RuleForm, timetable: Timetable, *, now: datetime) -> Preview:
    rule, n_left = timetable.rule, form.cleaned_data.get("max_runs")
    if n_left is not None and form.current:
        n_left = max(n_left - form.current.runs_created, 0)
    coming = planning.coming(timetable, after=now, n_left=n_left, skips=form.skips)
    found = tuple(itertools.islice(coming, N_COMPARED))
    gaps = _gaps(timetable, found, now=now, is_limited=n_left is not None)
    return Preview(
        words=describe(rule, **spoken()),
        resolved=resolved_of(rule),
        zone=form.zone,
        occurrences=found[:N_SHOWN],
        shortest=gaps[0].total_seconds() if gaps else None,
        longest=gaps[1].total_seconds() if gaps else None,
        often=how_often(rule, now=now),
        left_out=left_out(rule),
        notices=tuple(preview.notices(rule, now, **spoken())),
        other=_other(timetable, now=now),
    )


def _gaps(
    timetable: Timetable, found: Sequence[Coming], *, now: datetime, is_limited: bool
) -> tuple[timedelta, timedelta] | None:
    """Return the shortest and the longest gap: of the times found, or of a whole year where those do not reach far."""
    is_plain = not (timetable.jitter or timetable.end_at or is_limited or any(each.skipped for each in found))
    if is_plain and len(found) == N_COMPARED:
        return gaps_of_year(timetable.rule, now)
    return preview.shortest_and_longest_gap([each.due_at for each in found if not each.skipped])


def _other(timetable: Timetable, *, now: datetime) -> OtherReading | None:
    rule = preview.other_reading(timetable.rule)
    if rule is None:
        return None
    coming = planning.coming(replace(timetable, rule=rule), after=now, n_left=None, skips={})
    times = tuple(each.due_at for each in itertools.islice(coming, N_OF_OTHER))
    return OtherReading(words=describe(rule, **spoken()), times=times)


def resolved_of(rule: Rule) -> str:
    """Return the expression that a schedule's own hash has made of what was typed; empty where they are the same."""
    typed = getattr(rule, "typed", "")
    text = getattr(rule, "text", "")
    return text if typed and " ".join(typed.split()) != text else ""


def _texts(form: RuleForm) -> dict[str, list[str]]:
    return {name: [str(message) for message in messages] for name, messages in form.errors.items()}
