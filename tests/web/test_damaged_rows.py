"""Rows that hold half of a surrogate pair: no verb stores one any more, and pages survive those that are there."""

from __future__ import annotations

import json
import math

import pytest
from django.db import connection

from schedulerui.access import PERMISSIONS
from schedulerui.models import Change, Part, Run, Schedule, ScheduleState
from schedulerui.presenters.changes import value_text
from schedulerui.presenters.values import redact
from schedulerui.web.forms.fields import JSONText
from tests.web.people import NOON, a_run, a_schedule, logged_in, text_of

HALF = "\ud800"
DAMAGED = {"args": [HALF], "kwargs": {HALF: {"deep": HALF}}}


def test_values_on_their_way_to_a_page_can_be_encoded():
    shown = redact(DAMAGED)
    assert json.dumps(shown, ensure_ascii=False).encode()
    assert value_text(redact(HALF)).encode() == b"\\ud800"


def test_the_form_shows_the_escape_that_it_then_refuses():
    field = JSONText(kind=list)
    text = field.prepare_value([HALF])
    assert json.loads(text) == [HALF]
    assert text.encode()


def test_text_that_only_looks_like_an_escape_is_kept(db):
    assert a_schedule(args=["\\u0000 and \\ud800"]).args == ["\\u0000 and \\ud800"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite takes such a row, since 2026-03")
@pytest.mark.django_db
def test_every_page_of_a_damaged_row_can_be_seen():
    schedule = a_schedule()
    run = a_run(schedule, args=[HALF], kwargs={HALF: HALF})
    Schedule.objects.filter(pk=schedule.pk).update(**DAMAGED)
    Change.objects.update(diff={"args": [[], [HALF]], "description": ["", HALF]})
    assert Run.objects.get(pk=run.pk).args == [HALF]
    client = logged_in(*PERMISSIONS)
    page = f"/schedules/{schedule.pk}/"
    for url in (
        page,
        f"{page}edit/",
        f"{page}run/",
        f"{page}upcoming/",
        f"{page}code/",
        f"/runs/{run.uuid}/values/args/",
        f"/schedules/new/?copy={schedule.pk}",
        f"/runs/{run.uuid}/",
        "/audit/",
    ):
        response = client.get(url)
        assert response.status_code == 200, url
    assert "ud800" in text_of(client.get(f"{page}edit/"))
    stale = {"name": "Nightly", "version": 0, "kind": "crontab", "expression": "30 2 * * *", "tz": "UTC", "task": "t",
             "misfire": "latest", "overlap": "allow", "delivery": "at_least_once", "semantics": "celery-and"}  # fmt: skip
    assert client.post(f"{page}edit/", stale).status_code == 409


@pytest.mark.django_db
@pytest.mark.parametrize(
    "canvas",
    [
        {"type": "loop"},
        {"steps": []},
        {"type": "chain", "steps": "abc"},
        {"type": "group", "steps": [{"type": "task"}]},
        {"type": "chord", "header": [], "body": None},
        {"type": "task", "task": "a", "args": [], "kwargs": {}, "options": {}, "immutable": False},
        ["chain"],
    ],
    ids=json.dumps,
)
def test_pages_about_a_canvas_of_no_known_shape_can_be_seen(canvas):
    schedule = a_schedule()
    run = a_run(schedule, state="sent", canvas=canvas, sent_at=NOON)
    Part.objects.create(run=run, position=0, path="0", task="tests.add", task_id="part", state="waiting")
    Schedule.objects.filter(pk=schedule.pk).update(canvas=canvas)
    client, page = logged_in(*PERMISSIONS), f"/schedules/{schedule.pk}/"
    for url in (
        page,
        f"{page}edit/",
        f"/schedules/new/?copy={schedule.pk}",
        f"{page}run/custom/",
        f"{page}code/",
        f"/runs/{run.uuid}/",
    ):
        assert client.get(url).status_code == 200, url


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB holds no such number, since 2026-11")
@pytest.mark.django_db
@pytest.mark.parametrize("runtime", [math.inf, -math.inf, math.nan, -1.0, 1e300])
def test_pages_about_runs_of_an_impossible_run_time_can_be_seen(runtime):
    schedule = a_schedule()
    times = {"sent_at": NOON, "started_at": NOON, "finished_at": NOON}
    runs = [a_run(schedule, state="succeeded", runtime=each, **times) for each in (runtime, runtime, 1.0)]
    ScheduleState.objects.filter(schedule=schedule).update(usual_runtime=runtime)
    client = logged_in(*PERMISSIONS)
    for url in (
        "/",
        "/runs/",
        "/runs/?sort=longest",
        "/schedules/?sort=duration",
        f"/schedules/{schedule.pk}/",
        f"/schedules/{schedule.pk}/run/",
        f"/runs/{runs[0].uuid}/",
    ):
        assert client.get(url).status_code == 200, url
    file = client.post("/runs/bulk/", {"action": "json", "id": [run.pk for run in runs]})
    json.loads(file.content, parse_constant=pytest.fail)
