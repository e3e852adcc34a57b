"""The one function that says when: beat, previews and the account of missed runs all ask it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from schedulerui.recurrence.cron import next_crontab
from schedulerui.recurrence.rule import ClockedRule, CrontabRule, IntervalRule, ManualRule, Rule, SolarRule
from schedulerui.recurrence.solar import next_solar


def next_fire(rule: Rule, after: datetime) -> datetime | None:
    """Return the first fire strictly after an aware moment, in UTC; None when there is none.

    Raises ValueError for a naive moment.
    """
    if after.tzinfo is None:
        message = "next_fire needs an aware moment"
        raise ValueError(message)
    try:
        return _next(rule, after.astimezone(UTC))
    except OverflowError:
        return None  # beyond year 9999


def upcoming(rule: Rule, after: datetime, n: int) -> list[datetime]:
    """Return the next ``n`` fires strictly after an aware moment, in UTC; fewer when the rule ends before."""
    fires: list[datetime] = []
    moment = next_fire(rule, after) if n > 0 else None
    while moment is not None:
        fires.append(moment)
        moment = next_fire(rule, moment) if len(fires) < n else None
    return fires


def _next(rule: Rule, after: datetime) -> datetime | None:
    match rule:
        case CrontabRule():
            return next_crontab(rule, after)
        case IntervalRule():
            return _next_interval(rule, after)
        case ClockedRule():
            return rule.at if rule.at > after else None
        case SolarRule():
            return next_solar(rule, after)
        case ManualRule():
            return None
        case _:
            assert_never(rule)


def _next_interval(rule: IntervalRule, after: datetime) -> datetime:
    """Compute, rather than walk: elapsed time does not know clock changes."""
    if after < rule.anchor:
        return rule.anchor
    return rule.anchor + ((after - rule.anchor) // rule.every + 1) * rule.every
