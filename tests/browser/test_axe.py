"""Every page in both themes and two widths without one breach of axe's rules; what a first view weighs; colours of the system; paper."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import Response, expect

from schedulerui import clock
from schedulerui.models import Alert, Change, Run, Worker
from schedulerui.operations import schedules
from tests.browser.accessibility import at_every_width, in_both_themes
from tests.browser.chromium import sayings_of, settled
from tests.browser.test_pages import rows, visit
from tests.web.people import ANA

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
KB = 1024
STATIC = Path(__file__).resolve().parents[2] / "static" / "schedulerui"


SCHEDULE = ("", "edit/", "run/", "run/custom/", "pause/", "delete/", "changes/", "upcoming/", "code/")
RUN = ("", "again/", "cancel/", "result/")


@pytest.fixture
def addresses(rows):
    """Every page that a person can go to, with the status of its answer."""
    Alert.objects.create(key="a", kind="schedule", schedule_id=rows["Failing"], state="failing", message="The last run failed.",
                         since=clock.now())  # fmt: skip
    schedules.edit(
        rows["Fine"], {"every": 5, "description": "<b>long</b> " * 30}, version=1, actor=ANA, now=clock.now()
    )
    change = Change.objects.filter(schedule_id=rows["Fine"]).earliest("id").pk
    fine, worker = f"/schedules/{rows['Fine']}/", Worker.objects.get().instance
    runs = Run.objects.order_by("pk").values_list("uuid", flat=True)
    sound = [
        "/", "/schedules/", "/schedules/?q=zz", "/schedules/?q=nonsense:1", "/schedules/?sort=name&on=on", "/schedules/?after=bad", "/schedules/new/",
        f"/schedules/new/?copy={rows['Fine']}", *(fine + page for page in SCHEDULE), f"{fine}restore/{change}/", "/runs/", "/runs/?q=zz",
        *(f"/runs/{runs[0]}/{page}" for page in RUN), *(f"/runs/{uuid}/" for uuid in runs[1:]), "/workers/", f"/workers/{worker}/", "/timeline/",
        "/timeline/?span=7d", "/timeline/?span=month", "/audit/", "/about/", "/about/components/", "/alerts/", "/login/",
        *(f"/schedules/{pk}/" for pk in rows.values()), f"/schedules/{rows['Broken']}/edit/",
    ]  # fmt: skip
    return dict.fromkeys(sound, 200) | {"/schedules/999999/": 404, "/flower/": 503}


@pytest.mark.long
def test_no_page_breaks_a_rule_of_accessibility(page, addresses, visit, settings):
    settings.ROOT_URLCONF = "schedulerui.site.urls"
    go, found = visit(page), []
    for address, status in addresses.items():
        if address == "/login/":
            page.context.clear_cookies()
        response = go(address)
        if address == "/login/":
            go = visit(page)
        if response.status != status:
            found.append((address, response.status, ""))
        found += at_every_width(page, address)
    assert not found, "\n".join(map(str, found))
    assert [
        line
        for line in sayings_of(page).console
        if "status of 404" not in line and "status of 503" not in line
    ] == []
    sayings_of(page).complaints.clear()


def test_no_open_part_of_a_page_breaks_a_rule(page, rows, visit):
    """What a person opens, chooses or is told."""
    go, found = visit(page), []
    fine = f"/schedules/{rows['Fine']}/"
    for address, selector in (
        ("/schedules/", f"#run-{rows['Fine']}"), ("/schedules/", ".filter__more summary"), ("/schedules/", "tbody [name=id]"),
        ("/schedules/", f"#switch-{rows['Fine']}"), (fine, f"a[href^='{fine}pause/']"), ("/runs/", ".filters summary, .filter summary"),
        (fine, "#schedule-coming summary"), (fine, "#schedule-actions summary"), (f"{fine}upcoming/", ".time__skip summary"), (f"{fine}edit/", "details.fold-card summary"), (f"{fine}edit/", "#canvas summary"),
    ):  # fmt: skip
        go(address)
        page.locator(selector).first.click()
        settled(page)
        found += at_every_width(page, f"{address} after {selector}")
    for width, menu in ((390, ".rail__menu summary"), (1440, ".rail__person summary")):
        page.set_viewport_size({"width": width, "height": 900})
        go("/schedules/")
        page.locator(menu).first.click()
        found += in_both_themes(page, f"{menu} at {width}")
    page.locator("#id_q").press_sequentially("sta")
    expect(page.locator("#complete li").first).to_be_visible()
    found += at_every_width(page, "suggestions")
    assert not found, "\n".join(map(str, found))


def test_a_first_view_is_light_and_asks_nobody_else(page, rows, visit, live_server):
    seen: list[Response] = []
    page.on("response", lambda response: seen.append(response))  # noqa: PLW0108 - Playwright marks a function, not a method
    go = visit(page)
    for path in ("/", "/schedules/"):
        seen.clear()
        go(path)
        page.wait_for_load_state("load")
        loaded = [response for response in seen if "/live/" not in response.url and response.ok]
        # Asked again, with the same session: Chromium does not keep the body of everything that it took from its cache.
        weight = sum(len(gzip.compress(page.context.request.get(response.url).body())) for response in loaded)
        assert {response.url.startswith(live_server.url) for response in seen} == {True}
        # The tab's icon is asked for beside the page, when the browser finds the time: 0.3 KB that nothing waits for.
        asked = [response.url for response in loaded if "favicon" not in response.url]
        assert len(asked) <= 5, asked
        assert weight <= 45 * KB, (path, weight)


def test_style_and_script_stay_small():
    css, js = (STATIC / "css/schedulerui.css").read_bytes(), (STATIC / "js/schedulerui.js").read_bytes()
    assert (len(css) <= 32 * KB, len(gzip.compress(css)) <= 8.75 * KB) == (True, True), (
        len(css),
        len(gzip.compress(css)),
    )
    assert (len(js) <= 19 * KB, len(gzip.compress(js)) <= 7 * KB) == (True, True), (
        len(js),
        len(gzip.compress(js)),
    )


def test_a_run_on_paper_has_its_facts_and_no_controls(page, rows, visit):
    visit(page)(f"/runs/{Run.objects.order_by('pk')[0].uuid}/")
    page.emulate_media(media="print")
    for part in (".rail", ".page-head__actions", ".live", "nav.pager"):
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
