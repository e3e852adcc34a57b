"""Hostile text in what comes after the page: notices, dialogs, polls, suggestions, forms, files, and Django's admin."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from schedulerui.models import Beat, Change, Run, Schedule, ScheduleState, Worker
from schedulerui.testing import recording
from tests.browser.chromium import settled
from tests.browser.looking import Looker
from tests.browser.test_pages import poll, visit
from tests.hostile import TEXTS, packs, storable
from tests.hostile_rows import fill

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def looker(page, visit):
    looker = Looker(page, visit(page))
    fill(packs(storable()), owner=User.objects.get(username="ana"))
    return looker


def squeezed(text):
    return "".join(text.replace("\x00", "").split())


def test_notices_and_dialogs_say_names_as_they_stand(looker):
    page = looker.page
    looker.look("/schedules/?sort=name")
    shown = page.locator("#schedule-rows tr").evaluate_all("rows => rows.map(row => row.id.split('-')[1])")
    for pk in shown[::2]:
        name = squeezed(Schedule.objects.get(pk=pk).name)
        with page.expect_response(lambda answer: "able/" in answer.url):
            page.locator(f"#switch-{pk}").click()
        said = page.locator("#notices .notice__text, #alerts .notice__text").last
        expect(said).to_be_visible()
        if page.locator("#notices .notice").count() and name not in squeezed(said.text_content()):
            looker.wrong.append(f"notice of {pk}: {said.text_content()!r}")
        page.locator("[data-dismiss]:visible").first.click()
    for pk in shown[1::6]:
        page.locator(f"#run-{pk}").click()
        dialog = page.locator("dialog[open]")
        expect(dialog).to_be_visible()
        if squeezed(Schedule.objects.get(pk=pk).name) not in squeezed(dialog.text_content()):
            looker.wrong.append(f"dialog of {pk}: {dialog.text_content()!r}")
        looker.look_here(f"dialog of {pk}")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    looker.check()


def test_rows_that_a_poll_brings_are_as_quiet_as_those_of_the_page(looker):
    page = looker.page
    for path, change in (
        ("/schedules/", lambda: ScheduleState.objects.update(last_state="succeeded", failure_streak=0)),
        ("/runs/", lambda: Run.objects.filter(state="started").update(state="lost")),
        (f"/runs/{Run.objects.order_by('pk')[2].uuid}/", lambda: Run.objects.update(reason="<b>changed</b>", publishes=9)),
        ("/workers/", lambda: Worker.objects.update(active=7)),
        ("/", lambda: ScheduleState.objects.update(last_state="failed", failure_streak=3)),
    ):  # fmt: skip
        looker.look(path)
        change()
        with page.expect_response(
            lambda answer: answer.request.headers.get("hx-request") == "true" and answer.status == 200
        ):
            poll(page)
        settled(page)
        looker.look_here(f"{path} after a poll")
    looker.check()


def test_suggestions_and_the_preview_show_text_as_it_stands(looker):
    page = looker.page
    for path in ("/schedules/", "/runs/"):
        looker.look(path)
        field = page.locator("#id_q")
        for text in ("task:", "queue:", "zone:", "tag:", *packs(TEXTS[::9], size=120)):
            with page.expect_response(lambda answer: "/complete/" in answer.url) as answered:
                field.fill(text)
            if answered.value.status != 200:
                looker.wrong.append(f"{text!r}: {answered.value.status}")
        settled(page)
        looker.look_here(f"{path} while one types")
    looker.look("/schedules/new/")
    page.get_by_role("radio", name="Crontab").check()
    for pack in packs(TEXTS, size=240)[::4]:
        with page.expect_response(lambda answer: "/preview/" in answer.url):
            page.locator("#id_expression").fill(pack)
    settled(page)
    looker.look_here("the form with its preview")
    looker.check()


def test_pages_about_changes_ends_and_results_show_text_as_it_stands(looker):
    looker.page.set_viewport_size({"width": 390, "height": 900})
    changes = Change.objects.order_by("pk")
    for i, (schedule, change) in enumerate(changes.values_list("schedule_id", "pk")[::2]):
        looker.look(f"/schedules/{schedule}/{('changes/', f'restore/{change}/')[i % 2]}")
    for i, uuid in enumerate(Run.objects.order_by("pk").values_list("uuid", flat=True)[::2]):
        looker.look(f"/runs/{uuid}/{('cancel/', 'result/')[i % 2]}")
    looker.check()


def test_forms_with_hostile_values_come_back_whole(looker):
    page = looker.page
    page.set_viewport_size({"width": 390, "height": 900})
    before = Schedule.objects.count()
    for i, pack in enumerate(packs(storable(), size=150)[::7]):
        looker.look("/schedules/new/")
        page.locator("main details").evaluate_all("all => all.forEach(one => { one.open = true })")
        page.locator("#id_name").fill(f"{pack} {i}")
        page.locator("#id_task").fill(pack)
        page.get_by_role("radio", name="Interval").check()
        page.get_by_label("Every", exact=True).fill("5")
        page.get_by_label("Unit", exact=True).select_option("minutes")
        for label in ("description", "queue", "owner", "tags")[: 4 if i % 4 == 0 else 3]:
            page.locator(f"#id_{label}").fill(pack)
        page.locator("#id_kwargs").fill(json.dumps({pack: [pack]}) if i % 2 else pack)
        page.get_by_role("button", name="Save schedule").click()
        settled(page)
        looker.look_here(f"after saving {pack[:30]!r}")
    assert Schedule.objects.count() > before
    looker.allow("422")  # Chromium reports a refused form by its status
    looker.check()


def test_the_question_before_a_bulk_action_and_its_answer_show_text_as_it_stands(looker):
    page = looker.page
    for action in ("run", "queue", "delete"):
        looker.look("/schedules/?sort=name")
        for box in page.locator("#schedule-rows [name=id]").all()[:12]:
            box.check()
        page.locator("#bulk-action").select_option(action)
        page.get_by_role("button", name="Go on").click()
        settled(page)
        looker.look_here(f"{action}?")
        with recording():
            page.locator("main form button[type=submit]").click()
            settled(page)
        looker.look_here(f"{action}!")
    looker.check()


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_file_of_schedules_holds_every_name_and_no_formula(looker, kind):
    page = looker.page
    looker.look("/schedules/?sort=name")
    page.locator("[data-pick-all]").check()
    page.locator("#bulk-action").select_option(kind)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Go on").click()
    text = saved.value.path().read_bytes().decode()
    if kind == "csv":
        lines = list(csv.reader(io.StringIO(text, newline="")))
        assert [cell for line in lines for cell in line if cell.startswith(tuple("=+-@\t\r\n"))] == []
        names = {line[0].removeprefix("'") for line in lines[1:]}
    else:
        names = {row["name"].removeprefix("'") for row in json.loads(text)}
        assert {row["kwargs"].get("password", "••••••") for row in json.loads(text)} == {"••••••"}
    assert names <= {name.removeprefix("'") for name in Schedule.objects.values_list("name", flat=True)}
    assert len(names) == 50


def test_the_admin_runs_nothing_either(looker):
    for model in (Schedule, Run, Change, Worker, Beat):
        pages = f"/admin/schedulerui/{model._meta.model_name}/"
        for number in ("", "?p=2"):
            looker.look(f"{pages}{number}")
        for pk in model.objects.order_by("pk").values_list("pk", flat=True)[::8]:
            looker.look(f"{pages}{pk}/change/")
    for pack in packs(TEXTS, size=400)[::4]:
        looker.look(f"/admin/schedulerui/schedule/?q={quote(pack)}")
    looker.check()
