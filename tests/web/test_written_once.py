"""Statements that are written once: asked at another moment, with other settings, by people of limited sight."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from schedulerui.models import Schedule
from schedulerui.models.short_lists import keys_of
from schedulerui.models.written import written
from schedulerui.presenters.rail import Known, rail_of
from tests.web.people import NOON, a_schedule, a_worker

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch):
    monkeypatch.setattr("schedulerui.models.written._kept", {})


def ask(text, values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return [row[0] for row in cursor.fetchall()]


def test_it_asks_for_later_moments_with_the_statement_of_an_earlier_one():
    a_schedule("Soon", kind="clocked", expression="", clocked_at_utc=NOON + timedelta(minutes=30))
    a_schedule("Later", kind="clocked", expression="", clocked_at_utc=NOON + timedelta(minutes=90))
    looked = []

    def write(now):
        looked.append(now)
        due = Schedule.objects.filter(next_run_at__lte=now + HOUR, name__gt="A").order_by("name")
        return due.values_list("name").query.sql_with_params()

    assert ask(*written("due", write, now=NOON)) == ["Soon"]
    n_looks = len(looked)
    assert ask(*written("due", write, now=NOON + HOUR)) == ["Later", "Soon"]
    assert ask(*written("due", write, now=NOON - HOUR)) == []
    assert len(looked) == n_looks


def test_it_writes_the_statement_anew_when_settings_have_changed(settings):
    a_worker(seen_at=NOON - timedelta(seconds=15))
    everybody = Known.by(lambda rows: rows, is_all=True)
    assert rail_of(everybody, now=NOON).tags["workers"].text == "1"
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "WORKER_STALE_AFTER": 60.0}
    assert "workers" not in rail_of(everybody, now=NOON).tags


def test_it_keeps_no_statement_without_a_name():
    names = iter(["One", "Two"])
    for name in ("One", "Two"):
        a_schedule(name)

    def lists(_now):
        return {"named": Schedule.objects.filter(name=next(names)).order_by("pk")[:1]}

    first, second = keys_of(lists, now=NOON), keys_of(lists, now=NOON)
    assert first["named"] != second["named"]
    assert first["none of that name"] == []


def test_it_refuses_a_statement_that_depends_on_the_present_by_more_than_a_distance():
    def write(now):
        day = now.replace(hour=0, minute=0, second=0) if now == NOON else now
        return Schedule.objects.filter(next_run_at__lte=day).query.sql_with_params()

    with pytest.raises(ValueError, match="more than a distance"):
        written("day", write, now=NOON)


@pytest.mark.parametrize(
    "parts", [("microsecond",), ("second", "microsecond"), ("hour", "minute", "second", "microsecond")]
)
def test_it_refuses_a_moment_that_is_rounded_and_would_stay_as_it_was(parts):
    def write(now):
        rounded = now.replace(**dict.fromkeys(parts, 0))
        return Schedule.objects.filter(next_run_at__lte=rounded).query.sql_with_params()

    with pytest.raises(ValueError, match="more than a distance"):
        written("rounded", write, now=NOON)
