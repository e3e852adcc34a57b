"""Skipping a time with and without a script, and a preview that follows spread and window, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.operations import schedules
from tests.browser.accessibility import at_every_width
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import visit
from tests.web.people import ANA, a_run

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def hourly():
    fields = {"name": "Hourly", "task": "tests.add", "kind": "crontab", "expression": "0 * * * *"}
    return schedules.create(fields, actor=ANA, now=clock.now())


def skip_the_first(page):
    first = page.locator("#schedule-coming li").first
    first.get_by_text("Skip", exact=False).first.click()
    first.get_by_role("textbox").fill("bank holiday")
    first.get_by_role("button", name="Skip this time").click()


def test_a_time_is_skipped_and_taken_back(page, hourly, visit):
    visit(page)(f"/schedules/{hourly.pk}/")
    skip_the_first(page)
    skipped = page.locator("#schedule-coming li.is-skipped")
    expect(skipped).to_have_count(1)
    expect(skipped).to_contain_text("bank holiday")
    assert at_every_width(page, "a time that is skipped") == []
    skipped.get_by_role("button", name="Run after all").click()
    expect(skipped).to_have_count(0)


@UNDER_BOTH
def test_the_preview_follows_spread_and_window_while_one_types(page, hourly, visit):
    visit(page)(f"/schedules/{hourly.pk}/edit/")
    first = page.locator("#preview .preview__at").first
    before = first.inner_text()
    page.get_by_label("Spread over, seconds").fill("3600")
    expect(first).not_to_have_text(before)
    page.get_by_text("Window and policies").click()
    page.get_by_label("At most so many runs").fill("3")
    page.get_by_label("At most so many runs").blur()
    expect(page.locator("#preview .preview__at")).to_have_count(3)


def test_the_warning_from_the_history_comes_after_the_page(page, hourly, visit):
    for _ in range(3):
        a_run(hourly, runtime=9_000.0)
    visit(page)(f"/schedules/{hourly.pk}/")
    expect(page.get_by_text("Its newest runs took up to 2 h 30 min")).to_be_visible()
