"""`schedulerui bulk`: one action for all that match a filter, however many."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from schedulerui import clock, dispatch
from schedulerui.models import Change, Run, Schedule
from schedulerui.testing import recording
from tests.web.people import a_schedule

pytestmark = pytest.mark.django_db


def say(*arguments, code: int = 0) -> str:
    out = io.StringIO()
    if not code:
        call_command("schedulerui", "bulk", *arguments, stdout=out)
        return out.getvalue()
    with pytest.raises(SystemExit) as end:
        call_command("schedulerui", "bulk", *arguments, stdout=out)
    assert end.value.code == code
    return out.getvalue()


def on() -> list[str]:
    return list(Schedule.objects.filter(enabled=True).order_by("name").values_list("name", flat=True))


@pytest.fixture
def three():
    for name, tags in (("A", "billing"), ("B", "billing night"), ("C", "")):
        a_schedule(name, tags=f" {tags} " if tags else "")


def test_it_does_it_to_all_that_match_and_says_how_many(three):
    assert "disable: done for 2 schedules." in say("disable", "tag:billing")
    assert on() == ["C"]
    assert "disable: done for 1 schedule. 2 schedules as wanted already." in say("disable", "")
    assert on() == []
    assert set(Change.objects.filter(action="disable").values_list("via", flat=True)) == {"command"}


def test_it_takes_more_than_the_web(three, monkeypatch):
    monkeypatch.setattr("schedulerui.web.bulk.MOST", 1)
    assert "done for 3 schedules." in say("tag", "", "--tag", "moved")
    assert all("moved" in tags.split() for tags in Schedule.objects.values_list("tags", flat=True))


def test_a_trial_names_them_and_does_nothing(three):
    text = say("delete", "tag:billing", "--dry-run")
    assert "2 schedules would be asked for; nothing was done." in text
    assert [line.strip() for line in text.splitlines()[1:]] == ["A", "B"]
    assert Schedule.objects.count() == 3


def test_a_trial_of_many_names_ten(three):
    for number in range(20):
        a_schedule(f"Many {number:02d}")
    assert "  and 10 more" in say("enable", "Many", "--dry-run")


def test_nothing_is_deleted_without_a_yes(three):
    with pytest.raises(CommandError, match="2 schedules would be gone for good"):
        say("delete", "tag:billing")
    assert Schedule.objects.count() == 3
    assert "delete: done for 2 schedules." in say("delete", "tag:billing", "--yes")
    assert list(Schedule.objects.values_list("name", flat=True)) == ["C"]


@pytest.mark.parametrize("text", ["colour:red", "state:flying", "next<soon"])
def test_a_filter_that_makes_no_sense_does_nothing(three, text):
    with pytest.raises(CommandError):
        say("disable", text)
    assert on() == ["A", "B", "C"]


@pytest.mark.parametrize(
    "wrong", [("tag", "", "--tag", "two words"), ("untag", ""), ("queue", "", "--queue", "q" * 201)]
)
def test_a_value_that_the_page_would_refuse_is_refused_here(three, wrong):
    with pytest.raises(CommandError):
        say(*wrong)
    assert not Change.objects.filter(via="command").exists()


def test_what_cannot_be_is_listed_and_the_others_are_done(three):
    Schedule.objects.filter(name="B").update(source="code", source_key="b")
    text = say("queue", "tag:billing", "--queue", "slow", code=1)
    assert "queue: done for 1 schedule." in text
    assert "Not done for 1 schedule:" in text
    assert "  B: B is defined in code (b)." in text
    assert list(Schedule.objects.filter(queue="slow").values_list("name", flat=True)) == ["A"]


def test_it_pauses_until_a_moment_and_resumes(three):
    until = (clock.now() + timedelta(days=2)).astimezone(UTC).replace(microsecond=0)
    say("pause", "tag:billing", "--until", until.isoformat(), "--reason", "release 12")
    paused = Schedule.objects.exclude(resume_at=None)
    assert {(each.name, each.pause_reason, each.resume_at) for each in paused} == {
        ("A", "release 12", until), ("B", "release 12", until),
    }  # fmt: skip
    assert "resume: done for 2 schedules. 1 schedule as wanted already." in say("resume", "")
    assert on() == ["A", "B", "C"]


def test_a_moment_that_is_none_is_said(three):
    with pytest.raises(CommandError):
        say("pause", "", "--until", "tomorrow")
    assert on() == ["A", "B", "C"]


def test_a_moment_that_has_passed_pauses_nothing(three):
    text = say("pause", "tag:night", "--until", datetime(2020, 1, 1, tzinfo=UTC).isoformat(), code=1)
    assert "Not done for 1 schedule:" in text
    assert on() == ["A", "B", "C"]


def test_it_runs_them_once_over_one_connection(three):
    with recording() as outbox:
        assert "run: done for 2 schedules." in say("run", "tag:billing")
    assert {run.pk for run in outbox.sent} == set(Run.objects.values_list("pk", flat=True))
    assert Run.objects.filter(trigger="manual").count() == 2


def test_what_the_broker_did_not_take_is_counted_and_stays(three):
    with recording() as outbox:
        outbox.broken = dispatch.BrokerUnavailable("Connection refused.")
        text = say("run", "tag:billing")
    assert "run: done for 2 schedules." in text
    assert "2 queued for dispatch: beat sends them as soon as it can. Connection refused." in text
    assert Run.objects.filter(state="pending").count() == 2
