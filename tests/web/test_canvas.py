"""The form, the schedule's page and the run's page of a canvas."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from schedulerui.dispatch_canvas import write_parts
from schedulerui.models import Part, Schedule
from schedulerui.operations import canvas, schedules
from tests.web.people import ANA, HOSTILE, NOON, a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
NEW, BULK = "/schedules/new/", "/schedules/bulk/"
BASE = {"name": "Nightly", "task": "", "enabled": "on", "tz": "UTC", "misfire": "latest", "grace": "30", "overlap": "allow",
        "delivery": "at_least_once", "kind": "interval", "every": "2", "period": "minutes"}  # fmt: skip
ROWS = {"canvas_shape": "chain", "step_0_task": "tests.add", "step_0_args": "[1, 2]", "step_2_task": "tests.slow",
        "step_2_kwargs": '{"seconds": 1}', "step_2_queue": "slow"}  # fmt: skip
CHAIN = {
    "type": "chain",
    "steps": [{"type": "task", "task": "tests.add"}, {"type": "task", "task": "shop.unknown"}],
}
SECRETIVE = {"type": "group", "steps": [{"type": "task", "task": "tests.add", "args": ["secret-7"]}]}


@pytest.fixture
def editor():
    return logged_in("view", "add", "change", "view_values")


def test_rows_make_a_canvas_and_the_first_is_the_schedules_task(editor):
    assert editor.post(NEW, {**BASE, **ROWS}).status_code == 303
    schedule = Schedule.objects.get()
    steps = schedule.canvas["steps"]
    assert (schedule.task, [step["task"] for step in steps]) == ("tests.add", ["tests.add", "tests.slow"])
    assert (steps[0]["args"], steps[1]["kwargs"], steps[1]["options"]) == (
        [1, 2],
        {"seconds": 1},
        {"queue": "slow"},
    )


def test_the_form_shows_a_stored_canvas_in_rows_and_stores_it_unchanged(editor):
    editor.post(NEW, {**BASE, **ROWS})
    schedule = Schedule.objects.get()
    url = reverse("schedulerui:schedule-edit", args=[schedule.pk])
    form = editor.get(url).context["form"]
    shown = {name: form[name].value() for name in form.fields if name.startswith(("canvas_", "step_"))}
    assert (shown["canvas_shape"], shown["step_1_task"], shown["step_1_queue"]) == (
        "chain",
        "tests.slow",
        "slow",
    )


def test_more_rows_come_without_a_script(editor):
    answer = editor.post(NEW, {**BASE, **ROWS, "add_step": "1"})
    assert answer.status_code == 200
    assert 'name="step_4_task"' in answer.content.decode()
    assert 'value="tests.slow"' in answer.content.decode()
    assert not Schedule.objects.exists()


def test_a_row_that_was_added_is_kept_when_the_form_is_sent(editor):
    added = {"step_4_task": "tests.fail", "step_99_task": "beyond the last row"}
    assert editor.post(NEW, {**BASE, **ROWS, **added}).status_code == 303
    steps = Schedule.objects.get().canvas["steps"]
    assert [step["task"] for step in steps] == ["tests.add", "tests.slow", "tests.fail"]


def test_an_error_stands_at_its_row(editor):
    answer = editor.post(NEW, {**BASE, **ROWS, "step_2_task": ""})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["step_2_task"]
    answer = editor.post(NEW, {**BASE, **ROWS, "step_2_kwargs": "[1"})
    assert "step_2_kwargs" in answer.context["form"].errors


def test_json_makes_anything_nested_and_says_where_it_is_wrong(editor):
    nested = {"type": "chain", "steps": [CHAIN["steps"][0], {"type": "group", "steps": CHAIN["steps"]}]}
    given = {**BASE, "canvas_shape": "json", "canvas_json": json.dumps(nested)}
    assert editor.post(NEW, given).status_code == 303
    assert Schedule.objects.get().canvas == canvas.read(nested)
    bad = {"type": "chain", "steps": [CHAIN["steps"][0], {"type": "task"}]}
    answer = editor.post(NEW, {**given, "name": "Other", "canvas_json": json.dumps(bad)})
    assert answer.status_code == 422
    assert "At 1: " in answer.context["form"].errors["canvas_json"][0]


def test_a_chord_is_refused_where_the_app_has_no_result_backend(editor):
    answer = editor.post(NEW, {**BASE, **ROWS, "canvas_shape": "chord"})
    assert answer.status_code == 422
    assert "needs a result backend" in answer.context["form"].errors["canvas_shape"][0]


def test_the_schedules_page_shows_the_structure_and_tasks_that_nobody_knows():
    schedule = a_schedule(canvas=canvas.read(CHAIN))
    page = logged_in("view").get(reverse("schedulerui:schedule", args=[schedule.pk]))
    text = text_of(page)
    assert "Chain of 2 steps, one after the other" in text
    assert text.count("no worker and no code here knows it") == 1


def test_who_may_not_see_values_keeps_the_canvas_and_never_sees_it():
    stored = canvas.read(SECRETIVE)
    schedule = a_schedule(canvas=stored)
    client = logged_in("view", "add", "change")
    url = reverse("schedulerui:schedule-edit", args=[schedule.pk])
    assert "secret-7" not in client.get(url).content.decode()
    assert "secret-7" not in client.get(f"{NEW}?copy={schedule.pk}").content.decode()
    answer = client.post(
        url, {**BASE, "name": "Renamed", "version": schedule.version, "canvas_shape": "", "canvas_json": "{}"}
    )
    assert answer.status_code == 303
    schedule.refresh_from_db()
    assert (schedule.name, schedule.canvas, schedule.task) == ("Renamed", stored, "tests.add")


def a_canvas_run():
    run = a_run(a_schedule(), canvas=canvas.read(CHAIN), state="failed")
    write_parts(run)
    Part.objects.filter(run=run, path="0").update(state="failed", traceback=HOSTILE[0], worker="celery@one")
    return run


def test_the_runs_page_lists_its_parts_and_values_only_to_those_who_may_see_them():
    run = a_canvas_run()
    url = reverse("schedulerui:run", args=[run.uuid])
    reader, insider = logged_in("view").get(url), logged_in("view", "view_values").get(url)
    for page in (reader, insider):
        assert "chain of 2: tests.add, then shop.unknown" in text_of(page)
        assert HOSTILE[0] not in page.content.decode()
    assert "What part 1 said" not in text_of(reader)
    assert "What part 1 said" in text_of(insider)


def test_the_runs_page_asks_again_until_a_part_looks_different():
    run = a_canvas_run()
    client, url = logged_in("view"), reverse("schedulerui:run", args=[run.uuid])
    since = client.get(url).context["since"]
    assert client.get(url, {"since": since}, headers={"HX-Request": "true"}).status_code == 204
    Part.objects.filter(run=run, path="1").update(progress=140, state="received")
    assert client.get(url, {"since": since}, headers={"HX-Request": "true"}).status_code == 200


def test_the_audit_log_and_exports_hide_a_canvas_from_those_who_may_not_see_values():
    schedule = a_schedule(canvas=canvas.read(SECRETIVE))
    other = {"type": "chain", "steps": [{"type": "task", "task": "tests.add", "args": ["secret-9"]}]}
    schedules.edit(schedule.pk, {"canvas": other}, version=1, actor=ANA, now=NOON)
    for verbs, is_shown in ((("view_values",), True), ((), False)):
        person = logged_in("view", "operate", "view_audit", *verbs)
        for answer in (person.get("/audit/"), person.post(BULK, {"action": "json", "id": [schedule.pk]})):
            assert answer.status_code == 200
            assert ("secret-9" in text_of(answer)) is is_shown
            assert ("secret-" in text_of(answer)) is is_shown
