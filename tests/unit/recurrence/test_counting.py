from __future__ import annotations

import bisect
import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from schedulerui.recurrence import next_fire, parse_rule
from schedulerui.recurrence.counting import n_fires, n_fires_over
from schedulerui.recurrence.cron import fires
from schedulerui.recurrence.walltime import midnight

INSTANT = timedelta(microseconds=1)
DAYS = {
    "Europe/Berlin": (date(2026, 3, 28), date(2026, 3, 29), date(2026, 6, 1), date(2026, 10, 25)),
    "America/New_York": (date(2027, 3, 14), date(2026, 11, 1), date(2026, 7, 4)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "America/Sao_Paulo": (date(2018, 11, 4),),  # midnight does not exist
    "UTC": (date(2026, 2, 28),),
}
RULES = (
    "30 2 * * *", "*/7 * * * *", "0,30 1-3 * * *", "5 */2 * * *", "* * * * *", "0 0 1 * *", "15 9 * * mon-fri", "0 4 29 2 *",
)  # fmt: skip


def crontab(expression, tz):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": "celery-and"})


def every(seconds, anchor):
    return parse_rule(
        {
            "kind": "interval",
            "tz": "UTC",
            "fields": {"every": seconds, "period": "seconds", "anchor": anchor},
        }
    )


def walked(rule, start, end):
    n, moment = 0, next_fire(rule, start - INSTANT)
    while moment is not None and moment < end:
        n, moment = n + 1, next_fire(rule, moment)
    return n


def parts_of(day, tz):
    """The whole day, a part from its middle, and one that begins between two minutes."""
    start, end = midnight(day, tz), midnight(day + timedelta(days=1), tz)
    yield start, end
    yield start + timedelta(hours=2, minutes=30), end
    yield start + timedelta(hours=1, seconds=30), start + timedelta(hours=9, minutes=15)


@pytest.mark.parametrize("tz", list(DAYS))
@pytest.mark.parametrize("expression", RULES)
def test_it_counts_what_next_fire_fires_on_every_kind_of_day(expression, tz):
    rule = crontab(expression, tz)
    for day in DAYS[tz]:
        for start, end in parts_of(day, tz):
            assert n_fires(rule, start, end) == walked(rule, start, end), (day, start, end)


@pytest.mark.parametrize("seconds", [7, 60, 3600, 90_000])
@pytest.mark.parametrize("offset", [0, 13, -40_000, 100_000])
def test_it_counts_an_interval_by_arithmetic_from_its_anchor_on(seconds, offset):
    start = datetime(2026, 5, 5, tzinfo=UTC)
    rule = every(seconds, start + timedelta(seconds=offset))
    end = start + timedelta(days=1)
    assert n_fires(rule, start, end) == walked(rule, start, end)


def test_it_counts_the_sun_once_a_day_and_a_single_moment_once():
    start, end = datetime(2026, 5, 5, tzinfo=UTC), datetime(2026, 5, 6, tzinfo=UTC)
    sun = parse_rule(
        {"kind": "solar", "tz": "UTC", "fields": {"event": "sunset", "latitude": 38.7, "longitude": -9.1}}
    )
    once = parse_rule({"kind": "clocked", "tz": "UTC", "fields": {"at_utc": start + timedelta(hours=5)}})
    by_hand = parse_rule({"kind": "manual", "tz": "UTC"})
    assert [n_fires(rule, start, end) for rule in (sun, once, by_hand)] == [1, 1, 0]
    assert n_fires(once, end, end + timedelta(days=1)) == 0


def test_nothing_fires_in_a_stretch_that_ends_before_it_begins():
    start = datetime(2026, 5, 5, tzinfo=UTC)
    assert n_fires(every(60, start), start, start - timedelta(hours=1)) == 0


@pytest.mark.parametrize("tz", list(DAYS))
@pytest.mark.parametrize("expression", RULES)
def test_it_counts_over_many_days_what_the_rule_fires(expression, tz):
    rule = crontab(expression, tz)
    for day in DAYS[tz]:
        start = midnight(day, tz) - timedelta(days=3, seconds=-1_830)
        ends = [start + timedelta(days=n_days, hours=7) for n_days in range(8)]
        fired = list(itertools.takewhile(ends[-1].__gt__, fires(rule, start - INSTANT)))
        for end in ends:
            n = bisect.bisect_left(fired, end)
            assert n_fires_over(rule, start, end, most_days=100) == (n, True), (start, end)


def test_it_counts_no_more_days_than_it_may_and_says_so():
    start = datetime(2026, 5, 5, 12, tzinfo=UTC)
    hourly = crontab("0 * * * *", "UTC")
    assert n_fires_over(hourly, start, start + timedelta(days=9), most_days=3) == (12 + 2 * 24, False)
    assert n_fires_over(hourly, start, start + timedelta(days=3), most_days=3) == (3 * 24, True)
