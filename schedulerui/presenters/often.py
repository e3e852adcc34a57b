"""How often a rule fires, in words: counted over four years of its calendar, not walked through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from schedulerui.recurrence import ClockedRule, CrontabRule, IntervalRule, Rule, SolarRule
from schedulerui.recurrence.cron import matches_day
from schedulerui.recurrence.zones import zone

YEAR = 365.2425
_DAYS = 1461
"""Four years: one 29 February."""
_LAST_YEAR = 9990
_NEARLY = 0.95
"""A month is not as long as the next: what comes to 0.98 of it is once a month."""
_EXACT = 0.02
_WEEKEND = frozenset({0, 6})
_UNITS: tuple[tuple[float, Any], ...] = (
    (1.0, ngettext_lazy("%(n)s time a day", "%(n)s times a day", "count")),
    (7.0, ngettext_lazy("%(n)s time a week", "%(n)s times a week", "count")),
    (YEAR / 12, ngettext_lazy("%(n)s time a month", "%(n)s times a month", "count")),
    (YEAR, ngettext_lazy("%(n)s time a year", "%(n)s times a year", "count")),
)


def how_often(rule: Rule, *, now: datetime) -> str:
    """Return "5 times a week", "about 10 times a month"; empty for a rule that does not recur."""
    if isinstance(rule, ClockedRule):
        return _("once")
    per_day = _per_day(rule, now)
    if not per_day:
        return ""
    for days, words in _UNITS:
        if per_day * days >= _NEARLY:
            return _told(per_day * days, words)
    years = max(round(1 / (per_day * YEAR)), 1)
    return ngettext("once in %(n)d year", "once in %(n)d years", years) % {"n": years}


def left_out(rule: Rule) -> str:
    """Return what a person knows a long gap by: that no weekend is in it."""
    is_working = isinstance(rule, CrontabRule) and not rule.day_or and not _WEEKEND & set(rule.weekdays)
    return _("weekends excluded") if is_working else ""


def _told(n: float, words: Any) -> str:
    count = round(n)
    text: str = words % {"n": number_format(count, use_l10n=True, force_grouping=True), "count": count}
    return text if abs(n - count) <= _EXACT * max(count, 1) else _("about %(often)s") % {"often": text}


def _per_day(rule: Rule, now: datetime) -> float:
    if isinstance(rule, IntervalRule):
        return timedelta(days=1) / rule.every
    if isinstance(rule, SolarRule):
        return 1.0
    if not isinstance(rule, CrontabRule):
        return 0.0
    today = now.astimezone(zone(rule.tz)).date()
    if today.year > _LAST_YEAR:
        return 0.0
    n_days = sum(matches_day(rule, today + timedelta(days=n)) for n in range(_DAYS))
    return len(rule.hours) * len(rule.minutes) * n_days / _DAYS
