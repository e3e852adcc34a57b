from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.presenters import neighbours
from tests.web.people import (  # fmt: skip
    ANA,
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_schedule,
    a_worker,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db
URL = "/preview/hints/"
HALF_TWO = {"kind": "crontab", "expression": "30 2 * * *", "tz": "UTC"}
NEW_YEAR = {"kind": "crontab", "expression": "0 0 1 1 *", "tz": "UTC"}


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.fixture
def at_new_year(monkeypatch):
    """The clock stands before a new year, so that all that fires often has an earlier next run."""
    monkeypatch.setattr(clock, "now", lambda: NOON)


def made(name, **fields):
    return schedules.create({"name": name, "task": "tests.add", **fields}, actor=ANA, now=NOON)


def test_it_asks_for_login_and_permission():
    check_gate(URL, verb="view")


def test_it_answers_get_alone():
    check_methods(URL, "POST", "PUT", "DELETE")


def test_it_counts_the_others_whose_next_run_is_in_that_minute(reader, at_new_year):
    me = made("Me", **HALF_TWO)
    assert "fire" not in text_of(reader.get(URL, {**HALF_TWO, "schedule": me.pk}))
    made("One", **HALF_TWO)
    assert (
        '1 other schedule fires in that minute: <time class="at" datetime="2026-03-05T02:30:00Z">Thu 5 Mar, 02:30 UTC</time>.'
        in text_of(reader.get(URL, {**HALF_TWO, "schedule": me.pk}))
    )
    made("Off", **HALF_TWO, enabled=False)
    made("Later", **{**HALF_TWO, "expression": "31 2 * * *"})
    assert "2 other schedules fire in that minute" in text_of(reader.get(URL, HALF_TWO))


def test_it_counts_those_that_fire_more_often_too(reader, at_new_year):
    made("Every five minutes", kind="interval", every=5, period="minutes")
    made("Every half hour", **{**HALF_TWO, "expression": "*/30 * * * *"})
    made("At the full hour of Kolkata", **{**HALF_TWO, "expression": "0 * * * *", "tz": "Asia/Kolkata"})
    made("Never then", **{**HALF_TWO, "expression": "29 * * * *"})
    assert "2 other schedules fire" in text_of(reader.get(URL, NEW_YEAR))
    assert "3 other schedules fire" in text_of(reader.get(URL, HALF_TWO))


def test_the_number_is_bounded_and_says_so(reader, at_new_year, monkeypatch):
    for number in range(6):
        made(f"Daily {number}", **HALF_TWO)
        made(f"Hourly {number}", **{**HALF_TWO, "expression": f"{number} * * * *"})
    monkeypatch.setattr(neighbours, "MOST", 4)
    assert "4+ other schedules fire" in text_of(reader.get(URL, HALF_TWO))
    monkeypatch.setattr(neighbours, "MOST", 100)
    monkeypatch.setattr(neighbours, "MOST_RULES", 1)
    assert "6+ other schedules fire" in text_of(reader.get(URL, HALF_TWO))


def test_a_crowd_is_told_how_to_spread(reader, at_new_year):
    for number in range(10):
        assert "Spread over" not in text_of(reader.get(URL, HALF_TWO))
        made(f"Daily {number}", **HALF_TWO)
    assert "Spread over" in text_of(reader.get(URL, HALF_TWO))


def test_the_time_stands_in_the_zone_of_the_rule(reader, at_new_year):
    made("One", **HALF_TWO)
    client = logged_in("view")
    client.post("/zone/", {"zone": "Asia/Tokyo"})
    assert "Wed 4 Mar, 21:30 EST" in text_of(
        client.get(URL, {**HALF_TWO, "expression": "30 21 * * *", "tz": "America/New_York"})
    )


def test_what_a_person_may_not_know_of_is_not_counted(reader, at_new_year, limited):
    made("Hidden", **HALF_TWO)
    assert "fire" not in text_of(reader.get(URL, HALF_TWO))


@pytest.fixture
def limited(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.nothing"}


def nothing(_user, rows):
    return rows.none()


def test_it_warns_of_a_task_and_a_queue_that_no_worker_knows(reader):
    a_worker(seen_at=clock.now(), tasks=["tests.add"], queues=["celery"])
    assert "preview__notice--warn" not in text_of(reader.get(URL, {"task": "tests.add", "queue": "celery"}))
    text = text_of(reader.get(URL, {"task": "tests.gone", "queue": "mail"}))
    assert "No worker that is online knows this task." in text
    assert "takes from the queue mail" in text


def test_without_a_worker_it_warns_only_of_a_task_that_no_code_here_knows(reader):
    assert "preview__notice--warn" not in text_of(reader.get(URL, {"task": "tests.add", "queue": "mail"}))
    assert "no code here knows this task" in text_of(reader.get(URL, {"task": "tests.gone"}))


def test_it_tells_what_a_known_task_takes(reader):
    assert "tests.add(x: int = 1, y: int = 1)" in text_of(reader.get(URL, {"task": "tests.add"}))
    text = text_of(reader.get(URL, {"task": "os.system"}))
    assert '<p class="field__hint mono" id="task-takes" hx-swap-oob="true"></p>' in text


def test_it_asks_two_queries_however_many_there_are(reader):
    a_worker(seen_at=clock.now(), tasks=["tests.add"], queues=["celery"])
    asked = {**HALF_TWO, "task": "tests.add", "queue": "mail"}
    for n in (1, 200):
        for number in range(n):
            a_schedule(f"{n}-{number}", expression=f"{number % 60} * * * *")
        with CaptureQueriesContext(connection) as captured:
            reader.get(URL, asked)
        assert len(captured) == 2 + OF_THE_PERSON


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "x" * 20_000, "__class__", "../../etc/passwd"])
def test_hostile_text_stays_text(reader, text):
    a_worker(seen_at=clock.now(), tasks=[text or "x"], queues=["celery"])
    response = reader.get(URL, {"task": text, "queue": text, "schedule": text, "kind": text, "tz": text})
    assert response.status_code == 200
    assert "<script>" not in text_of(response)
    assert "<img" not in text_of(response)


def test_a_row_that_nobody_can_read_costs_only_the_count(reader):
    if connection.vendor != "sqlite":
        return
    pk = a_schedule("Damaged").pk
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedulerui_schedule SET anchor_at = 'once upon a time' WHERE id = %s", [pk])
    assert reader.get(URL, {**HALF_TWO, "task": "tests.gone"}).status_code == 200


def test_without_a_script_the_preview_button_brings_the_hints(at_new_year):
    editor = logged_in("view", "add")
    made("One", **HALF_TWO)
    posted = {"name": "x", "task": "tests.add", "queue": "nowhere", **HALF_TWO, "preview": "1"}
    text = text_of(editor.post("/schedules/new/", posted))
    assert "other schedule fires" in text
    assert "tests.add(x: int = 1, y: int = 1)" in text
    assert "other schedule fires" not in text_of(editor.get("/schedules/new/"))


def test_arguments_that_the_task_does_not_take_are_said_when_they_are_saved():
    editor = logged_in("view", "add")
    posted = {
        "name": "x",
        "task": "tests.add",
        "kwargs": '{"z": 1}',
        **HALF_TWO,
        "misfire": "latest",
        "overlap": "allow",
        "delivery": "at_least_once",
    }
    page = editor.post("/schedules/new/", posted, follow=True)
    assert Schedule.objects.filter(name="x").exists()
    assert "does not take these arguments as it is known here: got an unexpected keyword argument" in text_of(
        page
    )


def test_who_runs_it_with_other_values_reads_what_it_takes():
    client = logged_in("view", "run_custom", "view_values")
    assert "tests.add(x: int = 1, y: int = 1)" in text_of(
        client.get(f"/schedules/{a_schedule().pk}/run/custom/")
    )


@pytest.mark.parametrize(("verbs", "is_told"), [(("view_values",), True), ((), False)])
def test_the_names_of_stored_arguments_are_for_whom_may_see_them(verbs, is_told):
    schedule = a_schedule(kwargs={"of_customer_4711": 1})
    given = {
        "name": "Renamed", "task": "tests.add", "kind": "crontab", "expression": "30 2 * * *", "tz": "UTC", "version": "1",
        "enabled": "on", "misfire": "latest", "overlap": "allow", "delivery": "at_least_once", "kwargs": '{"of_customer_4711": 1}',
    }  # fmt: skip
    client = logged_in("view", "change", *verbs)
    page = text_of(client.post(f"/schedules/{schedule.pk}/edit/", given, follow=True))
    schedule.refresh_from_db()
    assert schedule.name == "Renamed"
    assert schedule.kwargs == {"of_customer_4711": 1}
    assert ("of_customer_4711" in page) is is_told
