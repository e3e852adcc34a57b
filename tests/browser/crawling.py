"""Clicks every link, button, fold, box and list that a person can reach, each once, and says what could not be clicked."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page

from tests.browser.chromium import settled

REFUSED = 422
"""A form that comes back with what is wrong."""
LAST = re.compile("/logout/|button.*/delete/|Switch the keys off")
"""What takes away what others are to be clicked on."""
REACHABLE = """() => {
  // The link of the keyboard alone, the table that nobody sees, and the samples of the page about components, which belong to no schedule.
  const SKIPPED = ".skip, .sr a" + (location.pathname.endsWith("/components/") ? ", main > :not(.page-head) *" : "");
  const general = text => (text || "").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "U").replace(/\\d+/g, "N");
  const shape = href => { const url = new URL(href, location.href); return general(url.pathname) + "?" + [...new Set(url.searchParams.keys())].sort() + (url.hash && "#"); };
  const place = node => { const steps = []; for (; node.parentElement; node = node.parentElement) steps.unshift(/^[a-z-]+$/.test(node.getAttribute("id") || "1") ? "#" + node.getAttribute("id") : `${node.localName}:nth-child(${[...node.parentElement.children].indexOf(node) + 1})`); return steps.slice(Math.max(0, steps.findLastIndex(step => step[0] === "#"))).join(" > "); };
  const to = node => new URL(node.getAttribute("href"), location.href).href;  // of a drawing's link, href is no text
  const here = general(location.pathname), root = document.querySelector("dialog:modal") || document;
  const nodes = [...root.querySelectorAll("a[href], button, summary, input[type=checkbox], input[type=radio], select, [role=option]")];
  return nodes.filter(node => !node.disabled && node.checkVisibility({visibilityProperty: true}) && !node.matches(SKIPPED)).map(node => {
    const isLink = node.localName === "a" && !node.matches("[hx-get], [data-dialog]"), form = node.form && shape(node.getAttribute("formaction") || node.form.getAttribute("action") || "");
    const words = node.closest("tr, .line") ? "" : general(node.getAttribute("aria-label") || (node.matches("input, select") ? "" : node.textContent.trim().slice(0, 40)));
    const where = isLink || node.closest(".rail") ? "" : here;
    const what = isLink ? shape(to(node)) : [node.localName, node.className, node.name, node.type, node.name === "theme" ? node.value : "", form, node.href && shape(to(node)), words].join("|");
    return {key: `${where} ${what}`, place: place(node), url: isLink ? to(node) : ""};
  });
}"""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Something to click on the page at ``start``, after the clicks ``before``; both by their keys."""

    key: str
    start: str
    before: tuple[str, ...]


class Crawler:
    """Walks through the site from its first page; ``problems`` is what a click could not do or broke."""

    def __init__(self, page: Page, base: str, *, restore: Callable[[], None]) -> None:
        """``restore`` brings the rows back into the state in which the first pages found them."""
        self.page, self.base, self.restore = page, base, restore
        self.seen: set[str] = set()
        self.clicked: list[Control] = []
        self.gone: list[Control] = []
        self.problems: list[str] = []
        self.waiting: deque[Control] = deque()
        self.last: list[Control] = []
        self.is_posted = False
        self.current: Control | None = None
        page.on("response", self._on_response)
        page.on("console", self._on_console)

    def _on_response(self, response) -> None:
        if response.request.is_navigation_request():
            self.is_posted = response.request.method == "POST"
        if response.status >= 400 and response.status != REFUSED:
            self.problems.append(f"{response.status}: {response.url}")

    def _on_console(self, message) -> None:
        if f"status of {REFUSED}" not in message.text:
            self.problems.append(f"{message.text} at {message.location['url']}, after {self.current}")

    def walk(self, *starts: str) -> None:
        """Click everything that can be reached from these addresses."""
        for start in starts:
            self.page.goto(start)
            self._collect(start, ())
        while self.waiting:
            self._click(self.waiting.popleft())
        for control in sorted(
            self.last, key=lambda control: ("logout" in control.key, "/delete/" in control.key)
        ):
            self._click(control)

    def _click(self, control: Control) -> None:
        self.current = control
        try:
            self.restore()
            self.page.goto(control.start)
            if not all(self._press(key) for key in control.before):
                self.gone.append(control)
                return
            before = urlsplit(self.page.url)
            if not self._press(control.key):
                self.gone.append(control)
                return
        except Error as error:
            self.problems.append(
                f"{control.key} on {control.start} after {control.before}: {error.message[:600]}"
            )
            return
        self.clicked.append(control)
        after = urlsplit(self.page.url)
        # A form that came back has the address of its action, which is not to be visited.
        if not self.is_posted and (before.path, before.query) != (after.path, after.query):
            if self.page.url.startswith(self.base):
                self._collect(self.page.url, ())
        else:
            self._collect(control.start, (*control.before, control.key))

    def _press(self, key: str) -> bool:
        """Click what has this key; False when nothing has it."""
        place = next((found["place"] for found in self.page.evaluate(REACHABLE) if found["key"] == key), None)
        if place is None:
            return False
        node = self.page.locator(place)
        if node.evaluate("node => node.localName") == "select":
            node.select_option(index=node.evaluate("node => node.options.length - 1"))
        else:
            node.click()
        settled(self.page)
        return True

    def _collect(self, start: str, before: tuple[str, ...]) -> None:
        for found in self.page.evaluate(REACHABLE):
            key, url = found["key"], found["url"]
            if url and not url.startswith(self.base):
                if not re.match("https://", url):
                    self.problems.append(f"{start}: leads to {url}")
            elif key not in self.seen:
                self.seen.add(key)
                waiting = self.last if LAST.search(key) else self.waiting
                waiting.append(Control(key=key, start=start, before=before))
