"""Interval rules: arithmetic on elapsed time, no loops."""

from __future__ import annotations

from datetime import UTC, datetime

from schedulerui.recurrence.rule import IntervalRule


def next_fire(rule: IntervalRule, after: datetime) -> datetime | None:
    """Return the first `anchor + k * every` (UTC, k >= 0) strictly after `after` (aware).

    None when it would lie behind the year 9999.
    """
    if after < rule.anchor:
        return rule.anchor
    steps = (after - rule.anchor) // rule.every + 1
    try:
        return (rule.anchor + steps * rule.every).astimezone(UTC)
    except OverflowError:
        return None
