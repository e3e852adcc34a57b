"""One function for all kinds: beat, the previews, the calendar and the account of missed runs ask it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from schedulerui.recurrence import cron, interval, solar
from schedulerui.recurrence.rule import ClockedRule, CrontabRule, IntervalRule, Rule, SolarRule


def next_fire(rule: Rule, after: datetime) -> datetime | None:
    """Return the first fire (UTC) strictly after `after`, or None when there is none.

    `after` must be aware (any zone); a naive one raises ValueError. A solar rule raises RuleError when
    ephem is not installed.
    """
    return next(_fires(rule, after), None)


def upcoming(rule: Rule, after: datetime, n: int) -> list[datetime]:
    """Return the next `n` fires (UTC) strictly after `after` (aware), fewer when the rule ends."""
    return list(islice(_fires(rule, after), n))


def _fires(rule: Rule, after: datetime) -> Iterator[datetime]:
    if after.utcoffset() is None:
        raise ValueError("the moment to look from must be aware")
    try:
        after = after.astimezone(UTC)
    except OverflowError:
        # Within a day of an end of the calendar: in UTC it lies outside.
        if after.year > 1:
            return iter(())
        after = datetime.min.replace(tzinfo=UTC)
    if isinstance(rule, CrontabRule):
        return cron.fires(rule, after)
    return _one_by_one(rule, after)


def _one_by_one(rule: Rule, after: datetime) -> Iterator[datetime]:
    moment = _next_single(rule, after)
    while moment is not None:
        yield moment
        moment = _next_single(rule, moment)


def _next_single(rule: Rule, after: datetime) -> datetime | None:
    if isinstance(rule, IntervalRule):
        return interval.next_fire(rule, after)
    if isinstance(rule, SolarRule):
        return solar.next_fire(rule, after)
    if isinstance(rule, ClockedRule) and rule.at > after:
        return rule.at
    return None
