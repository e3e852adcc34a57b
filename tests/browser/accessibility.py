"""axe's rules over a page as it stands: in both themes, at both ends of the widths."""

from __future__ import annotations

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (390, 1440)
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
LOOK = """rules => axe.run({runOnly: rules, resultTypes: ["violations"]}).then(report =>
  report.violations.map(found => [found.id, found.nodes[0].html.slice(0, 160)]))"""


def broken_rules(page: Page, what: str) -> list[tuple[str, str, str]]:
    """Return what breaks a rule on the page as it stands, or is wider than its screen; ``what`` names the page."""
    # Once a page: axe is half a megabyte.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = [(what, rule, html) for rule, html in page.evaluate(LOOK, RULES)]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append((what, "wider than the screen", ""))
    return found


def in_both_themes(page: Page, what: str) -> list[tuple[str, str, str]]:
    """Look in light and in dark."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += broken_rules(page, f"{what} {scheme}")
    return found


def at_every_width(page: Page, what: str) -> list[tuple[str, str, str]]:
    """Look in both themes at both widths; the page is loaded once and keeps the last width."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += in_both_themes(page, f"{what} at {width}")
    return found
