from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Change, Schedule
from schedulerui.operations import audit, restoring, schedules
from schedulerui.operations.errors import CodeManaged, InvalidSchedule, VersionConflict

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANA = Actor(name="ana", via="browser")


@pytest.fixture
def schedule():
    fields = {
        "name": "Nightly",
        "task": "tests.add",
        "kind": "crontab",
        "expression": "30 2 * * *",
        "args": [1],
    }
    return schedules.create(fields, actor=ANA, now=NOW)


def first_version(schedule):
    return Change.objects.filter(schedule=schedule).earliest("id")


def edit(schedule, **fields):
    current = Schedule.objects.get(pk=schedule.pk)
    return schedules.edit(schedule.pk, fields, version=current.version, actor=ANA, now=NOW)


def restore(schedule, change=None, **options):
    version = options.pop("version", None) or Schedule.objects.get(pk=schedule.pk).version
    change = change or first_version(schedule)
    return restoring.restore(schedule.pk, change.pk, version=version, actor=ANA, now=LATER, **options)


def test_it_brings_back_every_value_also_of_another_kind_and_plans_anew(schedule):
    as_created = audit.snapshot(Schedule.objects.get(pk=schedule.pk))
    edit(
        schedule,
        name="Sundown",
        kind="solar",
        solar_event="sunset",
        latitude=52.5,
        longitude=13.4,
        args=[2],
        start_at=NOW,
        priority=3,
        tags="night",
    )

    restored = restore(schedule)

    assert audit.snapshot(Schedule.objects.get(pk=schedule.pk)) == as_created
    assert restored.version == 3
    assert restored.next_run_at == datetime(2026, 3, 5, 2, 30, tzinfo=UTC)


def test_a_version_of_another_kind_comes_back_with_its_numbers_and_moments(schedule):
    edit(schedule, kind="solar", solar_event="sunset", latitude=52.5, longitude=13.4, start_at=NOW)
    solar = audit.snapshot(Schedule.objects.get(pk=schedule.pk))
    change = Change.objects.latest("id")
    edit(schedule, kind="interval", every=5, period="minutes")

    restore(schedule, change)

    assert audit.snapshot(Schedule.objects.get(pk=schedule.pk)) == solar


def test_it_writes_who_brought_back_which_version(schedule):
    edit(schedule, expression="0 5 * * *")
    restore(schedule)
    change = Change.objects.latest("id")
    assert (change.action, change.actor, change.note, change.version) == ("restore", "ana", "version 1", 3)
    assert change.diff == {"expression": ["0 5 * * *", "30 2 * * *"]}


def test_it_writes_nothing_when_all_is_as_it_was(schedule):
    before = Change.objects.count()
    assert restore(schedule).version == 1
    assert Change.objects.count() == before


def test_it_starts_and_stops_nothing(schedule):
    edit(schedule, expression="0 5 * * *")
    schedules.disable(schedule.pk, actor=ANA, now=NOW)
    restore(schedule)
    found = Schedule.objects.get(pk=schedule.pk)
    assert (found.enabled, found.expression, found.next_run_at) == (False, "30 2 * * *", None)


def test_without_the_right_to_values_arguments_stay_as_they_are(schedule):
    edit(schedule, expression="0 5 * * *", args=[2], kwargs={"a": 1}, headers={"h": 1})
    restore(schedule, with_values=False)
    found = Schedule.objects.get(pk=schedule.pk)
    assert (found.expression, found.args, found.kwargs, found.headers) == (
        "30 2 * * *",
        [2],
        {"a": 1},
        {"h": 1},
    )


def test_fields_that_are_no_more_are_left_out_and_newer_ones_stay(schedule):
    edit(schedule, expression="0 5 * * *", owner="team")
    change = first_version(schedule)
    change.snapshot = {
        **change.snapshot,
        "crontab_id": 7,
        "version": 99,
        "next_run_at": "2020-01-01T00:00:00+00:00",
    }
    del change.snapshot["owner"]
    change.save()
    restore(schedule)
    found = Schedule.objects.get(pk=schedule.pk)
    assert (found.expression, found.owner, found.version) == ("30 2 * * *", "team", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expression", "99 * * * *"),
        ("kind", "lunar"),
        ("tz", "Mars/Olympus"),
        ("priority", "many"),
        ("start_at", "yesterday"),
        ("latitude", "north"),
        ("args", {"no": "list"}),
        ("task", None),
        ("name", "x" * 400),
        ("max_runs", -1),
    ],
)
def test_values_that_are_wrong_today_are_refused_and_said(schedule, name, value):
    edit(schedule, expression="0 5 * * *")
    change = first_version(schedule)
    change.snapshot = {**change.snapshot, name: value}
    change.save()
    with pytest.raises(InvalidSchedule) as refused:
        restore(schedule)
    assert refused.value.errors
    found = restoring.restoration(schedule, change, now=LATER, with_values=True)
    assert found.errors.keys() == refused.value.errors.keys()
    assert Schedule.objects.get(pk=schedule.pk).expression == "0 5 * * *"


def test_a_name_that_somebody_else_took_is_refused(schedule):
    edit(schedule, name="Renamed")
    schedules.create({"name": "Nightly", "task": "tests.add", "kind": "manual"}, actor=ANA, now=NOW)
    with pytest.raises(InvalidSchedule) as refused:
        restore(schedule)
    assert refused.value.errors.keys() == {"name"}


def test_who_looked_at_an_older_version_is_refused(schedule):
    edit(schedule, expression="0 5 * * *")
    with pytest.raises(VersionConflict):
        restore(schedule, version=1)


def test_what_is_defined_in_code_is_refused(schedule):
    Schedule.objects.filter(pk=schedule.pk).update(source="code", source_key="nightly")
    with pytest.raises(CodeManaged):
        restore(schedule)


def test_a_change_of_another_schedule_or_without_values_is_no_version_of_it(schedule):
    other = schedules.create({"name": "Other", "task": "tests.add", "kind": "manual"}, actor=ANA, now=NOW)
    with pytest.raises(Change.DoesNotExist):
        restore(schedule, first_version(other))
    Change.objects.filter(schedule=schedule).update(snapshot={})
    with pytest.raises(Change.DoesNotExist):
        restore(schedule)
