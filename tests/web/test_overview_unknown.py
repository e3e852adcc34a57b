"""What nobody can know now is "unknown" on the overview, with the reason, and never nought."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Alert, Beat, Finding
from tests.web.people import a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return clock.now()


def tile(label: str) -> str:
    """The words of one tile."""
    tiles = text_of(logged_in("view").get("/")).partition('id="overview-tiles"')[2].partition("</section>")[0]
    return tiles.partition(f">{label}<")[2].partition("</a>")[0]


def a_beat(now, *, age: int = 0) -> None:
    Beat.objects.create(
        host="h", pid=1, started_at=now - timedelta(days=1), seen_at=now - timedelta(seconds=age)
    )


def a_scan(now, *, minutes: int = 0) -> None:
    Finding.objects.create(kind="overdue", n=0, checked_at=now - timedelta(minutes=minutes))


def test_while_no_beat_ticks_it_does_not_say_that_nothing_was_missed(now):
    a_beat(now, age=3600)
    assert "unknown" in tile("Missed in 24 hours")
    assert "no beat ticks" in tile("Missed in 24 hours")


def test_what_was_missed_before_is_told_while_no_beat_ticks(now):
    a_run(a_schedule(), state="missed", due_at=now - timedelta(hours=2), count=7)
    assert ">7<" in tile("Missed in 24 hours")
    assert "no beat ticks" in tile("Missed in 24 hours")


def test_nothing_was_missed_while_a_beat_ticks(now):
    a_beat(now)
    assert ">0<" in tile("Missed in 24 hours")
    assert "unknown" not in tile("Missed in 24 hours")


@pytest.mark.parametrize("minutes", [None, 60])
def test_without_a_monitor_it_does_not_say_that_no_alert_stands(now, minutes):
    if minutes is not None:
        a_scan(now, minutes=minutes)
    assert "unknown" in tile("Alerts")
    assert "no monitor runs" in tile("Alerts")


def test_alerts_that_stand_are_counted_without_a_monitor_too(now):
    Alert.objects.create(key="beat", kind="beat", state="down", since=now)
    assert ">1<" in tile("Alerts")
    assert "no monitor runs" in tile("Alerts")


def test_no_alert_stands_where_a_monitor_has_looked(now):
    a_scan(now)
    assert ">0<" in tile("Alerts")
    assert "nothing stands" in tile("Alerts")
