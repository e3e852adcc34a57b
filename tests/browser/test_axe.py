"""Every page in both themes and two widths without one breach of axe's rules; what a first view weighs; colours of the system; paper."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Response, expect

from schedulerui import clock
from schedulerui.models import Alert, Run, Worker
from tests.browser.chromium import sayings_of
from tests.browser.test_pages import RULES, rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
KB = 1024
STATIC = Path(__file__).resolve().parents[2] / "static" / "schedulerui"


@pytest.fixture
def addresses(rows):
    """Every page that a person can go to."""
    Alert.objects.create(key="a", kind="schedule", schedule_id=rows["Failing"], state="failing", message="The last run failed.",
                         since=clock.now())  # fmt: skip
    pk, run, worker = rows["Fine"], Run.objects.order_by("pk")[0].uuid, Worker.objects.get().instance
    own = [f"/schedules/{pk}/{page}" for page in ("", "edit/", "run/", "run/custom/", "pause/", "delete/")]
    return [
        "/", "/schedules/", "/schedules/?q=zz", "/schedules/?q=nonsense:1", "/schedules/new/", f"/schedules/new/?copy={pk}", *own, "/runs/",
        f"/runs/{run}/", f"/runs/{run}/again/", "/workers/", f"/workers/{worker}/", "/timeline/", "/timeline/?span=7d",
        "/timeline/?span=month", "/audit/", "/about/", "/alerts/", "/keys/", *(f"/schedules/{other}/" for other in rows.values()),
    ]  # fmt: skip


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(page, addresses, visit, scheme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    go, found = visit(page), []
    for address in addresses:
        response = go(address)
        if response.status != 200:
            found.append((address, response.status, ""))
        report = Axe().run(page, options={"runOnly": RULES}).response
        found += [(address, entry["id"], entry["nodes"][0]["html"][:120]) for entry in report["violations"]]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append((address, "wider than the screen", ""))
    assert not found, "\n".join(map(str, found))
    assert sayings_of(page).console == []


def test_a_first_view_is_light_and_asks_nobody_else(page, rows, visit, live_server):
    seen: list[Response] = []
    page.on("response", seen.append)
    go = visit(page)
    for path in ("/", "/schedules/"):
        seen.clear()
        go(path)
        page.wait_for_load_state("load")
        loaded = [response for response in seen if "/live/" not in response.url and response.ok]
        weight = sum(len(gzip.compress(response.body())) for response in loaded)
        assert {response.url.startswith(live_server.url) for response in seen} == {True}
        assert len(loaded) <= 5, [response.url for response in loaded]
        assert weight <= 45 * KB, (path, weight)


def test_style_and_script_stay_small():
    css, js = (STATIC / "css/schedulerui.css").read_bytes(), (STATIC / "js/schedulerui.js").read_bytes()
    assert (len(css) <= 33 * KB, len(gzip.compress(css)) <= 9 * KB) == (True, True), (
        len(css),
        len(gzip.compress(css)),
    )
    assert (len(js) <= 17 * KB, len(gzip.compress(js)) <= 6 * KB) == (True, True), (
        len(js),
        len(gzip.compress(js)),
    )


def test_a_run_on_paper_has_its_facts_and_no_controls(page, rows, visit):
    visit(page)(f"/runs/{Run.objects.order_by('pk')[0].uuid}/")
    page.emulate_media(media="print")
    for part in (".rail", ".page-head__actions", ".live"):
        expect(page.locator(part).first).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("main dl").first).to_be_visible()


def test_switches_and_chips_have_an_edge_in_the_colours_of_the_system(page, rows, visit):
    page.emulate_media(forced_colors="active")
    visit(page)("/schedules/")
    for part in (".chip", ".sw", ".button"):
        pseudo = "'::before'" if part == ".sw" else "null"
        style = page.locator(part).first.evaluate(
            f"element => getComputedStyle(element, {pseudo}).borderTopStyle"
        )
        assert re.match("solid|dashed", style), part
