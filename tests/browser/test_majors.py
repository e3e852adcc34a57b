"""htmx 2 and 4: the setting loads what it says, a first view is light with either, and a refusal changes nothing."""

from __future__ import annotations

import gzip
import re

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import watched_page
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@UNDER_BOTH
def test_the_page_loads_the_version_that_the_setting_says_and_stays_light(page, rows, visit, htmx):
    files = []
    page.on("response", lambda answer: files.append(answer.url) if "/static/" in answer.url else None)
    visit(page)("/schedules/")
    page.wait_for_load_state("load")
    assert page.evaluate("htmx.version").startswith(f"{htmx}.")
    weight = sum(len(gzip.compress(page.context.request.get(url).body())) for url in (page.url, *files))
    assert weight <= 45 * 1024


@UNDER_BOTH
def test_a_filter_and_a_switch_that_get_no_answer_leave_the_page_and_say_so(
    browser, htmx, rows, visit, live_server
):
    with watched_page(browser) as page:  # its complaint about the 503 is what this is about
        visit(page)("/schedules/?sort=name")
        page.route(
            re.compile(r"/schedules/(\?.*q=|\d+/disable/)"),
            lambda route: route.fulfill(status=503, body="away"),
        )
        page.locator("#id_q").fill("Fine")
        expect(page.locator("#results").get_by_role("alert")).to_contain_text("HTTP 503")
        expect(page).to_have_url(f"{live_server.url}/schedules/?sort=name")
        expect(page.locator("#schedule-rows tr")).to_have_count(5)
        page.get_by_role("switch", name="Fine").click()
        expect(page.locator("#alerts > *")).to_have_count(1)
        expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "true")


@UNDER_BOTH
def test_a_connection_that_breaks_leaves_the_row_and_says_so(browser, htmx, rows, visit):
    with watched_page(browser) as page:  # Chromium itself complains
        visit(page)("/schedules/?sort=name")
        page.route("**/disable/", lambda route: route.abort())
        page.get_by_role("switch", name="Fine").click()
        expect(page.locator("#alerts > *")).to_contain_text("no connection")
        expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "true")
