"""What a list shows while its answer is on the way: what was there, dimmed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_list_that_loads_keeps_its_rows_and_dims_them_until_the_answer_is_there(page, rows, visit):
    visit(page)("/schedules/")
    results, lines = page.locator("#results"), page.locator("#schedule-rows tr")
    before, held = lines.count(), []

    def hold(route):  # Playwright wants to mark it, which a method of a list forbids
        held.append(route)

    page.route("**/schedules/?q=failing*", hold)
    page.locator("#id_q").fill("failing")
    expect(results).to_have_css("opacity", "0.6")
    assert lines.count() == before > 1
    held[0].continue_()
    expect(lines).to_have_count(1)
    expect(results).to_have_css("opacity", "1")
