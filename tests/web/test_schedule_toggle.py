from __future__ import annotations

import json
from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Beat, Change, Schedule
from schedulerui.operations import pauses, schedules
from tests.web.people import ANA, NOON, a_schedule, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator():
    return logged_in("view", "operate")


def test_it_pauses_writes_the_change_and_answers_the_row(operator):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX)
    text = text_of(response)
    assert response.status_code == 200
    assert f'<tr id="schedule-{schedule.pk}"' in text
    assert 'aria-checked="false"' in text
    assert f'formaction="{schedule.pk}/enable/"' in text
    assert not Schedule.objects.get(pk=schedule.pk).enabled
    assert Change.objects.filter(schedule=schedule, action="disable", via="browser").count() == 1
    assert "is off" in json.loads(response["HX-Trigger"])["schedulerui:notice"]["text"]


def test_it_switches_on_again_with_a_next_run(operator):
    schedule = a_schedule(enabled=False)
    operator.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX)
    found = Schedule.objects.get(pk=schedule.pk)
    assert found.enabled
    assert found.next_run_at is not None


def test_already_so_answers_the_present_row_and_changes_nothing(operator):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX)
    assert response.status_code == 200
    assert "already on" in response["HX-Trigger"]
    assert not Change.objects.filter(action="enable").exists()


def test_without_a_script_it_goes_back_with_a_message(operator):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/disable/", {"back": "/schedules/?q=night"})
    assert response.status_code == 303
    assert response["Location"] == f"/schedules/?q=night#schedule-{schedule.pk}"
    assert "is off" in text_of(operator.get("/schedules/"))


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "", "\\\\evil"]
)
def test_it_never_goes_back_to_another_site(operator, back):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/disable/", {"back": back})
    assert response["Location"] == f"/schedules/#schedule-{schedule.pk}"


def test_on_the_schedules_own_page_it_answers_the_actions(operator):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/disable/", {"place": "page"}, headers=HTMX)
    assert 'id="schedule-actions"' in text_of(response)
    assert "<tr" not in text_of(response)


def test_it_is_refused_to_who_may_only_look():
    schedule = a_schedule()
    reader = logged_in("view", "change", "add", "delete")
    for verb in ("enable", "disable"):
        response = reader.post(f"/schedules/{schedule.pk}/{verb}/", headers=HTMX)
        assert response.status_code == 403
        assert "may not enable" in text_of(response)
    assert Schedule.objects.get(pk=schedule.pk).enabled


def test_it_can_only_be_posted():
    schedule = a_schedule()
    for verb in ("enable", "disable"):
        check_methods(f"/schedules/{schedule.pk}/{verb}/", "GET", "HEAD", "PUT", "DELETE")


def test_a_schedule_that_is_gone_is_a_404(operator):
    assert operator.post("/schedules/999/enable/", headers=HTMX).status_code == 404


def test_a_schedule_defined_in_code_can_be_paused(operator):
    schedule = a_schedule(source="code", source_key="nightly")
    assert operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX).status_code == 200
    assert not Schedule.objects.get(pk=schedule.pk).enabled


def test_the_notice_offers_the_opposite_verb_and_says_when_it_takes_effect(operator):
    schedule = a_schedule()
    a_beat()
    notice = notice_of(operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX))
    assert notice["undo"] == f"/schedules/{schedule.pk}/enable/"
    assert notice["target"] == f"#schedule-{schedule.pk}"
    assert "next tick" in notice["text"]
    on_page = {"place": "page"}
    notice = notice_of(operator.post(f"/schedules/{schedule.pk}/enable/", on_page, headers=HTMX))
    assert (notice["undo"], notice["target"]) == (f"/schedules/{schedule.pk}/disable/", "#schedule-actions")


def test_without_a_beat_the_notice_promises_no_tick(operator):
    schedule = a_schedule()
    notice = notice_of(operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX))
    assert "none does now" in notice["text"]


def test_what_changed_nothing_or_ended_a_reasoned_pause_offers_no_undo(operator):
    schedule = a_schedule()
    assert notice_of(operator.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX))["undo"] == ""
    pauses.pause(schedule.pk, until=None, reason="maintenance", actor=ANA, now=NOON)
    assert notice_of(operator.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX))["undo"] == ""


def test_without_a_script_the_undo_is_a_form_in_the_message(operator):
    schedule = a_schedule()
    operator.post(f"/schedules/{schedule.pk}/disable/", {"back": "/schedules/?q=n"})
    text = text_of(operator.get("/schedules/?q=n"))
    assert f'action="/schedules/{schedule.pk}/enable/" data-undo>' in text


def notice_of(response):
    return json.loads(response["HX-Trigger"])["schedulerui:notice"]


def a_beat():
    now = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)


def test_already_so_names_who_was_faster_and_when(operator, monkeypatch):
    schedule, now = a_schedule(), clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    schedules.disable(schedule.pk, actor=ANA, now=now - timedelta(seconds=4.5))
    response = operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX)
    text = json.loads(response["HX-Trigger"])["schedulerui:notice"]["text"]
    assert text == "Nightly was already off. Changed by ana 4 seconds ago."
    operator.post(f"/schedules/{schedule.pk}/disable/")
    assert "Changed by ana" in text_of(operator.get("/schedules/"))


def test_who_loses_every_race_is_asked_to_try_again(operator, monkeypatch):
    schedule, now = a_schedule(), clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    done = schedules.edit(
        schedule.pk, {"queue": "mail"}, version=schedule.version, actor=ANA, now=now - timedelta(seconds=4.5)
    )
    assert done.queue == "mail"
    monkeypatch.setattr(schedules, "SWITCH_TRIES", 0)
    response = operator.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX)
    assert response.status_code == 409
    assert "Try it once more. Changed by ana 4 seconds ago." in text_of(response)
    assert Schedule.objects.get().enabled
