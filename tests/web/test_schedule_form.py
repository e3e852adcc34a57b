from __future__ import annotations

import json

import pytest
from django.urls import reverse

from schedulerui.models import Change, Schedule
from schedulerui.operations import schedules
from tests.web.people import (
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
NEW = "/schedules/new/"
BASE = {"name": "Stock", "task": "tests.add", "enabled": "on", "tz": "UTC", "misfire": "latest", "grace": "30",
        "overlap": "allow", "delivery": "at_least_once"}  # fmt: skip
CRON = {**BASE, "kind": "crontab", "expression": "30 2 * * *"}
EVERY = {**BASE, "kind": "interval", "every": "2", "period": "seconds"}


@pytest.fixture
def editor():
    return logged_in("view", "add", "change", "delete", "view_values")


def edit_url(schedule):
    return reverse("schedulerui:schedule-edit", args=[schedule.pk])


def delete_url(schedule):
    return reverse("schedulerui:schedule-delete", args=[schedule.pk])


def test_it_asks_for_login_and_permission():
    schedule = a_schedule()
    check_gate(NEW, verb="add")
    check_gate(edit_url(schedule), verb="change")
    check_gate(delete_url(schedule), verb="delete")


def test_it_refuses_other_methods():
    schedule = a_schedule()
    for url in (NEW, edit_url(schedule), delete_url(schedule)):
        check_methods(url, "PUT", "DELETE", "PATCH")


def test_it_refuses_a_post_without_permission_and_changes_nothing():
    schedule, reader = a_schedule(), logged_in("view", "operate")
    assert reader.post(NEW, CRON).status_code == 403
    assert reader.post(edit_url(schedule), {**CRON, "version": "1"}).status_code == 403
    assert reader.post(delete_url(schedule)).status_code == 403
    assert Schedule.objects.get().version == 1


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (CRON, {"expression": "30 2 * * *", "every": None, "solar_event": ""}),
        (EVERY, {"every": 2, "period": "seconds", "expression": ""}),
        (
            {**BASE, "kind": "clocked", "tz": "Europe/Berlin", "clocked_at_local": "2040-03-04T12:00"},
            {"clocked_at_local": "2040-03-04T12:00:00", "clocked_at_utc": None},
        ),
        (
            {**BASE, "kind": "solar", "solar_event": "sunset", "latitude": "52.52", "longitude": "13.4"},
            {"solar_event": "sunset", "every": None},
        ),
        ({**BASE, "kind": "manual"}, {"expression": "", "every": None}),
    ],
)
def test_it_creates_each_kind_and_redirects(editor, fields, kept):
    response = editor.post(NEW, fields)
    schedule = Schedule.objects.get()
    assert response.status_code == 303
    assert response["Location"] == reverse("schedulerui:schedule", args=[schedule.pk])
    assert {name: getattr(schedule, name) for name in kept} == kept
    assert Change.objects.get().action == "create"


def test_it_tells_htmx_where_to_go(editor):
    response = editor.post(NEW, CRON, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Redirect"] == reverse("schedulerui:schedule", args=[Schedule.objects.get().pk])


def test_it_neither_checks_nor_keeps_the_fields_of_other_kinds(editor):
    editor.post(NEW, {**CRON, "every": "nonsense", "period": "years", "latitude": "999", "solar_event": "?"})
    assert Schedule.objects.get().every is None


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"name": ""}, "name", "required"),
        ({"expression": "61 * * * *"}, "expression", "minute"),
        ({"expression": "0 0 30 2 *"}, "expression", ""),
        ({"tz": "Mars/Olympus"}, "tz", "Mars/Olympus"),
        ({"args": "{}"}, "args", "list"),
        ({"kwargs": '{"a": 1,\n "b": }'}, "kwargs", "Line 2, column 7"),
        ({"kwargs": "[]"}, "kwargs", "object"),
        ({"kwargs": '{"a": 1, "a": 2}'}, "kwargs", "twice"),
        ({"args": "[NaN]"}, "args", "not JSON"),
        ({"args": "[" * 40 + "]" * 40}, "args", "deeper"),
        ({"args": "[" * 60_000}, "args", ""),
        ({"args": json.dumps(["x" * 70_000])}, "args", "65536"),
        ({"args": '["\\ud800"]'}, "args", "surrogate"),
        ({"args": '["\\u0000"]'}, "args", "NUL"),
        ({"args": "[" + "9" * 5000 + "]"}, "args", "too long"),
        ({"priority": "300"}, "priority", "255"),
        ({"start_at": "yesterday"}, "start_at", "2026-12-31T23:59"),
        ({"start_at": "0001-01-01T00:00"}, "start_at", "2026-12-31T23:59"),
        ({"start_at": "2030-01-02T00:00", "end_at": "2030-01-01T00:00"}, "end_at", "before"),
        ({"max_runs": "0"}, "max_runs", "1"),
        ({"misfire": "sometimes"}, "misfire", "valid choice"),
        ({"name": "a\x00b"}, "name", "Null"),
    ],
)
def test_it_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(editor, change, name, said):
    response = editor.post(NEW, {**CRON, **change})
    page = text_of(response)
    assert response.status_code == 422
    assert not Schedule.objects.exists()
    assert response.context["form"].errors.keys() == {name}
    assert said in " ".join(response.context["form"].errors[name])
    assert 'id="error-summary"' in page
    assert f'href="#id_{name}"' in page
    assert 'aria-invalid="true"' in page
    assert 'value="tests.add"' in page


def test_it_says_that_a_name_is_taken(editor):
    a_schedule("Stock")
    response = editor.post(NEW, CRON)
    assert response.context["form"].errors.keys() == {"name"}


def test_it_saves_an_unknown_task_with_a_warning(editor):
    a_worker(tasks=["tests.add"])
    response = editor.post(NEW, {**CRON, "task": "nobody.knows"}, follow=False)
    assert response.status_code == 303
    assert any("nobody.knows" in str(message) for message in messages_of(editor, response))


def messages_of(client, response):
    request = response.wsgi_request
    from django.contrib.messages import get_messages

    return list(get_messages(request))


def test_it_suggests_tasks_of_workers_of_this_process_and_of_schedules(editor):
    a_worker(tasks=["from.worker", "celery.ping"])
    a_schedule(task="from.schedule")
    page = text_of(editor.get(NEW))
    for name in ("from.worker", "from.schedule", "tests.add"):
        assert f'<option value="{name}">' in page
    assert "celery.ping" not in page


def test_it_previews_without_scripts_and_saves_nothing(editor):
    response = editor.post(NEW, {**CRON, "name": "", "preview": "1"})
    page = text_of(response)
    assert response.status_code == 200
    assert page.count("preview__at") == 10
    assert "error-summary" not in page
    assert not Schedule.objects.exists()


def test_it_edits_and_writes_who_changed_what(editor):
    schedule = a_schedule()
    response = editor.post(edit_url(schedule), {**CRON, "name": "Nightly", "queue": "slow", "version": "1"})
    schedule.refresh_from_db()
    assert response.status_code == 303
    assert (schedule.queue, schedule.version) == ("slow", 2)
    assert Change.objects.latest("id").diff == {"queue": ["", "slow"]}


def test_it_changes_nothing_when_an_untouched_form_is_saved(editor):
    schedule = a_schedule(
        "Every", kind="interval", every=7, period="minutes", tz="Europe/Berlin", kwargs={"a": [1]}, start_at=NOON,
        priority=3, expression="", ignore_result=True,
    )  # fmt: skip
    form = editor.get(edit_url(schedule)).context["form"]
    data = {bound.html_name: bound.value() for bound in form if bound.value() not in (None, False)}
    data |= {
        name: form[name].field.prepare_value(form[name].initial)
        for name in ("args", "kwargs", "headers", "options")
    }
    for name in ("anchor_at", "start_at"):
        data[name] = form[name].initial.isoformat()
    response = editor.post(edit_url(schedule), data)
    schedule.refresh_from_db()
    assert response.status_code == 303
    assert schedule.version == 1


def test_it_keeps_the_moment_of_the_second_pass_of_a_repeated_hour(editor):
    second_pass = NOON.replace(year=2030, month=10, day=27, hour=1, minute=30)
    schedule = a_schedule(
        "Every",
        kind="interval",
        every=7,
        period="minutes",
        tz="Europe/Berlin",
        anchor_at=second_pass,
        expression="",
    )
    data = {
        **EVERY,
        "every": "8",
        "period": "minutes",
        "tz": "Europe/Berlin",
        "version": "1",
        "name": "Every",
        "anchor_at": "2030-10-27T02:30:00",
    }
    editor.post(edit_url(schedule), data)
    schedule.refresh_from_db()
    assert (schedule.every, schedule.anchor_at) == (8, second_pass)


def test_it_keeps_a_moment_in_utc_that_nobody_changed(editor):
    moment = NOON.replace(year=2040)
    schedule = a_schedule("Once", kind="clocked", clocked_at_utc=moment, expression="", tz="Europe/Berlin")
    data = {
        **BASE,
        "kind": "clocked",
        "tz": "Europe/Berlin",
        "clocked_at_local": "2040-03-04T13:00:00",
        "name": "Renamed",
        "version": "1",
    }
    editor.post(edit_url(schedule), data)
    schedule.refresh_from_db()
    assert (schedule.name, schedule.clocked_at_utc, schedule.clocked_at_local) == ("Renamed", moment, "")


def test_it_names_who_was_faster_and_loses_nothing(editor):
    schedule = a_schedule()
    schedules.edit(schedule.pk, {"queue": "theirs"}, version=1, actor=ANA, now=NOON)
    mine = {**CRON, "name": "Nightly", "queue": "mine", "version": "1"}
    response = editor.post(edit_url(schedule), mine)
    page = text_of(response)
    assert response.status_code == 409
    assert "ana" in page
    assert [row[1:] for row in response.context["differences"]] == [("mine", "theirs")]
    assert 'name="queue" value="mine"' in page
    assert 'name="version" value="2"' in page
    again = editor.post(edit_url(schedule), {**mine, "version": "2"})
    assert again.status_code == 303
    assert Schedule.objects.get().queue == "mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999"])
def test_it_treats_a_damaged_version_as_a_lost_race(editor, version):
    schedule = a_schedule()
    response = editor.post(edit_url(schedule), {**CRON, "version": version})
    assert response.status_code in {409, 422}
    assert Schedule.objects.get().version == 1


def test_it_shows_a_schedule_from_code_read_only(editor):
    schedule = a_schedule(source="code", source_key="app.nightly")
    for url in (edit_url(schedule), delete_url(schedule)):
        response = editor.get(url)
        assert response.status_code == 200
        assert "defined in code" in text_of(response)
        assert "<textarea" not in text_of(response)
        assert editor.post(url, {**CRON, "version": "1"}).status_code == 403
    assert Schedule.objects.get().version == 1


def test_it_hides_arguments_from_an_editor_who_may_not_see_values():
    schedule = a_schedule(kwargs={"pin": "1234"})
    editor = logged_in("view", "change", "add")
    assert "1234" not in text_of(editor.get(edit_url(schedule)))
    assert "1234" not in text_of(editor.get(NEW, {"copy": schedule.pk}))
    editor.post(edit_url(schedule), {**CRON, "queue": "slow", "version": "1", "kwargs": "{}"})
    schedule.refresh_from_db()
    assert (schedule.queue, schedule.kwargs) == ("slow", {"pin": "1234"})


def test_it_fills_a_copy_and_leaves_it_switched_off(editor):
    schedule = a_schedule(kwargs={"store": 138}, queue="slow")
    form = editor.get(NEW, {"copy": schedule.pk}).context["form"]
    assert form["name"].value() == "Copy of Nightly"
    assert form["queue"].value() == "slow"
    assert "138" in form["kwargs"].value()
    assert form["enabled"].value() is False


@pytest.mark.parametrize("copy", ["x", "-1", "", "²", "1" * 40])
def test_it_shows_an_empty_form_for_a_damaged_copy_address(editor, copy):
    assert editor.get(NEW, {"copy": copy}).status_code == 200


def test_it_answers_404_for_a_schedule_that_is_gone(editor):
    assert editor.get("/schedules/4711/edit/").status_code == 404
    assert editor.get("/schedules/4711/delete/").status_code == 404
    assert editor.get(NEW, {"copy": "4711"}).status_code == 404


def test_it_asks_before_it_deletes(editor):
    schedule = a_schedule()
    assert "Nightly" in text_of(editor.get(delete_url(schedule)))
    assert Schedule.objects.exists()
    assert editor.post(delete_url(schedule)).status_code == 303
    assert not Schedule.objects.exists()
    assert Change.objects.latest("id").action == "delete"


@pytest.mark.parametrize("text", HOSTILE)
def test_it_shows_hostile_text_as_text(editor, text):
    editor.post(
        NEW, {**CRON, "name": text, "task": text, "description": text, "kwargs": json.dumps({"k": text})}
    )
    schedule = Schedule.objects.get()
    for url in (edit_url(schedule), delete_url(schedule)):
        page = text_of(editor.get(url))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert schedule.kwargs == {"k": text}


def test_it_shows_a_broken_row_so_that_it_can_be_mended(editor):
    schedule = a_schedule()
    Schedule.objects.update(tz="Gone/Zone", expression="not a rule")
    response = editor.get(edit_url(schedule))
    assert response.status_code == 200
    assert "not a rule" in text_of(response)


@pytest.mark.parametrize("n_schedules", [1, 40])
def test_it_needs_the_same_number_of_queries_however_many_schedules_there_are(
    editor, n_schedules, django_assert_num_queries
):
    for number in range(n_schedules):
        a_schedule(f"Schedule {number}", task=f"task.{number % 7}")
    with django_assert_num_queries(5 + OF_THE_PERSON):
        editor.get(edit_url(Schedule.objects.first()))


def test_a_new_schedule_is_saved_as_it_was_previewed(editor):
    form = editor.get(NEW).context["form"]
    carried = str(form["uuid"].value())
    sent = {**CRON, "expression": "0 * * * *", "jitter": "3600", "uuid": carried}
    shown = editor.post(NEW, {**sent, "preview": "1"}).context["preview"]
    editor.post(NEW, sent)
    stored = Schedule.objects.get()
    assert str(stored.uuid) == carried
    assert stored.next_run_at == shown.times[0]
    edited = editor.get(edit_url(stored)).context["preview"]
    assert edited.times == shown.times


def test_a_copy_has_a_spread_of_its_own(editor):
    schedule = a_schedule(jitter=60)
    form = editor.get(f"{NEW}?copy={schedule.pk}").context["form"]
    assert form["jitter"].value() == 60
    assert form["uuid"].value() != schedule.uuid


def test_an_edit_cannot_change_the_uuid(editor):
    schedule = a_schedule()
    other = "0b8f7c2e-4f43-4d38-9a6c-6d0f5b1f2a11"
    response = editor.post(edit_url(schedule), {**CRON, "name": "Renamed", "uuid": other, "version": "1"})
    assert response.status_code == 303
    assert Schedule.objects.get().uuid == schedule.uuid


def test_h_is_kept_as_typed_and_runs_when_the_preview_said(editor):
    carried = str(editor.get(NEW).context["form"]["uuid"].value())
    sent = {**CRON, "expression": "H H * * *", "uuid": carried}
    shown = editor.post(NEW, {**sent, "preview": "1"}).context["preview"]
    editor.post(NEW, sent)
    stored = Schedule.objects.get()
    assert stored.expression == "H H * * *"
    assert stored.next_run_at == shown.times[0]
    assert shown.words in text_of(editor.get("/schedules/"))


def test_a_field_that_was_left_is_checked_by_the_same_form_and_nothing_is_stored(editor):
    taken = a_schedule("Taken")
    wrong = {**CRON, "name": "Taken", "kwargs": '{"a": 1,\n "b" 2}', "grace": "soon", "check": "1"}
    for url in (NEW, edit_url(a_schedule("Other"))):
        response = editor.post(url, wrong)
        text = text_of(response)
        assert response.status_code == 200
        assert '<p data-invalid="kwargs">Line 2, column 6: this is not JSON' in text
        assert '<p data-invalid="name">' in text
        assert '<p data-invalid="grace">' in text
        assert "<html" not in text
    sound = editor.post(edit_url(taken), {**CRON, "name": "Renamed", "version": "1", "check": "1"})
    assert "data-invalid" not in text_of(sound)
    assert not Schedule.objects.filter(name__in=["Renamed", "Stock"]).exists()
    assert logged_in("view").post(NEW, wrong).status_code == 403


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_check_says_of_hostile_text_stays_text(editor, text):
    page = text_of(editor.post(NEW, {**CRON, "kwargs": text, "expression": text, "tz": text, "check": "1"}))
    assert "<script>" not in page
    assert "<img" not in page
