"""Solar rules, against Celery's own."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.schedules import solar as celery_solar
from hypothesis import given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import RuleError, next_fire, parse_rule, upcoming
from schedulerui.recurrence.solar import EVENTS, load_ephem


def sun(event, latitude, longitude):
    fields = {"event": event, "latitude": latitude, "longitude": longitude}
    return parse_rule({"kind": "solar", "tz": "UTC", "fields": fields})


def test_it_knows_the_events_of_celery():
    celery: Any = celery_solar  # its tables are not in the published types
    assert set(EVENTS) == celery._all_events
    for name, event in EVENTS.items():
        assert event.method == celery._methods[name]
        assert event.horizon == celery._horizons[name]
        assert event.by_centre == celery._use_center_l[name]


@given(
    st.sampled_from(sorted(EVENTS)),
    st.floats(-48, 48),  # the sun goes down by 18 degrees each day of the year up to here
    st.floats(-180, 180),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
)
@settings(max_examples=60, deadline=None, database=None)
def test_it_fires_when_celery_does_where_the_event_happens_daily(event, latitude, longitude, naive):
    theirs: Any = celery_solar(event, latitude, longitude)
    expected = theirs._next_event(load_ephem().Date(naive)).datetime().replace(tzinfo=UTC)
    base = naive.replace(tzinfo=UTC)
    fire = next_fire(sun(event, latitude, longitude), base)
    assert fire is not None
    if expected - base > timedelta(minutes=1):
        assert abs(fire - expected) < timedelta(minutes=1)


@given(
    st.sampled_from(sorted(EVENTS)),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
)
@settings(max_examples=60, deadline=None, database=None)
def test_a_fire_never_comes_back_a_moment_later(event, latitude, longitude, naive):
    rule, base = sun(event, latitude, longitude), naive.replace(tzinfo=UTC)
    fires = upcoming(rule, base, 4)
    # Within half a degree of the pole the sun crosses its horizon many hours earlier from one turn to the next.
    apart = timedelta(hours=20 if abs(latitude) < 89.5 else 12)
    for earlier, later in itertools.pairwise(fires):
        assert later - earlier >= apart
        assert next_fire(rule, later - timedelta(seconds=1)) == later


def test_days_without_the_event_are_skipped():
    # Kiruna: the sun does not set from late May to mid July.
    fires = upcoming(sun("sunset", 67.86, 20.23), datetime(2025, 5, 25, tzinfo=UTC), 5)
    gaps = [later - earlier for earlier, later in itertools.pairwise(fires)]
    assert max(gaps) > timedelta(days=40)


def test_an_event_that_does_not_come_within_a_year_is_none():
    # Around the pole the sun never reaches 18 degrees below the horizon twice a day, but it rises once a year.
    assert next_fire(sun("dawn_civil", 0, 0), datetime(9000, 1, 1, tzinfo=UTC)) is None
    assert next_fire(sun("sunrise", 90, 0), datetime(2025, 5, 1, tzinfo=UTC)) is None


def test_it_says_how_to_install_ephem_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(RuleError) as caught:
        sun("sunrise", 1, 2)
    assert caught.value.field == "event"
    assert "schedulerui[solar]" in caught.value.message
