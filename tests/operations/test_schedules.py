"""Create, edit, enable, disable, delete: what they change, what they refuse, what they write down."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.models import Change, Run, Schedule, ScheduleState
from schedulerui.operations import adoption, claims, schedules
from schedulerui.operations.errors import CodeManaged, InvalidSchedule, VersionConflict
from schedulerui.testing import DULL_WEDNESDAY as NOON

VALID = {
    "name": "nightly",
    "task": "tests.add",
    "kind": "crontab",
    "expression": "30 2 * * *",
    "tz": "Europe/Berlin",
}


def test_it_creates_a_schedule_with_its_next_run_its_state_and_an_audit_row(db, actor):
    schedule = schedules.create(VALID, actor=actor, now=NOON)
    stored = Schedule.objects.get(pk=schedule.pk)
    assert stored.next_run_at == stored.next_nominal_at == datetime(2026, 3, 5, 1, 30, tzinfo=UTC)
    assert ScheduleState.objects.filter(schedule=schedule).exists()
    change = Change.objects.get()
    assert (change.action, change.actor, change.via, change.version) == ("create", "ana", "browser", 1)


def test_an_interval_counts_from_its_creation_cut_to_the_second(make_schedule):
    schedule = make_schedule(every=5, now=NOON.replace(microsecond=700_000))
    assert schedule.anchor_at == NOON
    assert schedule.next_run_at == NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"task": ""}, "task"),
        ({"expression": "61 * * * *"}, "expression"),
        ({"expression": "0 0 30 2 *"}, "expression"),
        ({"expression": ""}, "expression"),
        ({"tz": "Europe"}, "tz"),
        ({"tz": "Mars/Base"}, "tz"),
        ({"kind": "interval", "every": 0, "period": "seconds"}, "every"),
        ({"kind": "interval", "every": 5, "period": "fortnights"}, "period"),
        ({"kind": "clocked"}, "clocked_at_local"),
        ({"kind": "solar", "solar_event": "sunrise", "latitude": 91, "longitude": 0}, "latitude"),
        ({"kind": "weekly"}, "kind"),
        ({"args": {"a": 1}}, "args"),
        ({"args": "abc"}, "args"),
        ({"kwargs": [1]}, "kwargs"),
        ({"headers": [1]}, "headers"),
        ({"kwargs": {"a": float("nan")}}, "kwargs"),
        ({"kwargs": {"a": "\x00"}}, "kwargs"),
        ({"description": "a\x00b"}, "description"),
        ({"name": "a\ud800"}, "name"),
        ({"description": "\udfff"}, "description"),
        ({"queue": "\ud800"}, "queue"),
        ({"args": [["\ud800"]]}, "args"),
        ({"kwargs": {"\ud800": 1}}, "kwargs"),
        ({"kwargs": {"a": [{"\x00": 1}]}}, "kwargs"),
        ({"headers": {"a": "\udc00"}}, "headers"),
        ({"priority": 256}, "priority"),
        ({"start_at": NOON, "end_at": NOON - timedelta(days=1)}, "end_at"),
        ({"soft_time_limit": 60, "time_limit": 30}, "soft_time_limit"),
        ({"max_runs": 0}, "max_runs"),
    ],
)
def test_it_refuses_values_that_no_schedule_can_have_and_names_the_field(db, actor, changes, field):
    with pytest.raises(InvalidSchedule) as refused:
        schedules.create({**VALID, **changes}, actor=actor, now=NOON)
    assert field in refused.value.errors
    assert all(message.strip() for message in refused.value.errors[field])
    assert not Schedule.objects.exists()


def test_it_refuses_arguments_nested_too_deep(db, actor):
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidSchedule) as refused:
        schedules.create({**VALID, "args": nested}, actor=actor, now=NOON)
    assert "args" in refused.value.errors


def test_it_refuses_a_name_that_is_taken(db, actor):
    schedules.create(VALID, actor=actor, now=NOON)
    with pytest.raises(InvalidSchedule) as refused:
        schedules.create(VALID, actor=actor, now=NOON)
    assert "name" in refused.value.errors


def test_check_says_the_same_without_writing(db):
    assert schedules.check(VALID, now=NOON) == {}
    assert "expression" in schedules.check({**VALID, "expression": "x"}, now=NOON)
    assert not Schedule.objects.exists()


def test_an_edit_of_the_rule_moves_the_next_run_and_raises_the_version(make_schedule, actor):
    schedule = make_schedule()
    edited = schedules.edit(
        schedule.pk, {"every": 2}, version=1, actor=actor, now=NOON + timedelta(seconds=10)
    )
    assert edited.version == 2
    assert Schedule.objects.get().next_run_at == NOON + timedelta(minutes=2)
    change = Change.objects.get(action="edit")
    assert change.diff == {"every": [1, 2]}


def test_an_edit_of_something_else_leaves_the_next_run_alone(make_schedule, actor):
    schedule = make_schedule()
    later = NOON + timedelta(minutes=5)
    schedules.edit(schedule.pk, {"description": "why"}, version=1, actor=actor, now=later)
    assert Schedule.objects.get().next_run_at == NOON + timedelta(minutes=1)


def test_the_second_of_two_editors_gets_a_conflict_and_changes_nothing(make_schedule, actor):
    schedule = make_schedule()
    schedules.edit(schedule.pk, {"description": "first"}, version=1, actor=actor, now=NOON)
    with pytest.raises(VersionConflict) as refused:
        schedules.edit(schedule.pk, {"description": "second"}, version=1, actor=actor, now=NOON)
    assert refused.value.current.description == "first"
    assert Schedule.objects.get().description == "first"


def test_an_edit_that_changes_nothing_writes_nothing(make_schedule, actor):
    schedule = make_schedule()
    assert schedules.edit(schedule.pk, {"every": 1}, version=1, actor=actor, now=NOON).version == 1
    assert not Change.objects.filter(action="edit").exists()


def test_a_change_of_kind_clears_the_fields_of_the_other_kind(make_schedule, actor):
    schedule = make_schedule()
    fields = {"kind": "crontab", "expression": "0 9 * * *"}
    schedules.edit(schedule.pk, fields, version=1, actor=actor, now=NOON)
    stored = Schedule.objects.get()
    assert (stored.every, stored.period, stored.anchor_at) == (None, "", None)


def test_disabling_takes_it_out_of_the_due_index_and_enabling_starts_from_now(make_schedule, actor):
    schedule = make_schedule()
    off = schedules.disable(schedule.pk, actor=actor, now=NOON)
    assert off.changed
    assert off.schedule.next_run_at is None
    on = schedules.enable(schedule.pk, actor=actor, now=NOON + timedelta(hours=1, seconds=5))
    assert on.changed
    assert on.schedule.next_run_at == NOON + timedelta(hours=1, minutes=1)


def test_nothing_runs_for_the_time_it_was_off(make_schedule, actor, sent):
    schedule = make_schedule()
    schedules.disable(schedule.pk, actor=actor, now=NOON)
    back = NOON + timedelta(hours=1)
    schedules.enable(schedule.pk, actor=actor, now=back)
    lease = claims.Lease(owner="beat", until=back + timedelta(seconds=30))
    claims.claim_due(lease=lease, now=back + timedelta(seconds=30), limit=10, touch=lambda: None)
    assert not Run.objects.exists()


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_a_second_press_of_the_same_switch_changes_nothing(make_schedule, actor, verb):
    schedule = make_schedule(enabled=verb == "disable")
    operation = getattr(schedules, verb)
    assert operation(schedule.pk, actor=actor, now=NOON).changed
    assert not operation(schedule.pk, actor=actor, now=NOON).changed
    assert Change.objects.filter(action=verb).count() == 1


def test_disabling_cancels_runs_that_were_claimed_and_not_sent(make_schedule, actor):
    schedule = make_schedule()
    due = NOON + timedelta(minutes=1)
    lease = claims.Lease(owner="beat", until=due + timedelta(seconds=30))
    claims.claim_due(lease=lease, now=due, limit=10, touch=lambda: None)
    schedules.disable(schedule.pk, actor=actor, now=due)
    assert Run.objects.get().state == "cancelled"


def test_deleting_keeps_its_runs_and_its_audit_rows(make_schedule, actor):
    schedule = make_schedule(name="old")
    due = NOON + timedelta(minutes=1)
    lease = claims.Lease(owner="beat", until=due + timedelta(seconds=30))
    claims.claim_due(lease=lease, now=due, limit=10, touch=lambda: None)
    schedules.delete(schedule.pk, actor=actor, now=due)
    assert not Schedule.objects.exists()
    assert Run.objects.get().schedule_name == "old"
    assert set(Change.objects.values_list("action", "schedule_name")) == {
        ("create", "old"),
        ("delete", "old"),
    }


def test_a_schedule_of_code_cannot_be_edited_or_deleted_by_a_person_but_switched(make_schedule, actor):
    schedule = make_schedule(source="code", source_key="k")
    with pytest.raises(CodeManaged):
        schedules.edit(schedule.pk, {"every": 2}, version=1, actor=actor, now=NOON)
    with pytest.raises(CodeManaged):
        schedules.delete(schedule.pk, actor=actor, now=NOON)
    assert schedules.disable(schedule.pk, actor=actor, now=NOON).changed


def test_enabling_a_schedule_whose_rule_was_broken_from_outside_shows_the_reason(make_schedule, actor):
    schedule = make_schedule(kind="crontab", expression="* * * * *", enabled=False)
    Schedule.objects.update(expression="99 * * * *")
    on = schedules.enable(schedule.pk, actor=actor, now=NOON)
    assert on.schedule.next_run_at is None
    assert "99" in on.schedule.error


def test_it_takes_the_uuid_that_a_preview_was_made_with(db, actor):
    wanted = uuid.uuid4()
    assert schedules.create({**VALID, "uuid": wanted}, actor=actor, now=NOON).uuid == wanted
    again = schedules.create({**VALID, "name": "again", "uuid": wanted}, actor=actor, now=NOON)
    assert again.uuid != wanted
    forged = uuid.UUID("8c30ab6f-916b-bede-650f-a522b79ca422")
    assert schedules.create({**VALID, "name": "forged", "uuid": forged}, actor=actor, now=NOON).uuid != forged


def test_it_does_not_take_the_uuid_of_a_deleted_schedule_with_runs(make_schedule, actor):
    gone = make_schedule()
    claims.claim_due(
        lease=claims.Lease(owner="one", until=NOON + timedelta(minutes=2)),
        now=NOON + timedelta(minutes=1),
        limit=5,
        touch=lambda: None,
    )
    schedules.delete(gone.pk, actor=actor, now=NOON)
    assert schedules.create({**VALID, "uuid": gone.uuid}, actor=actor, now=NOON).uuid != gone.uuid


def test_jitter_puts_off_the_next_run_and_is_at_most_a_day(db, actor):
    schedule = schedules.create({**VALID, "jitter": 86_400}, actor=actor, now=NOON)
    assert schedule.next_nominal_at is not None
    assert schedule.next_run_at is not None
    assert timedelta(0) < schedule.next_run_at - schedule.next_nominal_at < timedelta(days=1)
    with pytest.raises(InvalidSchedule) as refused:
        schedules.create({**VALID, "name": "wide", "jitter": 86_401}, actor=actor, now=NOON)
    assert set(refused.value.errors) == {"jitter"}


def test_it_takes_degrees_as_celery_gives_them(make_schedule):
    schedule = make_schedule(
        kind="solar", every=None, period="", solar_event="sunrise", latitude=52.5, longitude=13.4049540001
    )
    assert str(Schedule.objects.get(pk=schedule.pk).longitude) == "13.404954"


def test_a_schedule_of_code_spreads_alike_in_every_environment(db):
    entry = {"task": "tests.add", "kind": "crontab", "expression": "H H * * *", "jitter": 60}
    seen = set()
    for _environment in range(2):
        assert adoption.adopt({"nightly": entry}, now=NOON) == {}
        schedule = Schedule.objects.get()
        seen.add((schedule.uuid, schedule.next_run_at))
        schedule.delete()
    assert len(seen) == 1


ENTRY = {"task": "tests.add", "kind": "crontab", "expression": "30 2 * * *"}
OTHER = {**ENTRY, "expression": "0 5 * * *"}


def enabled():
    return dict(Schedule.objects.order_by("name").values_list("name", "enabled"))


def test_two_apps_on_one_database_leave_each_others_entries_alone(db):
    for _restart in range(2):
        assert adoption.adopt({"close": ENTRY, "clean": ENTRY}, app="shop", now=NOON) == {}
        assert adoption.adopt({"report": ENTRY}, app="books", now=NOON) == {}
        assert enabled() == {"clean": True, "close": True, "report": True}
    assert adoption.adopt({"close": ENTRY}, app="shop", now=NOON) == {}
    assert enabled() == {"clean": False, "close": True, "report": True}
    assert not Change.objects.filter(schedule_name="report").exclude(action="create").exists()


def test_an_entry_of_a_name_that_another_app_has_is_refused_unless_both_say_the_same(db):
    adoption.adopt({"clean": ENTRY, "close": ENTRY}, app="shop", now=NOON)
    refused = adoption.adopt({"clean": ENTRY, "close": OTHER}, app="books", now=NOON)
    assert list(refused) == ["close"]
    assert "the app 'shop' has another entry of this name" in refused["close"]
    assert enabled() == {"clean": True, "close": True}
    assert set(Schedule.objects.values_list("expression", flat=True)) == {"30 2 * * *"}


def test_rows_from_before_apps_were_noted_belong_to_the_app_that_has_their_entries(db):
    adoption.adopt({"close": ENTRY, "gone": ENTRY}, now=NOON)
    adoption.adopt({"close": OTHER}, app="shop", now=NOON)
    assert enabled() == {"close": True, "gone": False}
    assert Schedule.objects.get(name="close").source_app == "shop"
    assert Schedule.objects.get(name="close").expression == "0 5 * * *"


def test_a_form_opened_before_a_switch_gets_a_conflict_and_does_not_undo_it(make_schedule, actor):
    schedule = make_schedule()
    schedules.disable(schedule.pk, actor=actor, now=NOON)
    with pytest.raises(VersionConflict):
        schedules.edit(schedule.pk, {"enabled": True, "every": 2}, version=1, actor=actor, now=NOON)
    assert not Schedule.objects.get().enabled


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_a_switch_between_an_edits_read_and_write_is_never_undone(make_schedule, actor, monkeypatch, verb):
    schedule = make_schedule(enabled=verb == "disable")
    store = schedules.rewrite

    def after_a_switch(*args, **kwargs):
        getattr(schedules, verb)(schedule.pk, actor=actor, now=NOON)
        return store(*args, **kwargs)

    monkeypatch.setattr(schedules, "rewrite", after_a_switch)
    with pytest.raises(VersionConflict):
        schedules.edit(schedule.pk, {"every": 2}, version=1, actor=actor, now=NOON)
    stored = Schedule.objects.get()
    assert stored.enabled == (verb == "enable")
    assert (stored.next_run_at is not None) == stored.enabled


def test_a_switch_that_loses_a_race_tries_again(make_schedule, actor, monkeypatch):
    schedule = make_schedule()
    take = schedules.store_switch
    tries = []

    def loses_once(*args, **kwargs):
        tries.append(1)
        if len(tries) == 1:
            Schedule.objects.update(version=5)
        return take(*args, **kwargs)

    monkeypatch.setattr(schedules, "store_switch", loses_once)
    assert schedules.disable(schedule.pk, actor=actor, now=NOON).changed
    assert (len(tries), Schedule.objects.get().enabled, Schedule.objects.get().version) == (2, False, 6)
