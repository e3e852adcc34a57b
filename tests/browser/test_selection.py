"""How many are selected, and what is done to them, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from schedulerui.models import Schedule
from tests.browser.chromium import sayings_of
from tests.browser.test_pages import visit
from tests.web.people import a_schedule

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_bar_counts_all_that_match_when_all_are_chosen(page, visit):
    for number in range(60):
        a_schedule(f"Report {number:02d}")
    a_schedule("Other")
    visit(page)("/schedules/?q=Report&sort=name")
    page.get_by_role("checkbox", name="Report 00").check()
    said = page.locator("#bulk [role=status]")
    expect(said).to_have_text("1 selected")
    every = page.get_by_role("checkbox", name="Select all 60 matching")
    every.check()
    expect(said).to_have_text("60 selected")
    every.uncheck()
    expect(said).to_have_text("1 selected")
    every.check()
    page.get_by_label("Action", exact=True).select_option("disable")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="For 60 schedules")).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("status").filter(has_text="done for 60 schedules")).to_be_visible()
    assert list(Schedule.objects.filter(enabled=True).values_list("name", flat=True)) == ["Other"]
    assert sayings_of(page).console == []
