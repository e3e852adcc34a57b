"""What a person does with a list while it lives: new rows wait behind a button, words are completed by keys, a view is kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Schedule
from tests.browser.chromium import sayings_of
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import poll, rows, visit
from tests.web.people import a_run, a_schedule

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@UNDER_BOTH
@pytest.mark.parametrize("place", ["/runs/", "/schedules/"])
def test_new_rows_wait_behind_a_button_and_never_jump_in(page, rows, visit, place):
    visit(page)(place)
    lines = page.locator("#results tbody tr")
    before = lines.evaluate_all("all => all.map(line => line.id)")
    for number in range(2):
        a_run(Schedule.objects.get(pk=rows["Fine"]), due_at=clock.now(), state="succeeded", runtime=1)
        a_schedule(f"Newcomer {number}")
    poll(page)
    offer = page.locator("#news")
    expect(offer).to_contain_text("2 new")
    assert lines.evaluate_all("all => all.map(line => line.id)") == before
    offer.get_by_role("link").click()
    expect(lines).to_have_count(len(before) + 2)
    expect(offer).to_be_hidden()
    assert sayings_of(page).console == []


def test_a_filter_is_completed_by_keys_kept_as_a_view_and_opened_again(page, rows, visit):
    go = visit(page)
    go("/schedules/")
    page.keyboard.press("/")
    page.keyboard.type("sta")
    option = page.get_by_role("option", name=re.compile("^state:"))
    expect(option).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    field = page.locator("#id_q")
    expect(field).to_have_value("state:")
    page.keyboard.type("fail")
    expect(page.get_by_role("option", name=re.compile("failing"))).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile("^state:failing"))
    expect(
        page.locator("#complete")
    ).to_be_hidden()  # the term is complete, and nothing lies over the buttons
    expect(page.locator("#schedule-rows tr")).to_have_count(1)
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Name of the view").fill("What fails")
    page.get_by_role("button", name="Save view").click()
    page.wait_for_load_state()
    go("/schedules/")
    expect(page.locator("#schedule-rows tr")).to_have_count(5)
    page.locator(".views summary").click()
    page.get_by_role("link", name="What fails", exact=True).click()
    expect(page.locator("#schedule-rows tr")).to_have_count(1)
    expect(page.locator("#schedule-rows")).to_contain_text("Failing")
    assert sayings_of(page).console == []
