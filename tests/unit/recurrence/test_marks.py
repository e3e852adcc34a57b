from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.recurrence import ClockedRule, parse_rule, upcoming
from schedulerui.recurrence.marks import mark_of


def crontab(expression, tz="Europe/Berlin"):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": "celery-and"})


def marks(rule, after, n):
    return [(f"{at:%d %H:%M}", mark_of(rule, at)) for at in upcoming(rule, after, n)]


def test_a_time_that_is_left_out_is_marked_where_it_runs_instead():
    assert marks(crontab("30 2 * * *"), datetime(2026, 3, 28, 12, tzinfo=UTC), 2) == [
        ("29 01:00", "moved"), ("30 00:30", ""),
    ]  # fmt: skip


def test_a_time_that_comes_twice_and_runs_once_is_marked_as_the_first():
    assert marks(crontab("30 2 * * *"), datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == [
        ("25 00:30", "first"), ("26 01:30", ""),
    ]  # fmt: skip


def test_a_rule_for_all_hours_is_marked_at_both():
    found = marks(crontab("30 * * * *"), datetime(2026, 10, 24, 23, 45, tzinfo=UTC), 3)
    assert found == [("25 00:30", "first"), ("25 01:30", "second"), ("25 02:30", "")]
    assert {
        mark for _at, mark in marks(crontab("30 * * * *"), datetime(2026, 3, 28, 12, tzinfo=UTC), 24)
    } == {""}


@pytest.mark.parametrize(
    ("wall", "mark"), [("2027-03-28T02:15:00", "moved"), ("2027-10-31T02:15:00", "first"), ("2027-03-28T03:00:00", "")]
)  # fmt: skip
def test_a_single_wall_time_is_marked_too(wall, mark):
    rule = parse_rule({"kind": "clocked", "tz": "Europe/Berlin", "fields": {"at_local": wall}})
    assert isinstance(rule, ClockedRule)
    assert mark_of(rule, rule.at) == mark


def test_nothing_is_marked_without_a_change_or_at_the_ends_of_the_calendar():
    assert mark_of(crontab("30 2 * * *", "UTC"), datetime(2026, 3, 29, 2, 30, tzinfo=UTC)) == ""
    end = datetime.max.replace(tzinfo=UTC) - timedelta(minutes=1)
    assert mark_of(crontab("* * * * *"), end) == ""
