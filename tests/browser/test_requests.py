"""Requests of the page's script: sessions that end, focus after swaps and dialogs, ticks, slow and crossing answers."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import expect

from schedulerui.models import Schedule, ScheduleState
from schedulerui.testing import recording
from tests.browser.chromium import sayings_of
from tests.browser.majors import UNDER_BOTH
from tests.browser.test_pages import poll, rows, visit

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def expired(page, live_server, settings):
    """The function that goes to a page whose session then ends, and the one that logs in again."""
    settings.ROOT_URLCONF = "schedulerui.site.urls"
    client = Client()
    client.force_login(User.objects.create_superuser("eva", password="a password"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    # Nobody looks, so no poll of the page's own comes first.
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true})")

    def end_after(path):
        page.goto(f"{live_server.url}{path}")
        Session.objects.all().delete()

    def log_in():
        page.get_by_label("User name").fill("eva")
        page.get_by_label("Password").fill("a password")
        page.get_by_role("button", name="Log in").click()

    yield end_after, log_in
    said = sayings_of(page)  # Chromium reports the 401 that htmx was given
    said.complaints[:] = [line for line in said.complaints if "401" not in line]


@UNDER_BOTH
@pytest.mark.parametrize("cause", ["switch", "poll", "filter", "dialog"])
def test_a_session_that_ended_leads_to_the_login_and_back_to_the_page(
    page, rows, expired, live_server, cause
):
    end_after, log_in = expired
    end_after("/schedules/?q=Fine&sort=name")
    if cause == "switch":
        page.get_by_role("switch", name="Fine").click()
    elif cause == "poll":
        poll(page)
    elif cause == "filter":
        page.locator("#id_on").select_option("on")
    else:
        page.get_by_role("link", name="Run now Fine").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.locator("#schedule-rows")).to_have_count(0)
    log_in()
    expect(page).to_have_url(f"{live_server.url}/schedules/?q=Fine&sort=name")
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "true")


def test_a_form_that_was_sent_after_the_session_ended_leads_to_the_login(page, rows, expired):
    end_after, log_in = expired
    end_after(f"/schedules/{rows['Fine']}/delete/")
    page.get_by_role("button", name="Delete schedule").click()
    log_in()
    expect(page.locator("main h1")).to_be_visible()
    assert Schedule.objects.filter(name="Fine").exists()


@UNDER_BOTH
def test_rows_that_are_ticked_stay_ticked_and_nothing_is_said(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    boxes = page.locator("tbody [name=id]")
    for box in boxes.all():
        box.check()
    expect(page.locator("#bulk")).to_contain_text("5 selected")
    page.locator("[data-pick-all]").uncheck()
    page.locator("[data-pick-all]").check()
    ScheduleState.objects.update(last_state="lost")
    poll(page)
    expect(page.locator("#schedule-rows tr").first).to_contain_text("Lost")
    expect(page.locator("tbody [name=id]:checked")).to_have_count(5)
    expect(page.locator("#bulk")).to_contain_text("5 selected")
    assert sayings_of(page).console == []


@UNDER_BOTH
def test_the_focus_stays_on_what_was_pressed_when_its_row_is_drawn_anew(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    for selector in (
        f"#pick-{rows['Failing']}",
        f"#switch-{rows['Failing']}",
        f"#run-{rows['Failing']}",
        f"#open-{rows['Failing']}",
    ):
        page.locator(selector).focus()
        streak = ScheduleState.objects.get(schedule_id=rows["Failing"]).failure_streak + 1
        ScheduleState.objects.filter(schedule_id=rows["Failing"]).update(failure_streak=streak)
        poll(page)
        expect(page.get_by_text(f"{streak} failed in a row")).to_be_visible()
        expect(page.locator(selector)).to_be_focused()


@pytest.mark.parametrize("opener", ["run", "pause", "keys"])
@pytest.mark.parametrize("leave", ["Escape", "backdrop", "button"])
def test_a_dialog_gives_the_focus_back_however_it_is_left(page, rows, visit, opener, leave):
    visit(page)(f"/schedules/{rows['Fine']}/")
    if opener == "keys":
        page.locator(".rail__person summary").click()
    what = {
        "run": page.locator(f"#run-{rows['Fine']}"),
        "pause": page.get_by_role("link", name="Pause…"),
        "keys": page.locator("#keys-rail"),
    }[opener]
    what.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator(":focus")).to_have_count(1)
    if leave == "Escape":
        page.keyboard.press("Escape")
    elif leave == "backdrop":
        page.mouse.click(5, 5)
    else:
        dialog.locator("[data-close]").first.click()
    expect(dialog).to_have_count(0)
    # Its menu closed meanwhile, so the keys' own link cannot have the focus.
    expect(page.locator(".rail__person summary") if opener == "keys" else what).to_be_focused()


@UNDER_BOTH
def test_a_run_from_a_dialog_gives_the_focus_back_too(page, rows, visit):
    with recording():
        visit(page)(f"/schedules/{rows['Fine']}/")
        page.locator(f"#run-{rows['Fine']}").press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Run now").press("Enter")
        expect(page.get_by_role("link", name="Open the run")).to_be_visible()
        expect(page.locator(f"#run-{rows['Fine']}")).to_be_focused()


@UNDER_BOTH
def test_a_poll_that_is_under_way_does_not_undo_what_a_person_does(page, rows, visit):
    """Its answer, drawn before the switch was pressed, would come after the switch's own."""
    visit(page)("/schedules/?sort=name")
    routes = []
    page.route("**/live/schedules/**", lambda route: routes.append(route))  # noqa: PLW0108 - Playwright marks a function, not a method
    with page.expect_request("**/live/schedules/**"):
        poll(page)
    page.get_by_role("switch", name="Fine").click()
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "false")
    expect(page.get_by_role("status").filter(has_text="Fine is")).to_be_visible()
    assert routes
    page.unroute("**/live/schedules/**")
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "false")
    expect(page.get_by_text(re.compile("Could not load"))).to_have_count(0)
    assert sayings_of(page).console == []


@UNDER_BOTH
def test_a_filter_that_is_typed_faster_than_it_is_answered_shows_the_last_answer(page, rows, visit):
    visit(page)("/schedules/?sort=name")
    held = []
    page.route(re.compile(r"/schedules/\?.*q=Fa"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks a function, not a method
    page.locator("#id_q").fill("Fa")
    expect(page.locator("#results.htmx-request, form.htmx-request")).to_have_count(1)
    page.locator("#id_q").fill("Fine")
    expect(page.locator("#schedule-rows tr")).to_have_count(1)
    expect(page.locator("#schedule-rows tr")).to_contain_text("Fine")
    assert held
    assert sayings_of(page).console == []


@pytest.mark.parametrize(("question", "button"), [("run", "Run now"), ("pause", "Pause")])
def test_the_question_on_a_page_of_its_own_leads_on_after_the_answer(page, rows, visit, question, button):
    own_page = f"/schedules/{rows['Fine']}/{question}/"
    with recording():
        visit(page)(own_page)
        page.locator("main").get_by_role("button", name=button, exact=True).click()
        expect(page).not_to_have_url(re.compile(own_page))
    expect(page.get_by_role("status").filter(has_text="Fine")).to_be_visible()
    assert sayings_of(page).console == []
