"""The arithmetic of load agrees with the function that fires, but for the hour that a zone skips or repeats."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulerui.recurrence import next_fire, parse_rule
from schedulerui.recurrence.load import by_quarter

START = datetime(2026, 3, 2, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def rule_of(expression, tz="UTC"):
    return parse_rule(
        {
            "kind": "crontab",
            "tz": tz,
            "semantics": "celery-and",
            "expression": expression,
            "fields": {},
            "seed": "x",
        }
    )


def counted(rule, *, start, end):
    found: Counter[datetime] = Counter()
    for at, n in by_quarter(rule, start=start, end=end):
        found[at] += n
    return found


def fired(rule, *, start, end):
    found: Counter[datetime] = Counter()
    moment = next_fire(rule, start - timedelta(microseconds=1))
    while moment is not None and moment < end:
        found[moment - (moment - START) % QUARTER] += 1
        moment = next_fire(rule, moment)
    return found


@pytest.mark.parametrize(
    ("expression", "tz"),
    [
        ("*/5 * * * *", "UTC"),
        ("30 2 * * *", "Europe/Berlin"),
        ("0,59 9-17 * * 1-5", "America/New_York"),
        ("7 3 1,15 * *", "Asia/Tokyo"),
        ("0 0 29 2 *", "UTC"),
        ("* * * * *", "Australia/Sydney"),
    ],
)
def test_it_counts_what_fires(expression, tz):
    rule, end = rule_of(expression, tz), START + timedelta(days=3)
    assert counted(rule, start=START, end=end) == fired(rule, start=START, end=end)


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=5),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=4),
    days=st.sets(st.integers(0, 6), min_size=1, max_size=7),
)
def test_it_counts_what_fires_whatever_the_fields(minutes, hours, days):
    expression = " ".join(",".join(map(str, sorted(field))) for field in (minutes, hours)) + " * * "
    rule = rule_of(expression + ",".join(map(str, sorted(days))))
    end = START + timedelta(days=8)
    assert counted(rule, start=START, end=end) == fired(rule, start=START, end=end)


def test_a_night_that_skips_an_hour_differs_by_that_hour_alone():
    rule = rule_of("30 * * * *", "Europe/Berlin")
    start = datetime(2026, 3, 29, tzinfo=UTC)
    end = start + timedelta(hours=6)
    difference = sum(counted(rule, start=start, end=end).values()) - sum(
        fired(rule, start=start, end=end).values()
    )
    assert abs(difference) <= 1
