"""The Chromium of this machine, and what a page says about itself: console, errors, breaches of the CSP."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

from tests.servers.base import ServerMissingError
from tests.waiting import eventually

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60_000
"""Milliseconds for a step: two cores that do other things too may be slow, and one that works waits for none of them."""
ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium(playwright: Playwright) -> Path:
    """The system's browser, else the one that `playwright install` brought; ServerMissingError without either."""
    found = [
        Path(path) for name in PROGRAMS if (path := shutil.which(name)) and not _is_snap_pointer(Path(path))
    ]
    own = Path(playwright.chromium.executable_path)
    if own.exists():
        found.append(own)
    if not found:
        raise ServerMissingError("no Chromium is installed")
    return found[0]


def _is_snap_pointer(program: Path) -> bool:
    """Ubuntu's package is a script that only says how to install the snap, which containers cannot."""
    return b"/snap/bin" in program.read_bytes()[:4096]


@contextmanager
def running_chromium(playwright: Playwright) -> Iterator[Browser]:
    """A headless Chromium until the end of the block."""
    browser = playwright.chromium.launch(
        executable_path=find_chromium(playwright), headless=True, args=ARGUMENTS, chromium_sandbox=False
    )
    try:
        yield browser
    finally:
        browser.close()


@dataclass(kw_only=True)  # without slots: Playwright marks the object whose method it calls
class Sayings:
    """What the pages of one context said: all console lines, and the complaints that a test must not ignore."""

    console: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        """Record what each page of this context, present and future, says."""
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"page error: {error.error}"))
        context.expose_function("sayBreach", lambda breach: self.complaints.append(f"CSP: {breach}"))
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => sayBreach("
            "`${e.effectiveDirective} blocked ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber}`))"
        )

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.location["url"].endswith(
            "/favicon.ico"
        ):  # asked for by Chromium itself where a page names none
            return
        line = f"{message.type}: {message.text}"
        self.console.append(line)
        if message.type == "error":
            self.complaints.append(f"console {line}")


@contextmanager
def watched_page(
    browser: Browser, *, javascript: bool = True, size: tuple[int, int] = (1280, 900)
) -> Iterator[Page]:
    """A page in a context of its own; its `Sayings` are in `sayings_of(page)`."""
    context = browser.new_context(
        java_script_enabled=javascript,
        viewport={"width": size[0], "height": size[1]},
        reduced_motion="reduce",
    )
    sayings = Sayings()
    sayings.listen(context)
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        _SAYINGS[page] = sayings
        yield page
    finally:
        context.close()
        everything_is_answered()


def everything_is_answered() -> None:
    """Wait until the test's own server works on nothing: what it still reads or writes would meet the next test's rows."""
    eventually(
        lambda: not any("process_request_thread" in thread.name for thread in threading.enumerate()),
        within=60,
        describe="the last answer of the server in this process",
    )


_SAYINGS: dict[Page, Sayings] = {}


def sayings_of(page: Page) -> Sayings:
    """What this page and its siblings said so far; empty `complaints` before an expected error to allow it."""
    return _SAYINGS[page]


def settled(page: Page) -> None:
    """Wait until the page is loaded and none of its own requests is under way; polls that are yet to come do not count."""
    page.wait_for_load_state("load")
    # Not wait_for_function: it evaluates a text, which the page's policy forbids.
    eventually(lambda: not page.evaluate("document.querySelector('.htmx-request')"), within=30)
