"""The menu of a row: opened by pointer and keys, closed by Escape and by going elsewhere, kept by a poll; a link without a script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Beat, Schedule, ScheduleState
from schedulerui.presenters.frame import KEYS_COOKIE
from tests.browser.accessibility import at_every_width
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import poll, rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def summary(page, pk):
    return page.locator(f"summary#more-{pk}")


def panel(page):
    return page.locator("#schedule-rows .menu[open] .menu__panel")


def test_escape_and_a_click_elsewhere_close_the_menu_and_escape_gives_the_focus_back(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    fine = summary(page, rows["Fine"])
    expect(fine).to_have_accessible_name("Actions Fine")
    fine.press("Enter")
    expect(panel(page).get_by_role("link")).to_have_text(
        ["Edit", "Pause…", "Skip a run…", "Copy", "As code", "Delete"]
    )
    page.keyboard.press("Tab")
    expect(panel(page).get_by_role("link", name="Edit")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel(page)).to_have_count(0)
    expect(fine).to_be_focused()
    fine.click()
    summary(page, rows["Paused"]).click()
    expect(panel(page)).to_have_count(1)
    page.locator("h1").click()
    expect(panel(page)).to_have_count(0)


def test_it_is_left_by_the_tab_key_and_leads_where_it_says(page, rows, visit):
    visit(page)("/schedules/?sort=name&q=Fine")
    summary(page, rows["Fine"]).press("Enter")
    panel(page).get_by_role("link", name="Delete").focus()
    page.keyboard.press("Shift+Tab")
    expect(panel(page).get_by_role("link", name="As code")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#id_q")).to_be_focused()
    expect(panel(page)).to_have_count(0)
    summary(page, rows["Fine"]).click()
    panel(page).get_by_role("link", name="Edit").click()
    expect(page).to_have_url(re.compile(rf"/schedules/{rows['Fine']}/edit/$"))


@UNDER_BOTH
def test_arrows_open_the_menu_and_walk_through_it_even_where_letters_are_no_keys(
    page, rows, visit, live_server
):
    page.context.add_cookies([{"name": KEYS_COOKIE, "value": "off", "url": live_server.url}])
    visit(page)("/schedules/?sort=name&q=Fine")
    link = panel(page).get_by_role("link")
    summary(page, rows["Fine"]).press("ArrowDown")
    expect(link.first).to_be_focused()
    for key, place in (
        ("ArrowDown", 1),
        ("End", 5),
        ("ArrowDown", 0),
        ("ArrowUp", 5),
        ("ArrowUp", 4),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        expect(link.nth(place)).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel(page)).to_have_count(0)
    expect(summary(page, rows["Fine"])).to_be_focused()
    page.keyboard.press("End")
    expect(panel(page)).to_have_count(0)
    page.keyboard.press("ArrowUp")
    expect(link.last).to_be_focused()


def test_arrows_walk_past_what_a_menu_hides_and_leave_its_fields_alone(page, rows, visit):
    visit(page)(f"/schedules/{rows['Fine']}/")
    page.locator("#schedule-actions summary").press("ArrowDown")
    expect(
        page.locator("#schedule-actions .menu__panel").get_by_role("link", name="Skip a run…")
    ).to_be_focused()
    visit(page)("/schedules/")
    page.get_by_text("Views", exact=True).press("ArrowDown")
    expect(page.get_by_role("button", name="Save view")).to_be_focused()
    name = page.get_by_label("Name of the view")
    name.fill("ab")
    for key in ("Home", "ArrowDown", "ArrowUp", "Home"):
        name.press(key)
    name.press_sequentially("x")
    expect(name).to_have_value("xab")


def test_a_row_is_paused_from_its_menu_and_the_focus_comes_back(page, rows, visit):
    visit(page)("/schedules/?sort=name&q=Fine")
    summary(page, rows["Fine"]).press("Enter")
    panel(page).get_by_role("link", name="Pause…").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").last.fill("stocktaking")
    dialog.get_by_role("button", name=re.compile("^Pause")).click()
    expect(page.locator("#schedule-rows")).to_contain_text("stocktaking")
    expect(summary(page, rows["Fine"])).to_be_focused()
    assert not Schedule.objects.get(pk=rows["Fine"]).enabled


@UNDER_BOTH
def test_a_poll_leaves_the_row_whose_menu_is_open_until_it_is_closed(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    summary(page, rows["Fine"]).click()
    panel(page).get_by_role("link", name="Copy").focus()
    ScheduleState.objects.update(last_state="lost")
    poll(page)
    expect(page.locator(f"#schedule-{rows['Failing']}")).to_contain_text("Lost")
    expect(page.locator(f"#schedule-{rows['Fine']}")).not_to_contain_text("Lost")
    expect(panel(page).get_by_role("link", name="Copy")).to_be_focused()
    page.keyboard.press("Escape")
    poll(page)
    expect(page.locator(f"#schedule-{rows['Fine']}")).to_contain_text("Lost")
    expect(summary(page, rows["Fine"])).to_be_focused()


def test_an_open_menu_breaks_no_rule_and_stays_on_the_page(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    found = []
    for which in ("first", "last"):
        getattr(page.locator("#schedule-rows summary"), which).click()
        found += at_every_width(page, f"{which} menu")
        box = panel(page).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]
    # The panel lies over the buttons of other rows, and leaves a strip of one: no place for a finger, and none is meant.
    assert [one for one in found if one[1:] != ("target-size", one[2]) or "run-" not in one[2]] == []


@pytest.mark.parametrize("width", [701, 768, 820, 901, 1024, 1140, 1280, 1440])
def test_the_list_is_a_table_whose_columns_fit(page, rows, visit, width):
    page.set_viewport_size({"width": width, "height": 900})
    visit(page)("/schedules/?sort=name")
    frame = page.locator(".table-frame").bounding_box()
    run = page.locator(f"#more-{rows['Fine']}").bounding_box()
    assert run["x"] + run["width"] <= frame["x"] + frame["width"]
    assert page.locator("#schedule-rows tr").first.evaluate("e => getComputedStyle(e).display") == "table-row"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_a_script_the_row_has_a_link_to_its_page(page_without_javascript, rows, visit):
    visit(page_without_javascript)("/schedules/?q=Fine")
    page_without_javascript.get_by_role("link", name="Actions Fine").click()
    expect(page_without_javascript).to_have_url(re.compile(rf"/schedules/{rows['Fine']}/$"))
    page_without_javascript.locator("#schedule-actions summary").click()
    expect(page_without_javascript.get_by_role("link", name="Copy")).to_be_visible()


def test_a_row_just_switched_says_so_until_the_poll_after_a_tick(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    page.get_by_role("switch", name="Fine").click()
    row = page.locator(f"#schedule-{rows['Fine']}")
    expect(row).to_contain_text("takes effect at beat's next tick")
    expect(page.locator("#schedule-rows").get_by_text("takes effect")).to_have_count(1)
    Beat.objects.update(seen_at=clock.now())
    poll(page)
    expect(row).not_to_contain_text("takes effect")
    expect(page.get_by_role("switch", name="Fine")).to_be_focused()


def test_a_menu_lies_over_the_bar_of_the_selected_rows(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    page.set_viewport_size({"width": 1280, "height": 560})
    page.locator("tbody [name=id]").first.check()
    page.locator("#schedule-rows summary").nth(2).click()
    covered = """link => { const box = link.getBoundingClientRect();
      return !link.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"""
    links = panel(page).get_by_role("link")
    assert [links.nth(n).inner_text() for n in range(links.count()) if links.nth(n).evaluate(covered)] == []
