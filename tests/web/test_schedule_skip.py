from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Change, Schedule
from tests.web.people import HOSTILE, a_schedule, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return logged_in("view", "operate")


@pytest.fixture
def schedule():
    """One whose next time is to come on the real clock, which the views read."""
    found = a_schedule()
    tomorrow = clock.now().astimezone(UTC).replace(hour=2, minute=30, second=0, microsecond=0)
    next_at = tomorrow + timedelta(days=1)
    Schedule.objects.update(next_nominal_at=next_at, next_run_at=next_at)
    return Schedule.objects.get(pk=found.pk)


def url(schedule, verb="skip"):
    return f"/schedules/{schedule.pk}/{verb}/"


def post(browser, schedule, *, verb="skip", **fields):
    values = {"nominal": schedule.next_nominal_at.isoformat(), "reason": "holiday", **fields}
    return browser.post(url(schedule, verb), values, follow=True)


def test_they_answer_post_alone(schedule):
    for verb in ("skip", "unskip"):
        check_methods(url(schedule, verb), "GET", "HEAD", "PUT", "DELETE")


def test_a_time_is_skipped_with_its_reason_and_struck_through_on_the_page(operator, schedule):
    response = post(operator, schedule)
    text = text_of(response)
    assert "That time will be skipped." in text
    assert "holiday" in text
    assert text.count('<li class="is-skipped">') == 1
    assert "<del><time" in text
    assert "Run after all" in text
    assert Change.objects.filter(action="skip", via="browser").count() == 1


def test_it_is_taken_back_with_one_press(operator, schedule):
    post(operator, schedule)
    text = text_of(post(operator, schedule, verb="unskip"))
    assert "That time will run after all." in text
    assert "is-skipped" not in text
    assert Schedule.objects.get().skips == []


def test_a_schedule_of_code_can_skip_too(operator, schedule):
    Schedule.objects.update(source="code", source_key="x")
    post(operator, schedule)
    assert len(Schedule.objects.get().skips) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": ""}, "Give a reason"),
        ({"reason": "x" * 301}, "Give a reason"),
        ({"nominal": ""}, "That form is damaged"),
        ({"nominal": "2026-11-22T02:30:00"}, "That form is damaged"),
        ({"nominal": "\x00"}, "That form is damaged"),
        ({"nominal": datetime(2026, 1, 1, tzinfo=UTC).isoformat()}, "not one of the times to come"),
        ({"nominal": "9999-12-31T23:59:59.999999-14:00"}, "not one of the times to come"),
    ],
)
def test_what_cannot_be_skipped_is_answered_with_a_sentence(operator, schedule, fields, sentence):
    assert sentence in text_of(post(operator, schedule, **fields))
    assert Schedule.objects.get().skips == []


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_hostile_reason_is_shown_as_text(operator, schedule, reason):
    text = text_of(post(operator, schedule, reason=reason))
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_who_may_not_operate_sees_the_skip_and_no_buttons(operator, schedule):
    post(operator, schedule)
    text = text_of(logged_in("view").get(f"/schedules/{schedule.pk}/"))
    assert "is-skipped" in text
    assert "/skip/" not in text
    assert "/unskip/" not in text


def test_the_poll_brings_the_coming_times_anew_after_a_skip(operator, schedule):
    page = operator.get(f"/schedules/{schedule.pk}/")
    have = ",".join(f"{part.id}:{part.digest}" for part in page.context["parts"].values())
    live = f"/live/schedules/{schedule.pk}/"
    assert operator.get(live, {"have": have}).status_code == 204
    post(operator, schedule)
    answer = text_of(operator.get(live, {"have": have}))
    assert 'id="schedule-coming"' in answer
    assert "is-skipped" in answer


@pytest.mark.parametrize("address", ["/", "/schedules/"])
def test_a_next_time_that_will_be_skipped_says_so_wherever_it_is_shown(operator, schedule, address):
    assert "will be skipped" not in text_of(operator.get(address))
    post(operator, schedule)
    assert "will be skipped" in text_of(operator.get(address))
