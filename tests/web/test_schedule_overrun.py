from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.people import NOON, OF_THE_PERSON, a_run, a_schedule, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
DAILY = {"kind": "crontab", "expression": "30 2 * * *", "tz": "UTC"}
EVERY_MINUTE = {**DAILY, "expression": "* * * * *"}


@pytest.fixture
def reader():
    return logged_in("view")


def url(schedule):
    return f"/schedules/{schedule.pk}/overrun/"


def with_runs(*runtimes, **fields):
    schedule = a_schedule(**fields)
    for number, runtime in enumerate(runtimes):
        a_run(schedule, due_at=NOON - timedelta(days=number), runtime=runtime)
    return schedule


def test_it_answers_get_alone():
    check_methods(url(a_schedule()), "POST", "PUT", "DELETE")


def test_it_warns_when_runs_take_longer_than_the_time_between_two(reader):
    schedule = with_runs(90.0, 100.0, 80.0, expression="* * * * *")
    assert "Its newest runs took up to 1 min 40 s, longer than the 1 min between" in text_of(
        reader.get(url(schedule))
    )


@pytest.mark.parametrize(
    "runtimes",
    [(90.0, 90.0), (None, None, None, 90.0), (1.0,) * 19 + (90.0,), (1.0,) * 20 + (90.0,) * 20, (60.0,) * 5],
    ids=["too few", "unknown", "one outlier", "long ago", "just as long"],
)
def test_it_says_nothing_without_cause(reader, runtimes):
    assert "note" not in text_of(reader.get(url(with_runs(*runtimes, expression="* * * * *"))))


def test_it_judges_the_rule_that_is_being_typed(reader):
    schedule = with_runs(90.0, 90.0, 90.0, expression="* * * * *")
    assert "longer than" not in text_of(reader.get(url(schedule), DAILY))
    daily = with_runs(90.0, 90.0, 90.0, name="Daily")
    assert "longer than" not in text_of(reader.get(url(daily)))
    assert "longer than" in text_of(reader.get(url(daily), EVERY_MINUTE))


@pytest.mark.parametrize("fields", [{"kind": "x"}, {**DAILY, "expression": "99 * * * *"}])
def test_a_broken_rule_in_the_form_is_no_matter_of_this_fragment(reader, fields):
    schedule = with_runs(90.0, 90.0, 90.0)
    response = reader.get(url(schedule), fields)
    assert response.status_code == 200
    assert "note" not in text_of(response)


def test_it_asks_for_the_schedule_and_its_newest_runs_alone(reader, django_assert_num_queries):
    schedule = with_runs(*[90.0] * 30, expression="* * * * *")
    with django_assert_num_queries(2 + OF_THE_PERSON):
        reader.get(url(schedule))


def test_both_pages_fetch_it(reader):
    schedule = a_schedule()
    assert url(schedule) in text_of(reader.get(f"/schedules/{schedule.pk}/"))
    editor = logged_in("view", "change")
    assert url(schedule) in text_of(editor.get(f"/schedules/{schedule.pk}/edit/"))
