"""Specifications: each mistake is a RuleError that names its field, and nothing else escapes."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import (
    ClockedRule,
    IntervalRule,
    Rule,
    RuleError,
    SolarRule,
    describe,
    next_fire,
    parse_rule,
)

INTERVAL = {"every": 15, "period": "minutes", "anchor": "2026-01-01T00:00:00Z"}
PARIS = {"event": "sunset", "latitude": 48.85, "longitude": 2.35}


def refused(spec):
    with pytest.raises(RuleError) as caught:
        parse_rule(spec)
    assert caught.value.message
    return caught.value.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"every": None}, "every"),
        ({"every": 0}, "every"),
        ({"every": -5}, "every"),
        ({"every": True}, "every"),
        ({"every": "15"}, "every"),
        ({"every": 0.5}, "every"),
        ({"every": math.nan}, "every"),
        ({"every": 2147483647, "period": "days"}, "every"),
        ({"every": 10**400}, "every"),
        ({"period": "minute"}, "period"),
        ({"period": "months"}, "period"),
        ({"period": None}, "period"),
        ({"period": ["minutes"]}, "period"),
        ({"anchor": None}, "anchor"),
        ({"anchor": "2026-01-01T00:00:00"}, "anchor"),
        ({"anchor": "0001-01-01T00:00:00+14:00"}, "anchor"),
        ({"anchor": "9999-12-31T23:59:59-14:00"}, "anchor"),
        ({"anchor": "yesterday"}, "anchor"),
        ({"anchor": "\u0662026-01-01T00:00:00Z"}, "anchor"),
        ({"anchor": "2026-01-01T00:00:00Z\x00"}, "anchor"),
        ({"anchor": "2" * 100_000}, "anchor"),
        ({"anchor": "2026-02-30T00:00:00Z"}, "anchor"),
        ({"anchor": date(2026, 1, 1)}, "anchor"),
        ({"anchor": 1767225600}, "anchor"),
        ({"anchor": datetime(2026, 1, 1)}, "anchor"),  # noqa: DTZ001 - that is what is wrong
        ({"anchor": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "anchor"),
    ],
)
def test_it_refuses_an_interval(changes, field):
    assert refused({"kind": "interval", "fields": INTERVAL | changes}) == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "at_utc"),
        ({"at_utc": "2026-01-01T00:00:00"}, "at_utc"),
        ({"at_utc": "0001-01-01T00:00:00Z"}, "at_utc"),
        ({"at_utc": "2026-01-01T00:00:00Z", "at_local": "2026-01-01T00:00:00"}, "at_utc"),
        ({"at_local": "2026-01-01T00:00:00Z"}, "at_local"),
        ({"at_local": ""}, "at_local"),
        ({"at_local": "25:00"}, "at_local"),
        ({"at_local": datetime(9999, 12, 31)}, "at_local"),  # noqa: DTZ001 - wall time
    ],
)
def test_it_refuses_a_single_moment(fields, field):
    assert refused({"kind": "clocked", "fields": fields}) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event": "noon"}, "event"),
        ({"event": None}, "event"),
        ({"latitude": 90.1}, "latitude"),
        ({"latitude": math.nan}, "latitude"),
        ({"latitude": Decimal("sNaN")}, "latitude"),
        ({"latitude": True}, "latitude"),
        ({"latitude": "48.85"}, "latitude"),
        ({"longitude": -math.inf}, "longitude"),
        ({"longitude": 10**400}, "longitude"),
        ({"longitude": None}, "longitude"),
    ],
)
def test_it_refuses_a_solar_rule(changes, field):
    assert refused({"kind": "solar", "fields": PARIS | changes}) == field


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "kind"),
        ({"kind": "cron"}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": ["manual"]}, "kind"),
        ([], "kind"),
        (None, "kind"),
        ({"kind": "crontab"}, "expression"),
        ({"kind": "crontab", "expression": 5}, "expression"),
        ({"kind": "crontab", "expression": b"* * * * *"}, "expression"),
        ({"kind": "crontab", "expression": " "}, "expression"),
        ({"kind": "crontab", "expression": "* * * * *", "semantics": "or"}, "semantics"),
        ({"kind": "crontab", "expression": "* * * * *", "semantics": None}, "semantics"),
        ({"kind": "interval"}, "period"),
        ({"kind": "interval", "fields": "every"}, "period"),
        ({"kind": "manual", "tz": None}, "tz"),
        ({"kind": "manual", "tz": 1}, "tz"),
    ],
)
def test_it_refuses_a_specification(spec, field):
    assert refused(spec) == field


def test_other_kinds_ignore_the_meaning_of_day_fields():
    assert isinstance(
        parse_rule({"kind": "interval", "fields": INTERVAL, "semantics": "anchored-elapsed"}), IntervalRule
    )


def test_moments_may_be_texts_or_datetimes_in_any_zone():
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    for anchor in ("2026-01-01T00:00:00Z", "2026-01-01T02:00+02:00", there):
        rule = parse_rule({"kind": "interval", "fields": INTERVAL | {"anchor": anchor}})
        assert isinstance(rule, IntervalRule)
        assert rule.anchor == datetime(2026, 1, 1, tzinfo=UTC)
        assert rule.anchor.tzinfo is UTC


def test_a_wall_time_is_kept_beside_its_moment():
    rule = parse_rule({"kind": "clocked", "tz": "Europe/Paris", "fields": {"at_local": "2027-03-28T02:30"}})
    assert isinstance(rule, ClockedRule)
    assert rule.at == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert rule.wall == datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 - wall time


def test_degrees_may_be_decimals():
    place = {"event": "sunset", "latitude": Decimal("48.85"), "longitude": Decimal("2.35")}
    assert parse_rule({"kind": "solar", "fields": place}) == parse_rule({"kind": "solar", "fields": PARIS})
    assert isinstance(parse_rule({"kind": "solar", "fields": place}), SolarRule)


def values():
    """Anything that a form, a file or a broken row could hold, with right values among it."""
    right = st.sampled_from(
        [
            "crontab",
            "interval",
            "clocked",
            "solar",
            "manual",
            "* * * * *",
            "30 2 * * mon",
            "@daily",
            "H H/2 * * *",
            "UTC",
            "Europe/Paris",
            "celery-and",
            "vixie-or",
            "minutes",
            "weeks",
            "sunset",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
            5,
        ]
    )
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.text(),
        st.text(alphabet="0123456789*/-, \tabcjnsuMON@H()\u0663"),
        st.binary(max_size=5),
        st.datetimes(timezones=st.one_of(st.none(), st.timezones())),
        st.dates(),
        st.timedeltas(),
    )
    return st.one_of(right, plain, st.lists(plain, max_size=3))


def specs():
    field_names = ("every", "period", "anchor", "at_utc", "at_local", "event", "latitude", "longitude")
    fields = st.dictionaries(st.sampled_from(field_names) | st.text(), values(), max_size=6)
    kinds = st.sampled_from(["crontab", "interval", "clocked", "solar", "manual"])
    return st.fixed_dictionaries(
        {"kind": st.one_of(kinds, values())},
        optional={
            "expression": values(),
            "fields": st.one_of(fields, values()),
            "tz": st.one_of(st.sampled_from(["UTC", "Europe/Paris"]), values()),
            "semantics": values(),
            "seed": values(),
        },
    )


@given(specs())
@settings(max_examples=400, deadline=None, database=None)
def test_any_mapping_gives_a_rule_that_works_or_a_sentence(spec):
    rule = rule_or_error(spec)
    if isinstance(rule, RuleError):
        assert rule.field.isidentifier()
        assert rule.message.isprintable()
    else:
        assert describe(rule)
        hash(rule)
        next_fire(rule, datetime(2026, 5, 5, tzinfo=UTC))


def rule_or_error(spec) -> Rule | RuleError:
    try:
        return parse_rule(spec)
    except RuleError as error:
        return error
