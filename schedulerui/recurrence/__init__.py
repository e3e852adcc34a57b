"""When things fire: rules, the next fire, words for people, and the nights on which clocks change.

Pure: no Django, no Celery, no clock. Moments are passed in, and come back in UTC.
"""

from __future__ import annotations

from schedulerui.recurrence.fire import next_fire, upcoming
from schedulerui.recurrence.gaps import gaps_of_year, shortest_and_longest_gap
from schedulerui.recurrence.parse import parse_rule
from schedulerui.recurrence.phrases import uses_clock12
from schedulerui.recurrence.preview import Notice, notices, other_reading
from schedulerui.recurrence.rule import (
    ClockedRule,
    CrontabRule,
    IntervalRule,
    ManualRule,
    Rule,
    RuleError,
    SolarRule,
)
from schedulerui.recurrence.typed import resolve
from schedulerui.recurrence.words import describe
from schedulerui.recurrence.zones import known_zones, suggest_zone, zone

__all__ = [
    "ClockedRule",
    "CrontabRule",
    "IntervalRule",
    "ManualRule",
    "Notice",
    "Rule",
    "RuleError",
    "SolarRule",
    "describe",
    "gaps_of_year",
    "known_zones",
    "next_fire",
    "notices",
    "other_reading",
    "parse_rule",
    "resolve",
    "shortest_and_longest_gap",
    "suggest_zone",
    "upcoming",
    "uses_clock12",
    "zone",
]
