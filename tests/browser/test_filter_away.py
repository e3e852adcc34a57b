"""A filter that gets no answer: the list says so and why, keeps its rows and what was typed, and asks again when told to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import broken_rules
from tests.browser.chromium import watched_page
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import poll, rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REFUSED = '<div class="refused"><p>The database does not answer.</p></div>'


@UNDER_BOTH
@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/schedules/?sort=name", ({"status": 503, "body": REFUSED}, "The database does not answer. Could not load (HTTP 503)")),
        ("/runs/", ({"status": 502, "body": "<h1>Bad gateway</h1>"}, "Could not load (HTTP 502)")),
        ("/runs/", (None, "Could not load (no connection)")),
    ],
    ids=["refused", "gateway", "away"],
)  # fmt: skip
def test_it_says_so_at_the_list_until_a_try_again_works(browser, htmx, rows, visit, path, failure):
    how, said = failure
    with watched_page(browser) as page:  # Chromium itself complains about what failed
        visit(page)(path)
        lines, told = page.locator("#results tbody tr"), page.locator("#results").get_by_role("alert")
        before, asked = lines.count(), re.compile(r"/(schedules|runs)/\?.*q=Fail")
        page.route(asked, lambda route: route.fulfill(**how) if how else route.abort())
        page.locator("#id_q").fill("Failing")
        expect(told).to_contain_text(said)
        expect(told).to_contain_text(re.compile(r"Showing data from \d"))
        expect(lines).to_have_count(before)
        expect(page.locator("#alerts > *")).to_have_count(0)
        assert broken_rules(page, path) == []
        with page.expect_response("**/live/**"):
            poll(page)  # that polls go through does not hide that the filter did not
        expect(told).to_be_visible()
        page.unroute(asked)
        told.get_by_role("button", name="Retry").press("Enter")
        expect(lines).to_have_count(1)
        expect(told).to_have_count(0)
        expect(page).to_have_url(re.compile("q=Failing"))
        expect(page.locator("#id_q")).to_have_value("Failing")
        expect(page.locator("#id_q")).to_be_focused()


def test_a_choice_that_fails_is_kept_and_can_be_tried_again(browser, rows, visit):
    with watched_page(browser) as page:
        visit(page)("/audit/")
        asked = re.compile(r"/audit/\?.*action=")
        page.route(asked, lambda route: route.fulfill(status=500, body="broken"))
        page.locator("#id_action").select_option("disable")
        told = page.locator("#results").get_by_role("alert")
        expect(told).to_contain_text(re.compile(r"Could not load \(HTTP 500\)\. Showing data from \d"))
        page.unroute(asked)
        told.get_by_role("button", name="Retry").click()
        expect(page.locator(".pill")).to_have_count(1)
        expect(told).to_have_count(0)
        expect(page.locator("#id_action")).to_have_value("disable")
