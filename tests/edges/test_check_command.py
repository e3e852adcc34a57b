"""`schedulerui check`: what it says and with which code it ends; and the monitor's scans."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Beat, Finding, Run, Schedule
from schedulerui.monitor import invariants
from schedulerui.operations import claims
from tests.edges.test_command import say, say_and_exit

pytestmark = pytest.mark.django_db


@pytest.fixture
def minutely(make_schedule):
    """Of every minute for five minutes, each time claimed as beat does."""
    now = clock.now()
    schedule = make_schedule(every=1, period="minutes", now=now - timedelta(minutes=5))
    for minute in range(5, -1, -1):
        at = now - timedelta(minutes=minute)
        lease = claims.Lease(owner="beat", until=at + timedelta(seconds=30))
        claims.claim_due(lease=lease, now=at, limit=10, touch=lambda: None)
    Run.objects.filter(state="pending").update(state="succeeded", lease_until=None)
    return schedule


def test_check_says_that_all_is_sound(minutely):
    said = say("check")
    assert "unaccounted     0" in said
    assert "No beat ticks" in said
    assert "The times of 1 schedule were compared" in said


def test_check_says_what_is_broken_and_ends_with_one(minutely):
    gone = Run.objects.order_by("nominal_at")[2]
    gone.delete()
    said, code = say_and_exit("check")
    assert code == 1
    assert "1 time of a schedule has no row in the history." in said
    assert f"{minutely.name}  no row for {gone.nominal_at:%Y-%m-%d %H:%M:%S} UTC" in said


def test_check_speaks_json(minutely):
    Beat.objects.create(host="h", pid=7, started_at=clock.now(), seen_at=clock.now())
    Schedule.objects.update(
        next_run_at=clock.now() - timedelta(hours=1), next_nominal_at=clock.now() - timedelta(hours=1)
    )
    said, code = say_and_exit("check", "--json", "--all", "--hours", "2")
    told = json.loads(said)
    assert (code, told["sound"], told["a_beat_ticks"]) == (1, False, True)
    assert told["found"]["overdue"]["count"] == 1
    assert told["found"]["overdue"]["examples"][0]["schedule"] == minutely.pk
    assert told["found"]["lease"] == {"count": 0, "is_lower_bound": False, "examples": []}


def test_the_monitor_scans_the_table_in_parts_and_keeps_what_it_saw(minutely, make_schedule, monkeypatch):
    monkeypatch.setattr(invariants, "SCHEDULES_A_SCAN", 1)
    make_schedule(every=1, period="hours", now=clock.now())
    gone = Run.objects.filter(schedule=minutely).order_by("nominal_at")[2]
    gone.delete()
    scans, now = invariants.Scans(), clock.now()
    assert [scans.scan(now) for _ in range(6)] == [1] * 6
    assert Finding.objects.get(kind="unaccounted").n == 1
    gone.pk = None
    gone.save(force_insert=True)
    told = [scans.scan(now) for _ in range(6)]
    assert (told[0], told[-1]) == (1, 0)
