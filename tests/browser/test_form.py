"""The form in a real browser: what is checked when a field is left, the focus after a refusal, two people, unsaved changes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Schedule, Worker
from schedulerui.operations import schedules
from tests.browser.chromium import sayings_of
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import rows, visit
from tests.web.people import ANA

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@UNDER_BOTH
def test_a_field_is_checked_when_it_is_left_and_hints_follow(page, rows, visit):
    Worker.objects.update(tasks=["tests.add"], queues=["celery"], seen_at=clock.now())
    visit(page)("/schedules/new/")
    kwargs, error = page.locator("#id_kwargs"), page.locator("#id_kwargs_error")
    kwargs.fill('{"a": 1,\n "b" 2}')
    kwargs.blur()
    expect(error).to_contain_text("Line 2, column 6")
    expect(kwargs).to_have_attribute("aria-invalid", "true")
    assert "id_kwargs_error" in (kwargs.get_attribute("aria-describedby") or "")
    expect(page.locator("#id_name_error")).to_have_text("")  # nobody has been there yet
    kwargs.fill('{"a": 1}')
    kwargs.blur()
    expect(error).to_have_text("")
    expect(kwargs).to_have_attribute("aria-invalid", "false")
    page.locator("#id_name").fill("Fine")
    page.locator("#id_name").blur()
    expect(page.locator("#id_name_error")).to_contain_text("already")
    page.locator("#id_task").fill("tests.add")
    page.locator("#id_task").blur()
    expect(page.locator("#task-takes")).to_have_text("tests.add(x: int = 1, y: int = 1)")
    page.locator("#id_task").fill("tests.gone")
    page.locator("#id_task").blur()
    expect(page.locator("#hints")).to_contain_text("No worker that is online knows this task.")
    expect(page.locator("#task-takes")).to_have_text("")
    assert sayings_of(page).console == []


@UNDER_BOTH
def test_a_refusal_has_the_focus_and_leads_to_the_field(page, rows, visit):
    visit(page)("/schedules/new/")
    page.get_by_role("button", name="Save schedule").click()
    summary = page.locator("#error-summary")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Name").click()
    expect(page.locator("#id_name")).to_be_focused()
    sayings_of(page).complaints[:] = [line for line in sayings_of(page).complaints if "422" not in line]


def test_whoever_was_slower_sees_both_edits_and_can_save_once_more(page, rows, visit):
    visit(page)(f"/schedules/{rows['Fine']}/edit/")
    page.locator("#id_owner").fill("mine")
    schedules.edit(rows["Fine"], {"owner": "theirs"}, version=1, actor=ANA, now=clock.now())
    page.get_by_role("button", name="Save schedule").click()
    conflict = page.get_by_role("alert").filter(has_text="Somebody was faster")
    expect(conflict).to_be_focused()
    expect(conflict.get_by_role("row", name="Owner")).to_contain_text("mine")
    expect(conflict.get_by_role("row", name="Owner")).to_contain_text("theirs")
    expect(page.locator("#id_owner")).to_have_value("mine")
    page.get_by_role("button", name="Save schedule").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert Schedule.objects.get(pk=rows["Fine"]).owner == "mine"
    sayings_of(page).complaints[:] = [line for line in sayings_of(page).complaints if "409" not in line]


def test_leaving_with_changes_asks_first_and_without_any_does_not(page, rows, visit, live_server):
    asked = []

    def stay(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    visit(page)(f"/schedules/{rows['Fine']}/edit/")
    page.locator("#id_owner").fill("mine")
    with page.expect_event("dialog"):
        page.locator(".rail__wide").get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{live_server.url}/schedules/{rows['Fine']}/edit/")
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save schedule").click()
    expect(page).to_have_url(f"{live_server.url}/schedules/{rows['Fine']}/")
    page.goto(f"{live_server.url}/schedules/{rows['Fine']}/edit/")
    page.locator(".rail__wide").get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{live_server.url}/runs/")
    assert asked == ["beforeunload"]
