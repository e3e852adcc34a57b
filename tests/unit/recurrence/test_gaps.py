"""The shortest and the longest gap of a year, against walking the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import RuleError, gaps_of_year, parse_rule, shortest_and_longest_gap, upcoming
from schedulerui.recurrence.cron import fires
from schedulerui.recurrence.gaps import _end
from tests.unit.recurrence import strategies as some
from tests.unit.recurrence.scale import scaled

SUMMER = datetime(2026, 7, 1, 10, 17, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def crontab(expression, *, tz="Europe/Berlin", semantics="celery-and"):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": semantics})


@pytest.mark.parametrize(
    ("expression", "shortest", "longest"),
    [
        ("* * * * *", MINUTE, MINUTE),
        # 200 fires are two days, which overlook the weekend; one is an hour longer than the others.
        ("*/5 9-17 * * 1-5", 5 * MINUTE, 2 * DAY + 16 * HOUR + 5 * MINUTE),
        ("30 2 * * *", DAY - 30 * MINUTE, DAY + HOUR),
        ("0 12 * * *", DAY - HOUR, DAY + HOUR),
        ("*/30 * 1 * *", 30 * MINUTE, 30 * DAY + 90 * MINUTE),
        ("0 0 29 2 *", 1461 * DAY, 1461 * DAY),
    ],
)
def test_gaps_are_those_of_the_whole_year(expression, shortest, longest):
    assert gaps_of_year(crontab(expression), SUMMER) == (shortest, longest)


@given(
    some.crontabs(),
    some.semantics,
    some.zones,
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - made aware below
)
@settings(max_examples=scaled(20, 500), deadline=None, database=None)
def test_gaps_are_those_found_by_walking(rule, semantics, zone, naive):
    try:
        subject = crontab(" ".join(field.text for field in rule), tz=zone, semantics=semantics)
    except RuleError:
        assume(False)
    after = naive.replace(tzinfo=UTC)
    end = _end(subject, after)
    walked = list(takewhile(lambda fire: fire < end, fires(subject, after)))
    if len(walked) < 2:
        walked = upcoming(subject, after, 2)
    assert gaps_of_year(subject, after) == shortest_and_longest_gap(walked)


def test_other_kinds_have_gaps_too():
    interval = {"every": 90, "period": "minutes", "anchor": SUMMER}
    assert gaps_of_year(parse_rule({"kind": "interval", "fields": interval}), SUMMER) == (
        90 * MINUTE,
        90 * MINUTE,
    )
    noon = {"event": "solar_noon", "latitude": 50, "longitude": 10}
    found = gaps_of_year(parse_rule({"kind": "solar", "fields": noon}), SUMMER)
    assert found is not None
    assert DAY - MINUTE < found[0] < DAY < found[1] < DAY + MINUTE
    assert gaps_of_year(parse_rule({"kind": "manual"}), SUMMER) is None
    once = parse_rule({"kind": "clocked", "fields": {"at_utc": "2026-12-24T17:00:00Z"}})
    assert gaps_of_year(once, SUMMER) is None


@pytest.mark.parametrize("year", [1, 9998])
def test_gaps_are_found_at_the_ends_of_the_calendar(year):
    after = datetime(year, 12, 1, tzinfo=UTC)
    assert gaps_of_year(crontab("0 * * * *", tz="UTC"), after) == (HOUR, HOUR)
