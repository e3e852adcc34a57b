"""The frame, the list and one schedule in a real browser: keyboard, dialogs, live rows, no script."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Beat, Run, Schedule, ScheduleState
from schedulerui.operations import schedules
from schedulerui.testing import recording
from tests.browser.chromium import watched_page
from tests.browser.majors import UNDER_BOTH
from tests.web.people import ANA, a_run, a_worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "<script>alert(1)</script> " + "averylongnamewithoutanyspaces" * 5


@pytest.fixture
def rows():
    """A schedule in each state that a row can show, one with a hostile name, and what they ran."""
    now = clock.now()
    made = {
        name: schedules.create(
            {"name": name, "task": "tests.add", "kind": "interval", "every": 90, "period": "minutes"},
            actor=ANA,
            now=now,
        )
        for name in ("Fine", "Failing", "Broken", "Paused", LONG)
    }
    schedules.disable(made["Paused"].pk, actor=ANA, now=now)
    Schedule.objects.filter(pk=made["Broken"].pk).update(
        every=1, period="moons", error="period: moons", next_run_at=None, next_nominal_at=None
    )
    for name, state in (("Fine", "succeeded"), ("Failing", "failed"), (LONG, "missed")):
        a_run(made[name], state=state, due_at=now, runtime=None if state == "missed" else 0.2)
        ScheduleState.objects.filter(schedule=made[name]).update(
            last_state=state, last_run_at=now, recent="s3f4m0k0", failure_streak=2
        )
    a_run(made["Fine"], state="started", due_at=now)
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)
    a_worker(seen_at=now)
    return {name: schedule.pk for name, schedule in made.items()}


@pytest.fixture
def visit(live_server):
    """Return what logs in on a page and gives the function that goes to an address of the site."""
    client = Client()
    client.force_login(User.objects.create_superuser("ana"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}

    def enter(page):
        page.context.add_cookies([cookie])
        return lambda path: page.goto(f"{live_server.url}{path}")

    return enter


def poll(page):
    """Let the page ask now what is new, as it does by itself every few seconds."""
    page.evaluate(
        "document.querySelectorAll('[data-live]').forEach(part => part.dispatchEvent(new CustomEvent('schedulerui:poll')))"
    )


@UNDER_BOTH
def test_a_switch_keeps_the_focus_when_it_is_pressed_with_the_keyboard(page, rows, visit):
    visit(page)("/schedules/")
    switch = page.get_by_role("switch", name="Fine")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Fine is off")).to_be_visible()


def test_run_now_asks_in_a_dialog_that_gives_the_focus_back(page, rows, visit):
    visit(page)("/schedules/")
    opener = page.get_by_role("link", name="Run now Fine")
    opener.click()
    dialog = page.get_by_role("dialog", name="Run Fine now?")
    expect(dialog.get_by_role("button", name="Run now")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


@UNDER_BOTH
def test_a_double_click_in_the_dialog_makes_one_run(page, rows, visit):
    before = Run.objects.count()
    with recording():
        visit(page)("/schedules/")
        page.get_by_role("link", name="Run now Fine").click()
        page.get_by_role("dialog").get_by_role("button", name="Run now").dblclick()
        expect(page.get_by_role("link", name="Open the run")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert Run.objects.count() == before + 1


@UNDER_BOTH
def test_the_filter_narrows_while_one_types_and_the_slash_key_goes_there(page, rows, visit):
    visit(page)("/schedules/")
    page.keyboard.press("/")
    page.keyboard.insert_text("fail")  # at once: typed slowly, each pause is a step of the browser's history
    expect(page.locator("#schedule-rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=fail"))
    page.go_back()
    expect(page.locator("#schedule-rows tr")).to_have_count(5)


def test_a_row_changes_by_itself_and_the_others_stay(page, rows, visit):
    visit(page)("/schedules/")
    row = page.get_by_role("row").filter(has_text="Failing")
    expect(row).to_contain_text("Failed")
    nodes = page.locator("#schedule-rows tr, h1, #id_q").evaluate_all(
        "nodes => nodes.map(node => { node.isOld = true })"
    )
    ScheduleState.objects.filter(schedule_id=rows["Failing"]).update(last_state="succeeded", failure_streak=0)
    expect(row).to_contain_text("Succeeded")
    stayed = page.locator("#schedule-rows tr, h1, #id_q").evaluate_all(
        "nodes => nodes.filter(node => node.isOld)"
    )
    assert len(stayed) == len(nodes) - 1  # the page was not drawn anew, that one row was


def test_a_beat_that_does_not_tick_is_told_once_and_not_in_every_row(page, rows, visit):
    long_ago = clock.now() - timedelta(hours=1)
    Schedule.objects.filter(next_run_at__isnull=False).update(next_run_at=long_ago, next_nominal_at=long_ago)
    go = visit(page)
    Beat.objects.update(seen_at=clock.now())
    go("/schedules/")
    said = page.get_by_text("not sent yet", exact=True)
    n_rows = said.count()
    assert n_rows >= 3  # a beat ticks and they are late
    expect(said.first).to_be_visible()
    Beat.objects.update(seen_at=long_ago)
    go("/schedules/")
    expect(page.locator("#beat")).to_contain_text("Beat is not ticking")
    for number in range(said.count()):
        expect(said.nth(number)).to_be_hidden()


@UNDER_BOTH
def test_a_server_that_goes_away_leaves_the_page_and_a_sentence(browser, htmx, rows, visit):
    with watched_page(browser) as page:  # its complaint about the 503 is what this is about
        visit(page)("/schedules/")
        expect(page.get_by_text(re.compile("^Updated "))).to_be_visible()
        page.route("**/live/schedules/**", lambda route: route.fulfill(status=503))
        poll(page)
        # The page may have been asking by itself at that moment: then its next question is the one that is refused.
        expect(page.get_by_text("Could not load (HTTP 503)")).to_be_visible()
        expect(page.locator("#schedule-rows tr")).to_have_count(5)
        with page.expect_response("**/live/health/**"):
            poll(page)  # that beat is well hides nothing
        expect(page.get_by_text("Could not load (HTTP 503)")).to_be_visible()
        expect(page.get_by_text(re.compile(r"Showing data from \d\d:\d\d:\d\d"))).to_be_visible()
        page.keyboard.press(".")  # from here on it asks only when it is told to
        expect(page.get_by_role("button", name="Resume updates")).to_be_visible()
        page.unroute("**/live/schedules/**")
        retry = page.get_by_role("button", name="Retry")
        with page.expect_response("**/live/schedules/**"):
            retry.click()
        expect(page.get_by_text(re.compile("^Updated "))).to_be_visible()
        expect(retry).to_be_hidden()
