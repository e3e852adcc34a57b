from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest

from schedulerui import clock, dispatch
from schedulerui.models import Beat, Change, Run, Schedule, ScheduleState
from schedulerui.operations import timers
from schedulerui.operations.errors import NotResettable
from schedulerui.testing import recording
from tests.web.people import ANA, NOON, a_run, a_schedule, a_worker, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
HOURLY: dict[str, Any] = {"kind": "interval", "expression": "", "every": 1, "period": "hours"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator():
    return logged_in("view", "operate")


@pytest.fixture
def sent():
    with recording() as outbox:
        yield outbox


def notice(response):
    return json.loads(response["HX-Trigger"])["schedulerui:notice"]


def token():
    return str(uuid.uuid4())


def test_it_asks_in_a_dialog_and_without_a_script_on_a_page(operator):
    url = f"/schedules/{a_schedule().pk}/run/"
    dialog, page = text_of(operator.get(url, headers=HTMX)), text_of(operator.get(url))
    assert dialog.startswith("<dialog")
    assert "<html" in page
    for text in (dialog, page):
        assert 'name="token"' in text
        assert "csrfmiddlewaretoken" in text


def test_asking_runs_nothing(operator, sent):
    operator.get(f"/schedules/{a_schedule().pk}/run/", headers=HTMX)
    assert sent.sent == []
    assert not Run.objects.exists()


def test_it_warns_of_what_a_person_should_know(operator):
    schedule = a_schedule(enabled=False, queue="mail")
    a_run(schedule, state="started")
    text = text_of(operator.get(f"/schedules/{schedule.pk}/run/"))
    assert "1 run of it is already under way" in text
    assert "No worker is online" in text
    assert "The schedule is off" in text
    a_worker(seen_at=clock.now(), tasks=["other.task"], queues=["celery"])
    text = text_of(operator.get(f"/schedules/{schedule.pk}/run/"))
    assert "No worker that is online knows this task" in text
    assert "takes from the queue mail" in text


def test_arguments_are_shown_only_to_those_who_may_see_values_and_secrets_to_nobody(operator):
    schedule = a_schedule(kwargs={"city": "Oslo", "api_key": "hunter2"})
    url = f"/schedules/{schedule.pk}/run/"
    assert "Oslo" not in text_of(operator.get(url))
    text = text_of(logged_in("operate", "view_values").get(url))
    assert "Oslo" in text
    assert "hunter2" not in text


def test_it_runs_once_and_says_where(operator, sent):
    schedule = a_schedule()
    response = operator.post(
        f"/schedules/{schedule.pk}/run/", {"token": token(), "place": "row"}, headers=HTMX
    )
    run = Run.objects.get()
    assert [entry.pk for entry in sent.sent] == [run.pk]
    assert notice(response)["href"] == f"/runs/{run.uuid}/"
    assert notice(response)["kind"] == "ok"
    assert f'id="schedule-{schedule.pk}"' in text_of(response)
    assert "hx-swap-oob" in text_of(response)
    assert "by you" in text_of(response)
    assert Change.objects.filter(action="run_now").count() == 1


def test_a_double_click_is_one_run(operator, sent):
    schedule, once = a_schedule(), token()
    for _click in range(2):
        assert (
            operator.post(f"/schedules/{schedule.pk}/run/", {"token": once}, headers=HTMX).status_code == 200
        )
    assert Run.objects.count() == 1
    assert len(sent.sent) == 1


def test_without_a_script_it_goes_to_the_run_with_a_message(operator, sent):
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/run/", {"token": token()})
    assert response.status_code == 303
    assert response["Location"] == f"/runs/{Run.objects.get().uuid}/"
    assert "Queued one run of Nightly" in text_of(operator.get("/"))


def test_a_broker_that_is_down_loses_nothing_and_is_said(operator, sent):
    sent.broken = dispatch.BrokerUnavailable("Connection refused.")
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/run/", {"token": token()}, headers=HTMX)
    assert notice(response)["kind"] == "warn"
    assert "queued for dispatch" in notice(response)["text"]
    assert "(Connection refused). Beat sends it" in notice(response)["text"]
    assert "No beat ticks now." in notice(response)["text"]
    assert Run.objects.get().state == "pending"


def test_it_does_not_say_that_no_beat_ticks_when_one_does(operator, sent):
    now = clock.now()
    Beat.objects.create(host="h", pid=1, started_at=now, seen_at=now)
    sent.broken = dispatch.BrokerUnavailable("Connection refused.")
    response = operator.post(f"/schedules/{a_schedule().pk}/run/", {"token": token()}, headers=HTMX)
    assert notice(response)["text"].endswith(
        "Beat sends it if the broker answers within 1 min; after that it is not sent."
    )


def test_the_row_says_by_whom_until_something_of_it_changes(operator, sent):
    schedule = a_schedule()
    url = f"/schedules/{schedule.pk}/run/"
    told = text_of(operator.post(url, {"token": token(), "place": "row"}, headers=HTMX))
    (digest,) = re.findall(r'data-v="([^"]+)"', told)
    have = f"/live/schedules/?have=schedule-{schedule.pk}:{digest}"
    assert operator.get(have).status_code == 204
    ScheduleState.objects.update(last_state="succeeded")
    assert "by you" not in text_of(operator.get(have))


def test_it_shows_values_as_they_are_typed_and_says_why_there_is_no_next_run():
    client = logged_in("operate", "view_values")
    text = text_of(client.get(f"/schedules/{a_schedule(kwargs={'city': 'Oslo'}).pk}/run/"))
    assert '<dd class="mono">{&quot;city&quot;: &quot;Oslo&quot;}</dd>' in text
    text = text_of(client.get(f"/schedules/{a_schedule('Off', enabled=False).pk}/run/"))
    assert ">none</dd>" in text
    assert ">Off</dd>" in text


def test_what_can_never_be_sent_is_a_failure(operator, sent):
    sent.broken = dispatch.Unsendable("Arguments cannot be encoded.")
    schedule = a_schedule()
    response = operator.post(f"/schedules/{schedule.pk}/run/", {"token": token()}, headers=HTMX)
    assert notice(response)["kind"] == "fail"
    assert Run.objects.get().state == "unsent"


@pytest.mark.parametrize("bad", ["", "x", "'; --"])
def test_a_damaged_token_runs_nothing(operator, sent, bad):
    response = operator.post(f"/schedules/{a_schedule().pk}/run/", {"token": bad}, headers=HTMX)
    assert response.status_code == 400
    assert not Run.objects.exists()


def test_it_is_refused_to_who_may_only_look(sent):
    schedule = a_schedule()
    response = logged_in("view", "change").post(
        f"/schedules/{schedule.pk}/run/", {"token": token()}, headers=HTMX
    )
    assert response.status_code == 403
    assert not Run.objects.exists()


def test_a_paused_schedule_runs_once_and_stays_paused(operator, sent):
    schedule = a_schedule(enabled=False)
    operator.post(f"/schedules/{schedule.pk}/run/", {"token": token()}, headers=HTMX)
    schedule.refresh_from_db()
    assert len(sent.sent) == 1
    assert not schedule.enabled


def test_it_cannot_be_put_or_deleted():
    check_methods(f"/schedules/{a_schedule().pk}/run/", "PUT", "DELETE")


def test_a_schedule_that_is_gone_is_a_404(operator):
    assert operator.post("/schedules/999/run/", {"token": token()}, headers=HTMX).status_code == 404


def test_the_timer_of_an_interval_is_reset_on_wish_and_audited(operator, sent):
    schedule = a_schedule(**HOURLY)
    url = f"/schedules/{schedule.pk}/run/"
    assert 'name="reset"' in text_of(operator.get(url))
    before = clock.now().replace(microsecond=0)
    response = operator.post(url, {"token": token(), "reset": "yes"}, headers=HTMX)
    now = Schedule.objects.get()
    assert now.anchor_at is not None
    assert before <= now.anchor_at <= clock.now()
    assert now.next_run_at == now.anchor_at + timedelta(hours=1)
    assert now.version == schedule.version + 1
    assert "Its timer begins anew: the next run is at" in notice(response)["text"]
    change = Change.objects.get(action="reset_timer")
    assert set(change.diff) == {"anchor_at"}
    assert (change.via, change.version) == ("browser", now.version)
    assert len(sent.sent) == 1


def test_the_timer_stays_without_the_wish_and_for_the_second_of_two_clicks(operator, sent):
    schedule, once = a_schedule(**HOURLY), token()
    for reset in ({}, {"reset": "yes"}):
        operator.post(f"/schedules/{schedule.pk}/run/", {"token": once, **reset}, headers=HTMX)
    assert Schedule.objects.get().anchor_at == schedule.anchor_at
    assert not Change.objects.filter(action="reset_timer").exists()


@pytest.mark.parametrize(
    "fields",
    [{}, {**HOURLY, "enabled": False}, {**HOURLY, "source": "code", "source_key": "k"}],
    ids=["crontab", "off", "code"],
)
def test_what_has_no_timer_to_reset_runs_and_keeps_its_times(operator, sent, fields):
    schedule = a_schedule(**fields)
    url = f"/schedules/{schedule.pk}/run/"
    assert 'name="reset"' not in text_of(operator.get(url))
    operator.post(url, {"token": token(), "reset": "yes"}, headers=HTMX)
    assert Schedule.objects.get().next_run_at == schedule.next_run_at
    assert Schedule.objects.get().version == schedule.version
    assert len(sent.sent) == 1
    with pytest.raises(NotResettable):
        timers.reset(schedule.pk, actor=ANA, now=NOON)


def test_the_reset_counts_whole_seconds_from_the_moment_it_is_asked_for():
    schedule = a_schedule(**HOURLY)
    at = NOON + timedelta(minutes=20, seconds=7, microseconds=9)
    after = timers.reset(schedule.pk, actor=ANA, now=at)
    assert after.next_run_at == NOON + timedelta(hours=1, minutes=20, seconds=7)


@pytest.fixture
def two_a_minute(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "RUNS_PER_MINUTE": 2, "QUICK_RUN": False}


def test_a_person_may_not_ask_for_any_number_of_runs_in_a_minute(operator, sent, two_a_minute):
    url, last = f"/schedules/{a_schedule().pk}/run/", token()
    for each in (token(), last):
        assert operator.post(url, {"token": each}, headers=HTMX).status_code == 200
    refused = operator.post(url, {"token": token()}, headers=HTMX)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"
    assert "You have asked for 2 runs within a minute" in text_of(refused)
    assert (
        operator.post(url, {"token": last}, headers=HTMX).status_code == 200
    )  # the second half of a double click
    assert logged_in("view", "operate").post(url, {"token": token()}, headers=HTMX).status_code == 200
    assert len(sent.sent) == 3
    Change.objects.update(at=clock.now() - timedelta(minutes=2))
    assert operator.post(url, {"token": token()}, headers=HTMX).status_code == 200


def test_other_values_and_running_again_count_too_but_no_second_half_of_a_double_click(sent, two_a_minute):
    client = logged_in("view", "operate", "run_custom", "view_values")
    schedule = a_schedule()
    urls = (f"/schedules/{schedule.pk}/run/custom/", f"/runs/{a_run(schedule).uuid}/again/")
    clicks = [{"args": "", "kwargs": "", "queue": "", "token": token()} for _url in urls]
    for _click in range(2):
        assert [client.post(url, click).status_code for url, click in zip(urls, clicks, strict=True)] == [
            303,
            303,
        ]
    assert [client.post(url, {**clicks[0], "token": token()}).status_code for url in urls] == [429, 429]
    assert len(sent.sent) == 2


def test_shift_and_a_click_is_offered_as_the_setting_says(operator, two_a_minute, settings):
    a_schedule()
    assert "data-quick" not in text_of(operator.get("/schedules/"))
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "QUICK_RUN": True}
    assert '<body class="frame" data-keys data-quick>' in text_of(operator.get("/schedules/"))
