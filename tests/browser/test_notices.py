"""What was done is said where the person is, however far down the page that is; and what is on its way, where it will be."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import sayings_of
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import visit
from tests.waiting import eventually
from tests.web.people import a_schedule

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
def test_the_last_of_many_rows_is_answered_in_sight_and_can_be_undone(page, visit, size):
    for number in range(30):
        a_schedule(f"Number {number:02d}")
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    visit(page)("/schedules/?sort=name")
    switch = page.get_by_role("switch", name="Number 29")
    switch.click()
    said = page.get_by_role("status").filter(has_text="Number 29 is off")
    expect(said).to_be_in_viewport()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_in_viewport()
    said.get_by_role("button", name="Undo").click()
    expect(switch).to_have_attribute("aria-checked", "true")
    assert sayings_of(page).console == []


def test_without_a_script_the_row_is_not_beneath_the_notice(page_without_javascript, visit):
    for number in range(30):
        a_schedule(f"Number {number:02d}")
    page = page_without_javascript
    page.set_viewport_size({"width": 1440, "height": 700})
    visit(page)("/schedules/?sort=name")
    page.get_by_role("switch", name="Number 20").click()
    said = page.get_by_role("status").filter(has_text="Number 20 is off")
    expect(said).to_be_in_viewport()
    notice, row = said.bounding_box(), page.locator("tr", has_text="Number 20").bounding_box()
    assert notice["y"] + notice["height"] <= row["y"]


@UNDER_BOTH
def test_a_list_that_is_asked_for_says_so_until_it_is_there(page, visit):
    a_schedule("Fine")
    held = []
    visit(page)("/schedules/")
    page.route(re.compile(r"/schedules/\?.*q="), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks a function, not a method
    results = page.locator("#results")
    with page.expect_request(re.compile(r"q=Fi")):
        page.locator("#id_q").fill("Fi")
    expect(results).to_have_attribute("aria-busy", "true")
    eventually(lambda: page.evaluate("1") and held, within=20)
    held.pop().continue_()
    expect(page.locator(".pill")).to_contain_text("Fi")
    expect(results).not_to_have_attribute("aria-busy", "true")
