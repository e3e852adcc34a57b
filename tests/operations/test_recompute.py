"""Computing next runs anew after an update of the zone data."""

from __future__ import annotations

from datetime import timedelta

from schedulerui.models import Change, Schedule
from schedulerui.operations import recompute
from schedulerui.testing import DULL_WEDNESDAY as NOON

HOUR = timedelta(hours=1)


def as_by_older_zone_data(schedule):
    """Store a next run an hour off, as data from before a government's decision would give it."""
    Schedule.objects.filter(pk=schedule.pk).update(
        next_nominal_at=schedule.next_nominal_at + HOUR, next_run_at=schedule.next_run_at + HOUR
    )


def nightly(make_schedule, **fields):
    return make_schedule(
        kind="crontab", expression="30 2 * * *", every=None, period="", tz="Europe/Berlin", **fields
    )


def test_it_moves_what_the_new_zone_data_moves_and_says_so(make_schedule, actor):
    moved, still = nightly(make_schedule), nightly(make_schedule)
    as_by_older_zone_data(moved)
    (told,) = recompute.recompute(actor=actor, now=NOON)
    assert (told.schedule.pk, told.before, told.after) == (
        moved.pk,
        moved.next_run_at + HOUR,
        moved.next_run_at,
    )
    assert Schedule.objects.get(pk=moved.pk).next_run_at == moved.next_run_at
    assert Schedule.objects.get(pk=still.pk).next_run_at == still.next_run_at
    (change,) = Change.objects.filter(action="recompute")
    assert change.schedule_id == moved.pk
    assert moved.next_run_at.isoformat() in change.note


def test_a_dry_run_tells_the_same_and_writes_nothing(make_schedule, actor):
    schedule = nightly(make_schedule)
    as_by_older_zone_data(schedule)
    (told,) = recompute.recompute(actor=actor, now=NOON, dry_run=True)
    assert told.after == schedule.next_run_at
    assert Schedule.objects.get().next_run_at == schedule.next_run_at + HOUR
    assert not Change.objects.filter(action="recompute").exists()


def test_it_leaves_alone_what_is_off_due_or_waiting_for_its_jitter(make_schedule, actor):
    nightly(make_schedule, enabled=False)
    overdue = nightly(make_schedule)
    spread = make_schedule(kind="crontab", expression="0 * * * *", every=None, period="", jitter=3_600)
    waiting = spread.next_nominal_at + (spread.next_run_at - spread.next_nominal_at) / 2
    Schedule.objects.filter(pk=overdue.pk).update(next_nominal_at=NOON, next_run_at=NOON)
    assert list(recompute.recompute(actor=actor, now=waiting)) == []


def test_a_schedule_whose_rule_cannot_be_read_any_more_goes_into_error(make_schedule, actor):
    schedule = nightly(make_schedule)
    Schedule.objects.filter(pk=schedule.pk).update(tz="Europe/Atlantis")
    (told,) = recompute.recompute(actor=actor, now=NOON)
    assert told.after is None
    assert "Atlantis" in told.error
    assert Schedule.objects.get().error


def test_it_goes_through_more_schedules_than_one_batch(make_schedule, actor, monkeypatch):
    monkeypatch.setattr(recompute, "BATCH", 2)
    for _ in range(5):
        as_by_older_zone_data(nightly(make_schedule))
    assert len(list(recompute.recompute(actor=actor, now=NOON))) == 5
