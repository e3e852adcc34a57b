"""Find, pause, take back, run and open without a mouse; keys that stay silent in fields, and for people who switch them off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Schedule, ScheduleState
from schedulerui.operations import schedules
from schedulerui.testing import recording
from tests.browser.accessibility import broken_rules
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import poll, rows, visit
from tests.web.people import ANA

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def link(page, name):
    return page.locator("#schedule-rows").get_by_role("link", name=name, exact=True)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


@UNDER_BOTH
def test_find_pause_run_and_open_without_a_mouse(page, rows, visit):
    with recording() as outbox:
        visit(page)("/schedules/")
        press(page, "/")
        page.keyboard.type("Fine")
        expect(page.locator("#schedule-rows tr")).to_have_count(1)
        press(page, "Escape", "Escape", "j")  # the suggestions, then the field, whose letters are text
        expect(link(page, "Fine")).to_be_focused()
        press(page, "e")
        expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "false")
        expect(link(page, "Fine")).to_be_focused()
        press(page, "r")
        dialog = page.get_by_role("dialog", name="Run Fine now?")
        expect(dialog.get_by_role("button", name="Run now")).to_be_focused()
        press(page, "Enter")
        expect(page.get_by_role("link", name="Open the run")).to_be_visible()
        expect(link(page, "Fine")).to_be_focused()
        assert len(outbox.sent) == 1
        press(page, "Enter")
        expect(page).to_have_url(re.compile(rf"/schedules/{rows['Fine']}/$"))


def test_j_and_k_walk_over_the_rows_and_stop_at_the_ends(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    names = page.locator("#schedule-rows th a").all_inner_texts()
    press(page, "k")
    expect(link(page, names[0])).to_be_focused()
    press(page, *["j"] * (len(names) + 2))
    expect(page.locator("#schedule-rows th a").last).to_be_focused()
    press(page, "k")
    expect(page.locator("#schedule-rows th a").nth(len(names) - 2)).to_be_focused()


def test_x_selects_the_row_in_focus_and_no_other(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    press(page, "j", "j", "x")
    second = page.locator("#schedule-rows tr").nth(1)
    expect(second.get_by_role("checkbox")).to_be_checked()
    expect(page.locator("#bulk")).to_contain_text("1 selected")
    press(page, "x")
    expect(second.get_by_role("checkbox")).not_to_be_checked()


@UNDER_BOTH
def test_two_rows_are_selected_and_paused_by_keys_alone(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    press(page, "b")  # nothing is selected: the bar is not there
    expect(page.locator("body")).to_be_focused()
    names = page.locator("#schedule-rows th a").all_inner_texts()
    first, second = names.index("Failing"), names.index("Fine")
    press(page, *["j"] * (first + 1), "x", *["j"] * (second - first), "x")
    expect(page.locator("#bulk")).to_contain_text("2 selected")
    press(page, "b")
    action = page.get_by_label("Action", exact=True)
    expect(action).to_be_focused()
    page.keyboard.type("Pause")
    expect(action).to_have_value("pause")
    press(page, "Tab")
    expect(page.get_by_role("button", name="Go on")).to_be_focused()
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Pause", exact=True)).to_be_visible()
    press(page, "Tab", "Enter")  # over the rail, straight to the question
    reason = page.get_by_label("Reason")
    for _step in range(15):  # a moment has a stop for each of its parts
        if reason.evaluate("field => field === document.activeElement"):
            break
        press(page, "Tab")
    expect(reason).to_be_focused()
    page.keyboard.type("release 12")
    press(page, "Enter")
    expect(page.get_by_role("status").filter(has_text="2")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/schedules/\?sort=name"))
    paused = Schedule.objects.filter(enabled=False, pause_reason="release 12")
    assert {schedule.name for schedule in paused} == {"Failing", "Fine"}


def test_without_a_row_in_focus_e_and_r_do_nothing(page, rows, visit):
    visit(page)("/schedules/")
    before = set(Schedule.objects.filter(enabled=True).values_list("pk", flat=True))
    press(page, "e", "r", "x")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, "j")
    expect(page.locator("#schedule-rows th a").first).to_be_focused()
    assert set(Schedule.objects.filter(enabled=True).values_list("pk", flat=True)) == before


@UNDER_BOTH
def test_on_the_schedules_own_page_e_r_and_escape_need_no_row(page, rows, visit):
    visit(page)(f"/schedules/{rows['Fine']}/")
    press(page, "e")
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "false")
    press(page, "r")
    expect(page.get_by_role("dialog", name="Run Fine now?")).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@UNDER_BOTH
@pytest.mark.parametrize("place", ["list", "page"])
def test_u_takes_the_switch_back_where_it_was_turned(page, rows, visit, place):
    visit(page)("/schedules/?sort=name&q=Fine" if place == "list" else f"/schedules/{rows['Fine']}/")
    press(page, "j", "e")
    switch = page.get_by_role("switch", name="Fine")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(page.get_by_role("status").filter(has_text="Fine is off")).to_contain_text("next tick")
    press(page, "u")
    expect(switch).to_have_attribute("aria-checked", "true")
    assert Schedule.objects.get(name="Fine").enabled


@pytest.mark.parametrize(
    ("letter", "address"),
    [
        ("o", "/"),
        ("s", "/schedules/"),
        ("r", "/runs/"),
        ("t", "/timeline/"),
        ("w", "/workers/"),
        ("a", "/audit/"),
    ],
)
def test_g_and_a_letter_go_to_a_page(page, rows, visit, live_server, letter, address):
    visit(page)("/about/")
    press(page, "g", letter)
    expect(page).to_have_url(live_server.url + address)


def test_n_opens_the_form_whose_fields_take_letters_as_text(page, rows, visit, live_server):
    visit(page)("/runs/")
    press(page, "n")
    expect(page).to_have_url(f"{live_server.url}/schedules/new/")
    name = page.get_by_label(re.compile("^Name"))
    name.focus()
    page.keyboard.type("jerk/?.gs")
    expect(name).to_have_value("jerk/?.gs")
    expect(page).to_have_url(f"{live_server.url}/schedules/new/")


def test_a_question_mark_shows_the_keys_and_gives_the_focus_back(page, rows, visit):
    visit(page)("/schedules/")
    press(page, "j", "?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("Go to the filter")
    assert broken_rules(page, "the keys") == []
    before = Schedule.objects.filter(enabled=True).count()
    press(page, "e", "n", "?")  # silent in a dialog
    expect(page).to_have_url(re.compile("/schedules/$"))
    press(page, "Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#schedule-rows th a").first).to_be_focused()
    assert Schedule.objects.filter(enabled=True).count() == before


def test_keys_with_modifiers_belong_to_the_browser(page, rows, visit):
    visit(page)("/schedules/")
    press(page, "Control+j", "Alt+n", "Control+?", "Meta+e")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/schedules/$"))
    expect(page.locator("body")).to_be_focused()


def test_a_full_stop_pauses_and_resumes_what_changes_by_itself_on_all_pages(page, rows, visit):
    go = visit(page)
    go("/schedules/")
    button = page.locator("[data-live-status] button").first
    expect(button).to_have_text("Pause updates")
    press(page, ".")
    expect(button).to_have_text("Resume updates")
    go("/runs/")
    expect(button).to_have_text("Resume updates")
    press(page, ".")
    expect(button).to_have_text("Pause updates")


def test_the_focus_stays_when_a_poll_draws_the_row_anew(page, rows, visit):
    visit(page)("/schedules/?sort=name&q=Failing")
    press(page, "j")
    ScheduleState.objects.filter(schedule_id=rows["Failing"]).update(last_state="succeeded", failure_streak=0)
    poll(page)
    expect(page.locator("#schedule-rows tr").first).to_contain_text("Succeeded")
    expect(link(page, "Failing")).to_be_focused()


def test_who_switches_the_keys_off_has_peace_until_they_are_on_again(page, rows, visit):
    visit(page)("/schedules/")
    press(page, "?")
    page.get_by_role("dialog").get_by_role("button", name="Switch the keys off").press("Enter")
    expect(page.locator("body")).not_to_have_attribute("data-keys", "")
    press(page, "j", "n", "?", "/")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("body")).to_be_focused()
    expect(page).to_have_url(re.compile("/schedules/$"))


def test_a_run_is_opened_from_the_list_of_runs(page, rows, visit):
    visit(page)("/runs/")
    press(page, "j", "Enter")
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))


def test_a_version_is_brought_back_by_keys_alone(page, rows, visit):
    schedules.edit(rows["Fine"], {"queue": "night"}, version=1, actor=ANA, now=clock.now())
    visit(page)(f"/schedules/{rows['Fine']}/")
    page.get_by_role("link", name=re.compile("^Restore version 1")).press("Enter")
    page.get_by_role("button", name="Bring it back").press("Enter")
    expect(page.get_by_role("status").filter(has_text="is as it was in version 1")).to_be_visible()
    assert Schedule.objects.get(pk=rows["Fine"]).queue == ""


@UNDER_BOTH
def test_when_the_row_in_focus_goes_the_one_in_its_place_has_the_focus(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    names = page.locator("#schedule-rows th a").all_inner_texts()
    press(page, "j", "j")
    expect(link(page, names[1])).to_be_focused()
    Schedule.objects.filter(name=names[1]).delete()
    poll(page)
    expect(link(page, names[1])).to_have_count(0)
    expect(link(page, names[2])).to_be_focused()
