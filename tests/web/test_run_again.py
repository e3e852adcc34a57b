"""Run again, and run once with other values: who may, what is asked, and what becomes of it."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest

from schedulerui.facts import RunState
from schedulerui.models import Change, Run
from schedulerui.operations import canvas
from schedulerui.testing import DULL_WEDNESDAY as NOON
from schedulerui.testing import recording
from tests.web.people import HOSTILE, a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db(transaction=True)
ALL = ("view", "operate", "run_custom", "view_values")


@pytest.fixture
def sent():
    with recording() as outbox:
        yield outbox


@pytest.fixture
def schedule():
    return a_schedule(args=[1], kwargs={"store": 138}, queue="night")


@pytest.fixture
def ended(schedule):
    return a_run(
        schedule, state="failed", args=[1, "two"], kwargs={"k": 3}, queue="night", options={"priority": 4}
    )


def custom(schedule):
    return f"/schedules/{schedule.pk}/run/custom/"


def again(run):
    return f"/runs/{run.uuid}/again/"


def values(**changed):
    return {"token": str(uuid.uuid4()), "args": '["x"]', "kwargs": '{"y": 1}', "queue": "", **changed}


def newest():
    return Run.objects.order_by("-pk").first()


def test_the_form_shows_the_schedule_s_own_values_and_the_run_gets_those_typed(schedule, sent):
    client = logged_in(*ALL)
    page = text_of(client.get(custom(schedule)))
    assert "138" in page
    answer = client.post(custom(schedule), values())
    run = newest()
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{run.uuid}/")
    assert (run.args, run.kwargs, run.queue, run.trigger) == (["x"], {"y": 1}, "", "manual")
    schedule.refresh_from_db()
    assert (schedule.args, schedule.kwargs, schedule.queue) == ([1], {"store": 138}, "night")
    assert [run.args for run in sent.sent] == [["x"]]
    assert Change.objects.latest("pk").action == "run_custom"


def test_what_cannot_be_is_refused_where_it_was_typed(schedule, sent):
    answer = logged_in(*ALL).post(custom(schedule), values(args='{"not": "a list"}', kwargs="[1"))
    assert answer.status_code == 422
    page = text_of(answer)
    assert "This must be a list" in page
    assert "Line 1, column" in page
    assert not Run.objects.exists()


def test_a_double_click_is_one_run(schedule, sent):
    client, posted = logged_in(*ALL), values()
    places = {client.post(custom(schedule), posted)["Location"] for _click in range(2)}
    assert len(places) == len(sent.sent) == Run.objects.count() == 1


def test_who_may_not_see_values_runs_it_with_its_own(schedule, sent):
    client = logged_in("view", "operate", "run_custom")
    page = text_of(client.get(custom(schedule)))
    assert "138" not in page
    client.post(custom(schedule), values())
    assert newest().kwargs == {"store": 138}


def test_other_values_need_the_permission(schedule, ended, sent):
    client = logged_in("view", "operate", "view_values")
    assert client.get(custom(schedule)).status_code == 403
    assert client.post(custom(schedule), values()).status_code == 403
    client.post(again(ended), values())
    assert newest().args == [1, "two"]


def test_a_run_is_run_again_as_a_run_of_its_own(schedule, ended, sent):
    answer = logged_in("view", "operate").post(again(ended), {"token": str(uuid.uuid4())})
    run = newest()
    assert answer["Location"] == f"/runs/{run.uuid}/"
    assert (run.args, run.kwargs, run.queue, run.options) == ([1, "two"], {"k": 3}, "night", {"priority": 4})
    assert run.retry_of == ended
    assert run.task_id not in (None, ended.task_id)
    assert run.nominal_at == ended.nominal_at
    ended.refresh_from_db()
    assert ended.state == RunState.FAILED
    assert Change.objects.latest("pk").action == "run_again"


def test_it_can_be_run_again_with_other_values(ended, sent):
    page = text_of(logged_in(*ALL).get(again(ended)))
    assert "two" in page
    logged_in(*ALL).post(again(ended), values())
    assert newest().args == ["x"]


def test_a_run_of_a_deleted_schedule_can_be_run_again(sent):
    gone = a_run(None, state="succeeded", args=[7])
    logged_in("view", "operate").post(again(gone), {"token": str(uuid.uuid4())})
    assert newest().args == [7]
    assert newest().schedule is None


def test_a_run_that_has_not_ended_is_not_run_again(schedule, sent):
    running = a_run(schedule, state="started")
    answer = logged_in("view", "operate").post(again(running), {"token": str(uuid.uuid4())}, follow=True)
    assert "has not ended yet" in text_of(answer)
    assert Run.objects.count() == 1


def test_its_page_offers_it_to_those_who_may(schedule, ended):
    link = f'href="{again(ended)}"'
    assert link in text_of(logged_in("view", "operate").get(f"/runs/{ended.uuid}/"))
    assert link not in text_of(logged_in("view").get(f"/runs/{ended.uuid}/"))
    running = a_run(schedule, state="started")
    assert again(running) not in text_of(logged_in("view", "operate").get(f"/runs/{running.uuid}/"))


def test_a_damaged_form_is_said(ended):
    assert logged_in("view", "operate").post(again(ended), {"token": "x"}).status_code == 400


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_stay_text(text):
    ended = a_run(a_schedule(text[:190], kwargs={"k": text}), state="failed", kwargs={"k": text})
    page = text_of(logged_in(*ALL).get(again(ended)))
    assert not re.search(r"<script>alert|<img src=x", page)


@pytest.mark.parametrize("page", [custom, again])
def test_a_run_of_a_schedule_that_must_not_overlap_waits_unless_it_is_told_not_to(page, sent):
    schedule = a_schedule(overlap="skip")
    a_run(schedule, state="started")
    ended = a_run(schedule, state="failed", due_at=NOON - timedelta(hours=1))
    client, address = logged_in(*ALL), page(schedule if page is custom else ended)
    assert 'name="even"' in text_of(client.get(address))
    client.post(address, values())
    assert (newest().state, sent.sent) == ("waiting", [])
    client.post(address, values(even="yes"))
    assert newest().state == "sent"


@pytest.mark.parametrize("page", [custom, again])
def test_nobody_is_asked_about_an_active_run_where_runs_may_overlap(page, schedule, ended):
    assert 'name="even"' not in text_of(logged_in(*ALL).get(page(schedule if page is custom else ended)))


def test_a_tick_stays_when_the_values_are_refused(sent):
    schedule = a_schedule(overlap="skip")
    answer = logged_in(*ALL).post(custom(schedule), values(args="{", even="yes"))
    assert 'value="yes" checked' in text_of(answer)


CANVAS = {"type": "chain", "steps": [{"type": "task", "task": "tests.add", "args": [1, 2]}] * 2}


@pytest.mark.parametrize("page", [custom, again])
def test_a_canvas_is_asked_for_its_queue_only_and_says_why(page, sent):
    schedule = a_schedule(canvas=canvas.read(CANVAS), args=[], kwargs={})
    ended = a_run(schedule, state="failed", canvas=canvas.read(CANVAS))
    client, address = logged_in(*ALL), page(schedule if page is custom else ended)
    shown = text_of(client.get(address))
    assert "The arguments of a canvas belong to its tasks" in shown
    assert 'name="args"' not in shown
    assert 'name="kwargs"' not in shown
    client.post(address, values(queue="night"))
    assert (newest().args, newest().kwargs, newest().queue) == ([], {}, "night")
    assert newest().canvas == schedule.canvas


def test_the_dialog_shows_no_arguments_that_a_canvas_does_not_send():
    plain, of_parts = a_schedule(), a_schedule("parts", canvas=canvas.read(CANVAS))
    client = logged_in(*ALL)
    assert "Arguments" in text_of(client.get(f"/schedules/{plain.pk}/run/"))
    assert "Arguments" not in text_of(client.get(f"/schedules/{of_parts.pk}/run/"))
