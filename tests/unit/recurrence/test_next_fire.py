"""Fire times against the definition, and at the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import takewhile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import RuleError, next_fire, parse_rule, upcoming
from schedulerui.recurrence.cron import fires, next_day
from tests.counting import calls_of
from tests.unit.recurrence import strategies as some
from tests.unit.recurrence.scale import scaled
from tests.unit.recurrence.walk import day_matches, transitions, walk

DAY = timedelta(days=1)


def crontab(expression, *, tz="UTC", semantics="celery-and"):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": semantics})


def parsed(rule, semantics, tz):
    try:
        return crontab(" ".join(field.text for field in rule), tz=tz, semantics=semantics)
    except RuleError as error:
        if error.field != "day_of_month":
            raise  # only a date that can never occur is wrong with these
        return None


@lru_cache(maxsize=64)
def moments_of_interest(zone):
    years = range(2011, 2013) if zone == "Pacific/Apia" else range(2017, 2019)
    return transitions(zone, years) or [datetime(2017, 3, 1, tzinfo=UTC)]


@given(some.crontabs(), some.semantics, some.zones, st.data())
@settings(max_examples=scaled(1000, 10_000), deadline=None, database=None)
def test_it_fires_as_the_definition_says_around_changes_of_the_clock(rule, semantics, zone, data):
    subject = parsed(rule, semantics, zone)
    assume(subject is not None)
    change = data.draw(st.sampled_from(moments_of_interest(zone)))
    base = change + timedelta(
        minutes=data.draw(st.integers(-1500, 200)), seconds=data.draw(st.integers(0, 1))
    )
    end = change + DAY
    got = list(takewhile(lambda fire: fire <= end, fires(subject, base)))
    assert got == walk(rule, semantics, zone, base, end)


@given(some.crontabs(), some.semantics, st.dates(date(1971, 1, 1), date(2090, 1, 1)))
@settings(max_examples=scaled(100, 2000), deadline=None, database=None)
def test_it_finds_the_days_that_the_definition_names(rule, semantics, first):
    subject = parsed(rule, semantics, "UTC")
    assume(subject is not None)
    slow = next(
        (first + n * DAY for n in range(41 * 366) if day_matches(rule, semantics, first + n * DAY)), None
    )
    assert next_day(subject, first) == slow


@given(some.crontabs(), some.semantics, some.zones, st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
@settings(max_examples=100, deadline=None, database=None)
def test_the_following_fires_are_those_found_one_by_one(rule, semantics, zone, naive):
    subject = parsed(rule, semantics, zone)
    assume(subject is not None)
    base = naive.replace(tzinfo=UTC)
    one_by_one, moment = [], base
    for _ in range(5):
        moment = next_fire(subject, moment)
        if moment is None:
            break
        one_by_one.append(moment)
    assert upcoming(subject, base, 5) == one_by_one
    assert all(later > earlier for earlier, later in zip([base, *one_by_one], one_by_one, strict=False))
    assert all(fire.tzinfo is UTC for fire in one_by_one)


def test_a_fixed_time_on_a_day_that_a_zone_skipped_fires_at_its_end():
    # Samoa had no 30 December 2011.
    rule = crontab("0 9 * * *", tz="Pacific/Apia")
    fired = upcoming(rule, datetime(2011, 12, 29, 20, tzinfo=UTC), 2)
    assert fired == [datetime(2011, 12, 30, 10, tzinfo=UTC), datetime(2011, 12, 30, 19, tzinfo=UTC)]


def test_it_ends_when_a_rule_only_ever_matches_skipped_minutes():
    # The last Sunday of March has no 02:xx in Paris, and an interval-like rule does not make up for it.
    rule = crontab("*/5 2 25-31 3 sun", tz="Europe/Paris")
    assert next_fire(rule, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_it_finds_a_leap_day_on_a_weekday_across_a_century_without_one():
    rule = crontab("0 0 29 2 mon")
    assert next_fire(rule, datetime(2072, 3, 1, tzinfo=UTC)) == datetime(2112, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize("tz", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("hours", [-14, 0, 14])
@pytest.mark.parametrize("edge", ["first", "last"])
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "crontab", "expression": "* * * * *"},
        {"kind": "crontab", "expression": "30 2 29 2 1"},
        {"kind": "interval", "fields": {"every": 36500, "period": "days", "anchor": "9990-01-01T00:00:00Z"}},
        {"kind": "clocked", "fields": {"at_utc": "2026-01-01T00:00:00Z"}},
        {"kind": "solar", "fields": {"event": "sunset", "latitude": 1, "longitude": 179}},
        {"kind": "manual"},
    ],
)
def test_it_gives_a_time_or_none_at_the_ends_of_the_calendar(fields, edge, hours, tz):
    moment = datetime(1, 1, 1) if edge == "first" else datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - made aware below
    after = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    fire = next_fire(parse_rule({**fields, "tz": tz}), after)
    assert fire is None or fire > after
    if edge == "last":
        assert fire is None


def test_a_moment_in_another_zone_is_the_same_moment():
    rule = crontab("30 2 * * *", tz="Europe/Berlin")
    there = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    assert next_fire(rule, there) == next_fire(rule, there.astimezone(UTC))


def test_it_refuses_a_naive_moment():
    with pytest.raises(ValueError, match="aware"):
        next_fire(crontab("* * * * *"), datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is wrong


def test_an_interval_far_from_its_anchor_is_computed_at_once():
    rule = parse_rule(
        {"kind": "interval", "fields": {"every": 1, "period": "seconds", "anchor": "1970-01-01T00:00:00Z"}}
    )
    after = datetime(9000, 1, 1, tzinfo=UTC)
    assert next_fire(rule, after) == after + timedelta(seconds=1)


def test_a_rule_by_hand_never_fires():
    assert upcoming(parse_rule({"kind": "manual"}), datetime(2026, 1, 1, tzinfo=UTC), 3) == []


@pytest.mark.parametrize(
    ("expression", "most"),
    [
        ("* * * * *", 200),
        ("*/5 * * * *", 200),
        ("30 2 * * *", 600),
        ("0 9 * * mon-fri", 800),
        ("0 9 13 * 5", 16_000),
        ("0 0 1 1 *", 7_500),
        ("0 0 29 2 1", 47_000),
    ],
)
def test_ten_fires_are_cheap(expression, most):
    # Most is one and a half of what it took when it took 0.02 to 4 ms (tests/benchmarks/test_recurrence.py measures that).
    rule, base = crontab(expression, tz="Europe/Berlin"), datetime(2026, 5, 5, tzinfo=UTC)
    assert calls_of(lambda: upcoming(rule, base, 10)) <= most
