"""Skipping one time that is to come: what is stored, what beat makes of it, what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Change, Run, Schedule
from schedulerui.operations import claims, schedules, skips
from schedulerui.operations.errors import InvalidSchedule, NotComing
from schedulerui.presenters.coming import coming_of
from schedulerui.testing import DULL_WEDNESDAY as NOON

MINUTE = timedelta(minutes=1)


def claim(now):
    lease = claims.Lease(owner="one", until=now + MINUTE)
    return claims.claim_due(lease=lease, now=now, limit=50, touch=lambda: None)


def skip(schedule, *, minutes=1, reason="holiday", actor, now=NOON):
    return skips.skip_next(
        schedule.pk, nominal_at=NOON + minutes * MINUTE, reason=reason, actor=actor, now=now
    )


def test_a_skipped_time_becomes_a_skipped_run_with_the_reason(make_schedule, actor):
    schedule = make_schedule(max_runs=2)
    assert skip(schedule, actor=actor).changed
    for minute in (1, 2, 3, 4):
        claim(NOON + minute * MINUTE)
    rows = list(Run.objects.order_by("nominal_at").values_list("state", "reason"))
    assert rows == [("skipped", "skipped by ana: holiday"), ("pending", ""), ("pending", "")]


def test_skipping_writes_an_audit_row_and_leaves_version_and_next_run_alone(make_schedule, actor):
    schedule = make_schedule()
    skip(schedule, actor=actor)
    stored = Schedule.objects.get()
    assert (stored.version, stored.next_run_at) == (schedule.version, schedule.next_run_at)
    change = Change.objects.get(action="skip")
    assert change.note == "2026-03-04T12:01:00+00:00: holiday"


def test_skipping_twice_changes_nothing_the_second_time(make_schedule, actor):
    schedule = make_schedule()
    skip(schedule, actor=actor)
    assert not skip(schedule, reason="another", actor=actor).changed
    assert [entry["reason"] for entry in Schedule.objects.get().skips] == ["holiday"]


def test_what_is_coming_shows_the_skipped_time_with_its_reason(make_schedule, actor):
    schedule = make_schedule(max_runs=3)
    skip(schedule, minutes=2, actor=actor)
    coming = coming_of(Schedule.objects.get(), now=NOON)
    assert [each.skipped for each in coming.occurrences] == ["", "skipped by ana: holiday", "", ""]


def test_a_skip_that_is_taken_back_runs_after_all(make_schedule, actor):
    schedule = make_schedule()
    skip(schedule, actor=actor)
    assert skips.unskip(schedule.pk, nominal_at=NOON + MINUTE, actor=actor, now=NOON).changed
    claim(NOON + MINUTE)
    assert Run.objects.get().state == "pending"
    assert Change.objects.filter(action="unskip").exists()
    assert not skips.unskip(schedule.pk, nominal_at=NOON + 5 * MINUTE, actor=actor, now=NOON).changed


def test_a_skip_cannot_be_taken_back_when_its_time_is_over(make_schedule, actor):
    schedule = make_schedule()
    skip(schedule, actor=actor)
    claim(NOON + MINUTE)
    with pytest.raises(NotComing):
        skips.unskip(
            schedule.pk, nominal_at=NOON + MINUTE, actor=actor, now=NOON + MINUTE + timedelta(seconds=1)
        )


@pytest.mark.parametrize("seconds", [-60, 0, 30, 90])
def test_only_a_time_to_come_can_be_skipped(make_schedule, actor, seconds):
    schedule = make_schedule()
    with pytest.raises(NotComing):
        skips.skip_next(
            schedule.pk, nominal_at=NOON + timedelta(seconds=seconds), reason="x", actor=actor, now=NOON
        )
    assert not Schedule.objects.get().skips


def test_a_time_beyond_the_end_of_the_window_cannot_be_skipped(make_schedule, actor):
    schedule = make_schedule(end_at=NOON + MINUTE)
    with pytest.raises(NotComing):
        skip(schedule, minutes=2, actor=actor)


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 301])
def test_a_skip_needs_a_reason_of_bearable_length(make_schedule, actor, reason):
    with pytest.raises(InvalidSchedule) as refused:
        skip(make_schedule(), reason=reason, actor=actor)
    assert refused.value.errors["reason"]


def test_past_skips_are_forgotten_and_fifty_are_the_most(make_schedule, actor):
    schedule = make_schedule()
    for minute in range(1, 51):
        skip(schedule, minutes=minute, actor=actor)
    with pytest.raises(InvalidSchedule):
        skip(schedule, minutes=51, actor=actor)
    later = NOON + MINUTE + timedelta(seconds=1)
    claim(later)
    assert skip(schedule, minutes=51, actor=actor, now=later).changed
    assert len(Schedule.objects.get().skips) == 50


def test_a_schedule_of_code_may_skip_too(make_schedule, actor):
    schedule = make_schedule(source="code", source_key="x")
    assert skip(schedule, actor=Actor(name="ana", via="browser")).changed


def test_a_broken_list_of_skips_puts_one_schedule_into_error_and_no_other(make_schedule, actor):
    broken, sound = make_schedule(), make_schedule()
    Schedule.objects.filter(pk=broken.pk).update(skips=[7])
    claim(NOON + MINUTE)
    assert "cannot be read" in Schedule.objects.get(pk=broken.pk).error
    assert [run.schedule_id for run in Run.objects.all()] == [sound.pk]
    assert coming_of(Schedule.objects.get(pk=broken.pk), now=NOON).problem


def test_an_edit_keeps_the_occurrence_that_its_jitter_puts_off(make_schedule, actor):
    schedule = make_schedule(kind="crontab", expression="0 * * * *", every=None, period="", jitter=3_600)
    due_at = schedule.next_run_at
    nominal_at = schedule.next_nominal_at
    waiting = nominal_at + (due_at - nominal_at) / 2
    edited = schedules.edit(
        schedule.pk, {"end_at": NOON + timedelta(days=9)}, version=1, actor=actor, now=waiting
    )
    assert (edited.next_nominal_at, edited.next_run_at) == (nominal_at, due_at)


def test_an_edit_does_not_bring_back_what_beat_has_just_dispatched(make_schedule, actor):
    schedule = make_schedule()
    claim(NOON + MINUTE)
    behind = NOON + timedelta(seconds=58)  # the clock of the web server is two seconds slow
    schedules.edit(schedule.pk, {"end_at": NOON + timedelta(days=9)}, version=1, actor=actor, now=behind)
    assert Schedule.objects.get().next_nominal_at == NOON + 2 * MINUTE
    claim(NOON + 2 * MINUTE)
    assert Run.objects.count() == 2
    assert Schedule.objects.get().error == ""
