"""The browser of the tests itself: it opens pages, and it hears what they complain of."""

from __future__ import annotations

import pytest

from tests.browser.chromium import sayings_of
from tests.waiting import eventually

pytestmark = pytest.mark.browser


def serve(page, body, *, policy="script-src 'self'; style-src 'self'", script=""):
    """Answer for a host that does not exist, so that nothing leaves the machine."""
    headers = {"Content-Security-Policy": policy, "Content-Type": "text/html"}
    page.route("http://site.test/", lambda route: route.fulfill(body=body, headers=headers))
    page.route(
        "http://site.test/app.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    page.route("http://site.test/favicon.ico", lambda route: route.fulfill(body=""))
    page.goto("http://site.test/")


def test_it_reads_a_page_when_the_page_is_sound(page):
    serve(page, "<h1>Schedules</h1><script src='/app.js'></script>", script="document.title = 'run'")
    assert page.inner_text("h1") == "Schedules"
    assert page.title() == "run"
    assert sayings_of(page).complaints == []


@pytest.mark.parametrize(
    ("body", "script", "complaint"),
    [
        ("<script>document.title = 'x'</script>", "", "CSP: script-src"),
        ("<p style='color: red'>x</p>", "", "CSP: style-src"),
        ("<script src='/app.js'></script>", "throw new Error('broken')", "page error: "),
        ("<script src='/app.js'></script>", "console.error('bad')", "console error: bad"),
    ],
    ids=["inline script", "inline style", "page error", "console error"],
)
def test_it_hears_a_complaint_when_the_page_breaks_a_rule(page, body, script, complaint):
    serve(page, body, script=script)
    said = sayings_of(page)
    eventually(
        lambda: page.title() is not None and any(line.startswith(complaint) for line in said.complaints),
        within=60,
        describe=lambda: f"{complaint!r} in {said.complaints}",
    )
    said.complaints.clear()


def test_it_runs_no_script_when_javascript_is_off(page_without_javascript):
    serve(
        page_without_javascript, "<h1>x</h1><script src='/app.js'></script>", script="document.title = 'run'"
    )
    assert page_without_javascript.title() == ""
