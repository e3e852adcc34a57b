from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Schedule, ScheduleState
from tests.web.people import OF_THE_PERSON, a_run, a_schedule, logged_in, many_runs, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


def have(response):
    return ",".join(f"{part.id}:{part.digest}" for part in response.context["parts"].values())


def test_it_shows_facts_the_next_times_and_runs(reader):
    schedule = a_schedule(tz="Europe/Berlin", queue="mail")
    a_run(schedule, runtime=0.25, worker="celery@one")
    response = reader.get(f"/schedules/{schedule.pk}/")
    text = text_of(response)
    for part in ("At 02:30", "Europe/Berlin", "mail", "250 ms", "celery@one"):
        assert part in text
    assert len(response.context["coming"].times) == 10
    assert "<title>Nightly" in text


def test_it_shows_the_day_on_which_the_clock_changes(reader):
    schedule = a_schedule(tz="America/New_York")
    assert reader.get(f"/schedules/{schedule.pk}/").context["coming"].notices


def test_a_window_and_a_limit_bound_the_next_times(reader):
    now = clock.now()
    schedule = a_schedule(kind="interval", every=1, period="hours", expression="")
    Schedule.objects.filter(pk=schedule.pk).update(end_at=now + timedelta(hours=3))
    assert len(reader.get(f"/schedules/{schedule.pk}/").context["coming"].times) == 3
    Schedule.objects.filter(pk=schedule.pk).update(end_at=None, max_runs=5, runs_created=4)
    assert len(reader.get(f"/schedules/{schedule.pk}/").context["coming"].times) == 1


def test_a_broken_rule_is_a_sentence(reader):
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(expression="99 * * * *")
    response = reader.get(f"/schedules/{schedule.pk}/")
    assert response.status_code == 200
    assert response.context["coming"].problem


def test_changes_are_shown_to_those_who_may_see_them(reader):
    schedule = a_schedule()
    assert "Last changes" not in text_of(reader.get(f"/schedules/{schedule.pk}/"))
    text = text_of(logged_in("view", "view_audit").get(f"/schedules/{schedule.pk}/"))
    assert "Last changes" in text
    assert "ana" in text


def test_links_to_what_one_may_not_do_are_not_there(reader):
    schedule = a_schedule()
    text = text_of(reader.get(f"/schedules/{schedule.pk}/"))
    assert "/edit/" not in text
    assert "/delete/" not in text
    allowed = text_of(logged_in("view", "change", "delete").get(f"/schedules/{schedule.pk}/"))
    assert "/edit/" in allowed
    assert "/delete/" in allowed


def test_its_runs_are_paged_and_never_those_of_another_schedule_of_the_same_task(reader):
    mine, other = a_schedule("Mine"), a_schedule("Other")
    many_runs(30, mine)
    many_runs(3, other)
    response = reader.get(f"/schedules/{mine.pk}/")
    assert len(response.context["rows"]) == 25
    older = reader.get(f"/schedules/{mine.pk}/", {"older": response.context["page"].older})
    assert len(older.context["rows"]) == 5
    assert {row.name for row in older.context["rows"]} == {"Mine"}


@pytest.mark.parametrize("n_runs", [10, 200])
def test_it_asks_the_same_number_of_queries_however_many_runs(n_runs, django_assert_num_queries):
    auditor = logged_in("view", "view_audit")
    schedule = a_schedule()
    many_runs(n_runs, schedule)
    with django_assert_num_queries(5 + OF_THE_PERSON):
        auditor.get(f"/schedules/{schedule.pk}/")


def test_the_poll_answers_nothing_while_nothing_changed(reader, django_assert_num_queries):
    schedule = a_schedule()
    a_run(schedule)
    known = have(reader.get(f"/schedules/{schedule.pk}/"))
    with django_assert_num_queries(2 + OF_THE_PERSON):
        response = reader.get(f"/live/schedules/{schedule.pk}/", {"have": known}, headers=HTMX)
    assert (response.status_code, response.content) == (204, b"")


def test_the_poll_brings_a_new_run(reader):
    schedule = a_schedule()
    known = have(reader.get(f"/schedules/{schedule.pk}/"))
    run = a_run(schedule)
    ScheduleState.objects.filter(schedule=schedule).update(last_state="succeeded", recent="s1")
    text = text_of(reader.get(f"/live/schedules/{schedule.pk}/", {"have": known}, headers=HTMX))
    assert str(run.uuid) in text
    assert 'id="schedule-facts"' in text
    assert 'id="schedule-actions"' not in text
