"""What a person chooses for the browser: the zone of all moments, and to run at once by Shift and a click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Run
from schedulerui.testing import recording
from tests.browser.chromium import sayings_of
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_zone_of_the_browser_is_chosen_and_all_rows_follow(page, rows, visit):
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    go = visit(page)
    go("/schedules/")
    cell = page.locator(f"#schedule-{rows['Fine']} .cell-next .at")
    expect(cell).to_contain_text("UTC")
    page.locator(".rail__person summary").click()
    browser = page.locator(".rail__person [data-zone]")
    expect(browser).to_have_attribute("value", "Asia/Tokyo")
    browser.click()
    expect(cell).to_contain_text("JST")
    expect(page.locator(".rail__person")).to_contain_text("Times in Asia/Tokyo")
    switch = page.get_by_role("switch", name="Fine")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(cell).to_contain_text("JST")
    go("/runs/")
    expect(page.locator("tbody .at").first).to_contain_text("JST")
    page.locator(".rail__person summary").click()
    page.locator(".rail__person").get_by_role("button", name="UTC").click()
    expect(page.locator("tbody .at").first).to_contain_text("UTC")
    assert sayings_of(page).console == []


@UNDER_BOTH
def test_shift_and_a_double_click_make_one_run_without_a_dialog(page, rows, visit):
    before = Run.objects.count()
    opener = page.get_by_role("link", name="Run now Fine")
    with recording():
        visit(page)("/schedules/?sort=name")
        opener.dblclick(modifiers=["Shift"])
        expect(page.get_by_role("status").filter(has_text="Queued one run of Fine.")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
        assert Run.objects.count() == before + 1
        page.get_by_role("link", name="Run now Failing").click()
        expect(page.get_by_role("dialog", name="Run Failing now?")).to_be_visible()
        page.keyboard.press("Escape")
        assert Run.objects.count() == before + 1
    assert sayings_of(page).console == []


def test_where_the_setting_says_so_shift_and_a_click_ask_too(page, rows, visit, settings):
    visit(page)("/schedules/")
    page.evaluate("document.body.removeAttribute('data-quick')")
    page.get_by_role("link", name="Run now Fine").click(modifiers=["Shift"])
    expect(page.get_by_role("dialog", name=re.compile("Run Fine now"))).to_be_visible()


def test_where_text_runs_from_right_to_left_so_does_time_and_code_does_not(page, rows, visit, settings):
    settings.LANGUAGE_CODE = "ar"
    go = visit(page)
    go("/timeline/")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    passed = page.evaluate(
        """() => {
          const [now, strip] = [".strip .now", ".strip"].map(each => document.querySelector(each).getBoundingClientRect());
          return (strip.right - (now.left + now.right) / 2) / strip.width;
        }"""
    )
    today = clock.now()
    of_the_day = (today - today.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() / 86_400
    assert passed == pytest.approx(of_the_day, abs=0.02)  # the day begins on the right, as its hours do
    go(f"/schedules/{rows['Fine']}/")
    task = page.locator(".page-head .mono")
    assert task.evaluate("node => getComputedStyle(node).direction") == "ltr"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert sayings_of(page).console == []


@pytest.mark.parametrize(
    ("choice", "zone"), [("Schedule", "Asia/Tokyo"), ("UTC", "UTC"), ("Browser", "Asia/Tokyo")]
)
def test_the_clock_of_the_viewer_goes_in_the_zone_that_was_chosen(page, rows, visit, choice, zone):
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    visit(page)("/about/")
    page.locator(".rail__person summary").click()
    page.locator(".rail__person").get_by_role("button", name=choice, exact=True).click()
    clock_shown = page.locator("[data-clock]")
    expect(clock_shown).to_have_text(re.compile(rf"^\d\d:\d\d:\d\d {zone}$"))
    expect(clock_shown).not_to_have_text(clock_shown.inner_text())
    page.wait_for_function(
        """zone => document.querySelector("[data-clock]").textContent.slice(0, 5) ===
             new Date().toLocaleTimeString("en", { hour12: false, timeZone: zone }).slice(0, 5)""",
        arg=zone,
    )
