"""What stands beside the next times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.recurrence import (
    describe,
    next_fire,
    notices,
    other_reading,
    parse_rule,
    shortest_and_longest_gap,
    upcoming,
)

SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


def crontab(expression, *, tz="Europe/Berlin", semantics="celery-and"):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": semantics})


def texts(rule, **options):
    return [notice.text for notice in notices(rule, SUMMER, **options)]


def test_a_fixed_time_is_told_both_transition_nights():
    assert texts(crontab("30 2 * * *")) == [
        "02:30 happens twice on Sunday 25 October 2026: runs the first time only",
        "02:30 does not exist on Sunday 28 March 2027: runs at 03:00",
    ]


def test_several_times_that_vanish_run_once():
    said = texts(crontab("0,30 2 * * *"))
    assert said[1] == "02:00 and 02:30 do not exist on Sunday 28 March 2027: runs once, at 03:00"


def test_an_interval_like_rule_leaves_out_and_repeats():
    assert texts(crontab("*/10 2 * * *")) == [
        "02:00 to 02:50 (6 times) happen twice on Sunday 25 October 2026: runs both times",
        "02:00 to 02:50 (6 times) do not exist on Sunday 28 March 2027: left out",
    ]


def test_going_on_in_real_time_is_no_warning():
    assert {notice.level for notice in notices(crontab("*/10 * * * *"), SUMMER)} == {"info"}
    assert {notice.level for notice in notices(crontab("30 2 * * *"), SUMMER)} == {"warn"}


@pytest.mark.parametrize("expression", ["30 4 * * *", "30 2 * * mon", "30 2 1 * *"])
def test_nothing_is_told_of_times_that_no_change_touches(expression):
    assert texts(crontab(expression)) == []


def test_a_zone_without_changes_has_no_notices():
    assert texts(crontab("30 2 * * *", tz="Asia/Tokyo")) == []


def test_a_change_far_away_is_told_when_its_fire_is_shown():
    rule = crontab("30 2 28 3 sun")
    assert texts(rule, fires=[])[1:] == ["02:30 does not exist on Sunday 28 March 2027: runs at 03:00"]
    later = datetime(2027, 4, 1, tzinfo=UTC)
    shown = upcoming(rule, later, 1)
    said = [notice.text for notice in notices(rule, later, fires=shown)]
    assert said[1:] == ["02:30 does not exist on Sunday 28 March 2032: runs at 03:00"]
    assert notices(rule, later)[1:] == []


def test_a_notice_names_the_instant_at_which_the_run_is_moved():
    rule = crontab("30 2 * * *")
    gap = notices(rule, SUMMER)[1]
    assert gap.at is not None
    assert next_fire(rule, gap.at - timedelta(seconds=1)) == gap.at


def test_a_midnight_that_does_not_exist_names_the_day_it_moves_to():
    rule = crontab("0 9 * * *", tz="Pacific/Apia")
    said = [notice.text for notice in notices(rule, datetime(2011, 12, 1, tzinfo=UTC))]
    assert (
        "09:00 does not exist on Friday 30 December 2011: runs at 00:00 on Saturday 31 December 2011" in said
    )


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        ("2027-03-28T02:30", ["02:30 does not exist on Sunday 28 March 2027: runs at 03:00"]),
        ("2026-10-25T02:30", ["02:30 happens twice on Sunday 25 October 2026: runs the first time only"]),
        ("2026-10-25T03:30", []),
        ("2026-06-01T12:00", ["There is no further run"]),
    ],
)
def test_a_single_moment_is_told_its_change(wall, said):
    assert texts(parse_rule({"kind": "clocked", "tz": "Europe/Berlin", "fields": {"at_local": wall}})) == said


def test_both_day_fields_are_pointed_out_with_their_meaning():
    assert "matches both" in texts(crontab("0 9 13 * 5"))[0]
    assert "matches either" in texts(crontab("0 9 13 * 5", semantics="vixie-or"))[0]


def test_a_rule_that_runs_very_often_is_pointed_out():
    fields = {"every": 4, "period": "seconds", "anchor": SUMMER}
    assert texts(parse_rule({"kind": "interval", "fields": fields})) == [
        "This runs more often than every 5 seconds"
    ]
    assert texts(parse_rule({"kind": "interval", "fields": fields | {"every": 5}})) == []


def test_a_rule_by_hand_needs_no_notice():
    assert texts(parse_rule({"kind": "manual"})) == []


def test_gaps_are_the_shortest_and_the_longest():
    week = upcoming(crontab("0 9 * * mon-fri", tz="UTC"), SUMMER, 10)
    assert shortest_and_longest_gap(week) == (timedelta(days=1), timedelta(days=3))
    assert shortest_and_longest_gap(week[:1]) is None


@pytest.mark.parametrize("semantics", ["celery-and", "vixie-or"])
def test_both_day_fields_can_be_read_the_other_way(semantics):
    rule = crontab("0 9 13 * 5", semantics=semantics)
    other = other_reading(rule)
    assert other is not None
    assert other == crontab("0 9 13 * 5", semantics="vixie-or" if semantics == "celery-and" else "celery-and")
    assert describe(other) != describe(rule)
    assert other_reading(other) == rule


@pytest.mark.parametrize(
    "expression", ["0 9 13 * *", "0 9 * * 5", "0 9 */2 * 5", "0 9 13 * */2", "0 9 1-31 * 5", "@monthly"]
)
@pytest.mark.parametrize("semantics", ["celery-and", "vixie-or"])
def test_there_is_no_other_reading_where_both_are_the_same(expression, semantics):
    assert other_reading(crontab(expression, semantics=semantics)) is None


def test_there_is_no_other_reading_that_never_runs():
    assert other_reading(crontab("0 0 31 2 mon", semantics="vixie-or")) is None
    assert other_reading(parse_rule({"kind": "manual"})) is None


def test_a_sun_that_does_not_rise_is_told():
    pole = {"event": "dawn_nautical", "latitude": 89.99, "longitude": 0}
    said = "The sun does not do this there within 366 days: there is no further run"
    assert texts(parse_rule({"kind": "solar", "fields": pole})) == [said]
    assert texts(parse_rule({"kind": "solar", "fields": pole | {"latitude": 50}})) == []


def test_notices_say_times_up_to_twelve_where_that_is_wanted():
    assert texts(crontab("30 14 25 10 *", tz="Asia/Tokyo"), clock12=True) == []
    assert texts(crontab("30 2 * * *"), clock12=True) == [
        "2:30 AM happens twice on Sunday 25 October 2026: runs the first time only",
        "2:30 AM does not exist on Sunday 28 March 2027: runs at 3:00 AM",
    ]
