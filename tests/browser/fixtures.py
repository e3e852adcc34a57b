"""One Chromium for the session; each test gets a clean page and fails when the page complained."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import PATIENCE, running_chromium, sayings_of, watched_page
from tests.servers.base import ServerMissingError
from tests.servers.needs import missing


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code and refuses to query in.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as started:
        yield started
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    try:
        with running_chromium(playwright) as started:
            yield started
    except ServerMissingError as error:
        missing("Chromium", why=str(error))


@pytest.fixture
def htmx(request, settings) -> int:
    """The major version of htmx that the pages load: 2, and 4 too for tests that are `UNDER_BOTH`."""
    version = getattr(request, "param", 2)
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "HTMX": version}
    return version


@pytest.fixture
def page(browser: Browser, htmx: int) -> Iterator[Page]:
    """A page with JavaScript; console errors, page errors and breaches of the CSP fail the test at its end."""
    with watched_page(browser) as opened:
        yield opened
        complaints = sayings_of(opened).complaints
    assert complaints == []


@pytest.fixture
def page_without_javascript(browser: Browser) -> Iterator[Page]:
    with watched_page(browser, javascript=False) as opened:
        yield opened
        complaints = sayings_of(opened).complaints
    assert complaints == []
