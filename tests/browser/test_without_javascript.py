"""What people do all day, with JavaScript switched off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from schedulerui.models import Run, Schedule
from schedulerui.testing import recording
from tests.browser.test_pages import rows, visit
from tests.web.people import a_schedule

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(page_without_javascript):
    return page_without_javascript


@pytest.fixture
def go(page, visit):
    return visit(page)


def listed(page):
    return page.locator("#schedule-rows tr")


def test_a_list_is_filtered_sorted_and_paged(page, rows, go):
    for number in range(50):
        a_schedule(f"Other {number}")
    go("/schedules/?sort=name")
    expect(listed(page)).to_have_count(50)
    first = listed(page).locator(".row-name, .cell-name a").first.inner_text()
    page.get_by_role("link", name="Next", exact=True).click()
    expect(listed(page).first).not_to_contain_text(first)
    page.get_by_role("link", name="Previous").click()
    go("/schedules/")
    page.get_by_label("Search").fill("on:off")
    page.get_by_role("button", name="Apply").click()
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_contain_text("Paused")


def test_a_schedule_is_made_previewed_changed_and_deleted(page, go):
    go("/schedules/new/")
    page.get_by_label(re.compile("^Name")).fill("Plain")
    page.locator("#id_task").fill("tests.add")
    page.get_by_role("radio", name=re.compile("Interval")).check()
    page.get_by_label("Every", exact=True).fill("40")
    page.get_by_role("button", name="Preview runs").click()
    expect(page.locator("#preview-summary")).to_contain_text("Every 40")
    page.get_by_role("button", name="Save schedule").click()
    expect(page.locator("h1")).to_have_text("Plain")
    pk = Schedule.objects.get(name="Plain").pk
    go(f"/schedules/{pk}/edit/")
    page.get_by_label(re.compile("^Name")).fill("Plainer")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("h1")).to_have_text("Plainer")
    go(f"/schedules/{pk}/delete/")
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/schedules/$"))
    assert not Schedule.objects.exists()


def test_a_schedule_is_paused_for_a_reason(page, rows, go):
    go(f"/schedules/{rows['Fine']}/pause/")
    page.get_by_label(re.compile("reason|why", re.IGNORECASE)).first.fill("a deploy")
    page.locator("main").get_by_role("button", name=re.compile("^Pause")).click()
    expect(page.locator("main")).to_contain_text("a deploy")
    assert not Schedule.objects.get(pk=rows["Fine"]).enabled


def test_a_run_is_run_again(page, rows, go):
    old = Run.objects.get(schedule_id=rows["Failing"])
    with recording():
        go(f"/runs/{old.uuid}/")
        page.locator(f"a[href$='/runs/{old.uuid}/again/']").first.click()
        page.locator("main").get_by_role("button", name=re.compile("Run")).last.click()
        expect(page).not_to_have_url(re.compile(f"{old.uuid}"))
    assert Run.objects.filter(schedule_id=rows["Failing"]).count() == 2


def test_several_are_paused_at_once(page, rows, go):
    go("/schedules/")
    for name in ("Fine", "Failing"):
        page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).get_by_role(
            "checkbox"
        ).check()
    page.locator(".bulk select[name=action]").select_option("disable")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("done for 2 schedules")).to_be_visible()
    assert Schedule.objects.filter(enabled=False, name__in=["Fine", "Failing"]).count() == 2
