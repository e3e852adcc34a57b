"""Schedules of django-celery-beat become ours: each trap of its rows, on rows as it keeps them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Change, Schedule
from schedulerui.moving import importing, rows
from schedulerui.moving.draft import Outcome, Surroundings
from schedulerui.testing import DULL_WEDNESDAY
from tests.old_tables import old_tables

pytestmark = pytest.mark.django_db
NOW = DULL_WEDNESDAY
BEFORE = NOW - timedelta(minutes=5)
AROUND = Surroundings(now=NOW, zone="Europe/Berlin")
ACTOR = Actor(name="ana", via="command")
ACCEPTED, CHANGED, DISABLED, SKIPPED = Outcome
EVERY_MINUTE = {"interval": (1, "minutes")}
NIGHTLY = {"crontab": "30 3 * * *"}


@pytest.fixture(scope="module")
def tables(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), old_tables("2.9") as old:
        yield old


def take_over(around=AROUND):
    drafts = importing.plan(rows.read(), around)
    importing.carry_out(drafts, actor=ACTOR, now=around.now)
    return drafts


@pytest.fixture
def import_row(tables):
    def do(name="report", *, around=AROUND, **columns):
        tables.add(name, **columns)
        (draft,) = take_over(around)
        return draft, Schedule.objects.filter(source="import").first()

    return do


CASES: dict[str, tuple[Any, ...]] = {
    "an interval": (EVERY_MINUTE, ACCEPTED, "", {"kind": "interval", "every": 1, "period": "minutes"}),
    "an interval of days": ({"interval": (3, "days")}, ACCEPTED, "", {"every": 3, "period": "days"}),
    "microseconds that are seconds": (
        {"interval": (2_000_000, "microseconds")}, CHANGED, "2 seconds", {"every": 2, "period": "seconds"},
    ),
    "microseconds": ({"interval": (500_000, "microseconds")}, DISABLED, "whole seconds", {"kind": "manual"}),
    "an interval of nothing": ({"interval": (0, "seconds")}, DISABLED, "not above zero", {"kind": "manual"}),
    "an interval backwards": ({"interval": (-5, "minutes")}, DISABLED, "not above zero", {"kind": "manual"}),
    "an interval of centuries": ({"interval": (99_999, "days")}, DISABLED, "100 years", {"kind": "manual"}),
    "an unknown period": ({"interval": (2, "lunes")}, DISABLED, "'lunes' is unknown", {"kind": "manual"}),
    "a crontab": (
        NIGHTLY, ACCEPTED, "", {"kind": "crontab", "expression": "30 3 * * *", "tz": "UTC", "semantics": "celery-and"},
    ),
    "a crontab with a zone": ({**NIGHTLY, "zone": "Asia/Tokyo"}, ACCEPTED, "", {"tz": "Asia/Tokyo"}),
    "a crontab without a zone": ({**NIGHTLY, "zone": ""}, ACCEPTED, "", {"tz": "Europe/Berlin"}),
    "a zone that is none": ({**NIGHTLY, "zone": "Mars/Base"}, DISABLED, "Mars/Base", {"kind": "manual"}),
    "both days": ({"crontab": "0 0 13 * fri"}, ACCEPTED, "", {"expression": "0 0 13 * fri", "semantics": "celery-and"}),
    "a range that wraps": ({"crontab": "0 22-2 * nov-feb fri-mon"}, ACCEPTED, "", {"expression": "0 22-2 * nov-feb fri-mon"}),
    "spaces in a list": ({"crontab": ("0, 30", "*", "*", "*", "*")}, ACCEPTED, "", {"expression": "0,30 * * * *"}),
    "names in full": ({"crontab": "0 9 * january monday"}, ACCEPTED, "", {"expression": "0 9 * jan mon"}),
    "weekday 7": ({"crontab": "0 9 * * 7"}, DISABLED, "has never run, and here it would", {"expression": "0 9 * * 7"}),
    "weekdays to 7": ({"crontab": "0 9 * * 5-7"}, DISABLED, "Celery refuses", {"kind": "crontab"}),
    "30 February": ({"crontab": "0 0 30 2 *"}, DISABLED, "0 0 30 2 * in UTC", {"kind": "manual"}),
    "a step beyond the field": ({"crontab": "*/70 * * * *"}, CHANGED, "is written as '0'", {"expression": "0 * * * *"}),
    "a sign": ({"crontab": "+5 * * * *"}, CHANGED, "is written as '5'", {"expression": "5 * * * *"}),
    "a weekday for a minute": ({"crontab": "MON * * * *"}, CHANGED, "is written as '1'", {"expression": "1 * * * *"}),
    "a step without a range": ({"crontab": "5/10 * * * *"}, DISABLED, "cannot read its crontab", {"kind": "manual"}),
    "words of others": ({"crontab": "0 0 L * ?"}, DISABLED, "cannot read its crontab", {"kind": "manual"}),
    "an empty field": ({"crontab": ("", "*", "*", "*", "*")}, DISABLED, "cannot read its crontab", {"kind": "manual"}),
    "lists as long as can be": (
        {"crontab": (",".join(map(str, range(59))), ",".join(map(str, range(23))), ",".join(map(str, range(1, 31))), "*", "*")},
        CHANGED, "written as ranges", {"expression": "0-58 0-22 1-30 * *"},
    ),
    "the sun": (
        {"solar": ("sunrise", "52.520000", "13.400000")}, ACCEPTED, "", {"kind": "solar", "solar_event": "sunrise"},
    ),
    "an unknown doing of the sun": ({"solar": ("teatime", "1", "1")}, DISABLED, "teatime", {"kind": "manual"}),
    "a place that is none": ({"solar": ("sunset", "91", "1")}, DISABLED, "cannot be kept", {"kind": "manual"}),
    "a moment to come": (
        {"clocked": NOW + timedelta(days=1), "one_off": True}, ACCEPTED, "",
        {"kind": "clocked", "clocked_at_utc": NOW + timedelta(days=1), "next_run_at": NOW + timedelta(days=1)},
    ),
    "a moment that has passed": ({"clocked": BEFORE, "one_off": True}, DISABLED, "has not run; it is not made up for", {"kind": "clocked"}),
    "a moment that has run": ({"clocked": BEFORE, "one_off": True, "total_run_count": 1}, DISABLED, "has run", {"max_runs": None}),
    "a moment that has run and is off": ({"clocked": BEFORE, "one_off": True, "enabled": False}, ACCEPTED, "is off", {"enabled": False}),
    "once": ({**NIGHTLY, "one_off": True}, ACCEPTED, "", {"max_runs": 1}),
    "once, and it has run": ({**NIGHTLY, "one_off": True, "total_run_count": 1}, DISABLED, "to run once and has run", {"max_runs": 1}),
    "no time at all": ({}, DISABLED, "no time", {"kind": "manual"}),
    "a time that is gone": ({"interval_id": 4_711}, DISABLED, "is gone", {"kind": "manual"}),
    "two times": ({**NIGHTLY, **EVERY_MINUTE}, CHANGED, "more than one time; the interval", {"kind": "interval"}),
    "off": ({**NIGHTLY, "enabled": False}, ACCEPTED, "It is off, as before", {"enabled": False, "next_run_at": None}),
    "arguments": (
        {**NIGHTLY, "args": "[1, \"ä\"]", "kwargs": '{"a": null}', "headers": '{"x": "y"}'}, ACCEPTED, "",
        {"args": [1, "ä"], "kwargs": {"a": None}, "headers": {"x": "y"}},
    ),
    "no texts": ({**NIGHTLY, "args": "", "kwargs": " ", "headers": None}, ACCEPTED, "", {"args": [], "kwargs": {}, "headers": {}}),
    "args that are no JSON": ({**NIGHTLY, "args": "(1, 2)"}, DISABLED, "args cannot be read", {"args": ["(1, 2)"]}),
    "args that are an object": ({**NIGHTLY, "args": '{"a": 1}'}, DISABLED, "must be a JSON list", {"args": ['{"a": 1}']}),
    "args that are a text": ({**NIGHTLY, "args": '"abc"'}, DISABLED, "must be a JSON list", {"args": ['"abc"']}),
    "kwargs that are a list": ({**NIGHTLY, "kwargs": "[1]"}, DISABLED, "must be a JSON object", {"kwargs": {"unreadable": "[1]"}}),
    "headers that are no JSON": ({**NIGHTLY, "headers": "oops"}, DISABLED, "headers cannot be read", {"headers": {"unreadable": "oops"}}),
    "headers that are a list": ({**NIGHTLY, "headers": "[1]"}, DISABLED, "must be", {"headers": {"unreadable": "[1]"}}),
    "a number that is none": ({**NIGHTLY, "args": "[NaN]"}, DISABLED, "NaN is no number", {"args": ["[NaN]"]}),
    "a NUL inside a text": ({**NIGHTLY, "args": '["\\u0000"]'}, DISABLED, "cannot be stored", {"args": ['["\\u0000"]']}),
    "nested too deep": ({**NIGHTLY, "args": "[" * 40 + "]" * 40}, DISABLED, "Nested deeper", {"args": ["[" * 40 + "]" * 40]}),
    "nested beyond all reason": ({**NIGHTLY, "args": "[" * 90_000}, DISABLED, "args cannot be read", {"args": ["[" * 10_000]}),
    "args that are too long": ({**NIGHTLY, "args": json.dumps(['"ä' * 40_000])}, DISABLED, "its first 10000 characters are kept", {"kind": "crontab"}),
    "a number beyond all": ({**NIGHTLY, "args": "[1e999]"}, DISABLED, "args cannot be kept", {"args": ["[1e999]"]}),
    "routing": (
        {**NIGHTLY, "queue": "high", "exchange": "e", "routing_key": "r", "priority": 0}, ACCEPTED, "",
        {"queue": "high", "exchange": "e", "routing_key": "r", "priority": 0},
    ),
    "empty routing": (
        {**NIGHTLY, "queue": "", "exchange": "", "routing_key": "", "priority": None}, ACCEPTED, "",
        {"queue": "", "exchange": "", "routing_key": "", "priority": None},
    ),
    "a priority too high": ({**NIGHTLY, "priority": 300}, DISABLED, "priority 300", {"priority": None}),
    "messages that expire": ({**NIGHTLY, "expire_seconds": 90}, ACCEPTED, "", {"expires_after": 90}),
    "messages that expire after nothing": ({**NIGHTLY, "expire_seconds": 0}, ACCEPTED, "", {"expires_after": None}),
    "an end": ({**NIGHTLY, "expires": NOW + timedelta(days=9)}, ACCEPTED, "end is kept", {"end_at": NOW + timedelta(days=9)}),
    "an end that has passed": ({**NIGHTLY, "expires": BEFORE}, DISABLED, "It ended on 2026-03-04 11:55", {"end_at": BEFORE}),
    "a start": (
        {**EVERY_MINUTE, "start_time": NOW + timedelta(days=1)}, ACCEPTED, "",
        {"start_at": NOW + timedelta(days=1), "next_run_at": NOW + timedelta(days=1)},
    ),
    "an end before its start": ({**NIGHTLY, "start_time": NOW + timedelta(days=9), "expires": NOW + timedelta(days=8)}, DISABLED, "end_at", {"end_at": None}),
    "no task": ({**NIGHTLY, "task": ""}, SKIPPED, "names no task", None),
}  # fmt: skip
"""What a row is, what becomes of it, a part of what is said about it, and columns of the schedule; None for no schedule."""


@pytest.mark.parametrize("what", CASES)
def test_it_imports_a_row_that_has(what, import_row):
    columns, outcome, words, expected = CASES[what]
    draft, schedule = import_row(**columns)
    assert (draft.outcome, words in ". ".join(draft.said)) == (outcome, True), draft.said
    if expected is None:
        assert schedule is None
        return
    assert {name: getattr(schedule, name) for name in expected} == expected
    assert (schedule.name, schedule.source, schedule.task) == ("report", "import", "tests.add")
    assert schedule.enabled == (columns.get("enabled", True) and outcome is not DISABLED)
    assert (schedule.next_run_at is None) == (not schedule.enabled)
    if outcome is DISABLED:
        assert "Switched off by the import from django-celery-beat:" in schedule.description
        assert words in schedule.description


def test_it_waits_for_the_first_time_after_now_in_the_rhythm_of_the_last_run(import_row):
    draft, schedule = import_row(
        interval=(10, "minutes"), last_run_at=NOW - timedelta(minutes=34, microseconds=9)
    )
    assert schedule.next_run_at == NOW + timedelta(minutes=6) - timedelta(seconds=1)
    assert draft.outcome is ACCEPTED
    assert "It was due at 2026-03-04 11:35:59 UTC" in " ".join(draft.said)


def test_it_runs_when_several_were_missed_and_when_others_run_as_their_beat_did(import_row):
    _draft, schedule = import_row(**NIGHTLY)
    assert (schedule.misfire, schedule.overlap, schedule.catchup_window) == ("latest", "allow", None)


def test_it_forgets_times_as_old_as_the_starting_deadline_of_celery_says(import_row):
    _draft, schedule = import_row(**NIGHTLY, around=replace(AROUND, starting_deadline=3_600))
    assert schedule.catchup_window == 3_600


def test_it_reads_crontabs_in_the_zone_of_the_app_when_theirs_was_not_heeded(import_row):
    draft, schedule = import_row(**NIGHTLY, zone="Asia/Tokyo", around=replace(AROUND, is_zone_of_row=False))
    assert schedule.tz == "Europe/Berlin"
    assert (draft.outcome, "and not Asia/Tokyo" in draft.said[0]) == (CHANGED, True)


def test_it_shortens_names_that_are_too_long_and_keeps_them_apart(tables):
    old = [tables.add("x" * 199 + end, **NIGHTLY) for end in "ab"]
    drafts = take_over()
    assert {draft.outcome for draft in drafts} == {CHANGED}
    names = set(Schedule.objects.values_list("name", flat=True))
    assert names == {("x" * 190)[: -len(f"~{row.pk}")] + f"~{row.pk}" for row in old}


def test_it_gives_a_row_without_a_name_one(import_row):
    draft, schedule = import_row("", **NIGHTLY)
    assert schedule.name == f"django-celery-beat {draft.old.pk}"


@pytest.mark.parametrize("is_on", [True, False])
def test_it_leaves_entries_of_the_code_to_beat(is_on, import_row):
    draft, schedule = import_row(
        **NIGHTLY, enabled=is_on, around=replace(AROUND, code_names=frozenset({"report"}))
    )
    assert (draft.outcome, schedule) == (SKIPPED, None)
    assert "beat_schedule" in draft.skipped
    assert ("switch it off again" in draft.skipped) is not is_on


def test_it_leaves_the_clean_up_of_results_to_beat(import_row):
    draft, schedule = import_row("celery.backend_cleanup", task="celery.backend_cleanup", **NIGHTLY)
    assert (draft.outcome, schedule) == (SKIPPED, None)
    assert rows.look() == rows.Found(n_rows=0, n_imported=0)


def test_it_skips_a_name_that_is_there(import_row, make_schedule):
    mine = make_schedule(name="report")
    draft, schedule = import_row(**NIGHTLY)
    assert (draft.skipped, schedule) == ("There is a schedule of this name already", None)
    assert Schedule.objects.get().pk == mine.pk


def test_it_imports_once_however_often_it_is_called(tables):
    tables.add("a", **NIGHTLY)
    take_over()
    Schedule.objects.update(name="renamed")
    tables.add("b", **NIGHTLY)
    assert [draft.said for draft in take_over()] == [["It was imported before, and is 'renamed' here"], []]
    assert set(Schedule.objects.values_list("name", flat=True)) == {"renamed", "b"}
    assert rows.look() == rows.Found(n_rows=2, n_imported=2)


def test_it_writes_to_the_audit_log_what_the_row_was_and_what_was_said(import_row):
    draft, schedule = import_row(crontab="0 9 * * 7", total_run_count=34, last_run_at=BEFORE)
    change = Change.objects.get()
    assert (change.action, change.actor, change.via, change.schedule_id) == (
        "create",
        "ana",
        "command",
        schedule.pk,
    )
    assert (
        f"row {draft.old.pk} of django-celery-beat, sent 34 times there, last at 2026-03-04 11:55:00 UTC"
        in change.note
    )
    assert "Celery refuses its crontab" in change.note


def test_it_keeps_what_cannot_be_read_out_of_the_description(import_row):
    """A description is seen by people who may not see values."""
    _draft, schedule = import_row(**NIGHTLY, kwargs='{"password": "hunter2"', description="Mind the gap.")
    assert schedule.description.startswith("Mind the gap.\n\nSwitched off")
    assert "hunter2" not in schedule.description
    assert "hunter2" in json.dumps(schedule.kwargs)


def test_it_leaves_nothing_behind_when_one_schedule_cannot_be_stored(tables):
    tables.add("a", **NIGHTLY)
    tables.add("b", **NIGHTLY)
    drafts = importing.plan(rows.read(), AROUND)
    drafts[1].fields["no_such_field"] = 1
    with pytest.raises(TypeError):
        importing.carry_out(drafts, actor=ACTOR, now=NOW)
    assert not Schedule.objects.exists()


def test_it_goes_on_when_somebody_takes_a_name_meanwhile(tables, make_schedule):
    tables.add("a", **NIGHTLY)
    tables.add("b", **NIGHTLY)
    drafts = importing.plan(rows.read(), AROUND)
    make_schedule(name="a")
    importing.carry_out(drafts, actor=ACTOR, now=NOW)
    assert [draft.outcome for draft in drafts] == [SKIPPED, ACCEPTED]
    assert Schedule.objects.get(source="import").name == "b"
