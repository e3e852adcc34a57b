"""When: rules, their fires and their words. Pure: no Django, no Celery, no clock, no I/O."""

from __future__ import annotations

from schedulerui.recurrence.fire import next_fire, upcoming
from schedulerui.recurrence.parse import parse_rule
from schedulerui.recurrence.rule import (
    ClockedRule,
    CrontabRule,
    IntervalRule,
    ManualRule,
    Rule,
    RuleError,
    SolarRule,
)
from schedulerui.recurrence.words import describe

__all__ = [
    "ClockedRule",
    "CrontabRule",
    "IntervalRule",
    "ManualRule",
    "Rule",
    "RuleError",
    "SolarRule",
    "describe",
    "next_fire",
    "parse_rule",
    "upcoming",
]
