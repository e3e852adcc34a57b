"""A schedule's strip, menu and times, and a run's keys and copies, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Schedule
from tests.browser.test_pages import rows, visit
from tests.web.people import a_run

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task\n'
    '    R = fun()\n  File "/srv/shop/tasks.py", line 3, in work\n    raise ValueError(1)\nValueError: 1'
)


@pytest.fixture
def three_runs(rows):
    """Three runs of one schedule, the oldest first; the one between them failed."""
    schedule, now = Schedule.objects.get(pk=rows["Paused"]), clock.now()
    return [
        a_run(schedule, due_at=now - timedelta(hours=3 - n), state="failed" if n == 1 else "succeeded", traceback=TRACEBACK if n == 1 else "")
        for n in range(3)
    ]  # fmt: skip


def test_brackets_go_through_the_runs_of_a_schedule_and_stop_at_its_ends(
    page, three_runs, visit, live_server
):
    addresses = [f"{live_server.url}/runs/{run.uuid}/" for run in three_runs]
    visit(page)(f"/runs/{three_runs[1].uuid}/")
    for key, address in (("]", addresses[2]), ("]", addresses[2]), ("[", addresses[1]), ("[", addresses[0])):
        page.keyboard.press(key)
        expect(page).to_have_url(address)
        page.wait_for_load_state("load")  # before, the new page's script takes no key
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Next run, of the same schedule")


def test_the_whole_traceback_is_copied_while_the_folded_one_is_shown(page, three_runs, visit):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page)(f"/runs/{three_runs[1].uuid}/")
    expect(page.get_by_text("1 frame of a library")).to_be_visible()
    expect(page.get_by_text("trace_task")).to_be_hidden()
    page.get_by_role("button", name="Copy traceback").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TRACEBACK
    page.get_by_text("The whole traceback").click()
    expect(page.get_by_text("trace_task")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Copy traceback")).to_be_hidden()


def test_a_bar_of_the_strip_leads_to_its_run_and_takes_no_stop_of_the_tab_key(
    page, three_runs, visit, live_server
):
    go = visit(page)
    go(f"/schedules/{three_runs[0].schedule_id}/")
    assert page.locator(".strip a, .sr a").evaluate_all("all => all.map(each => each.tabIndex)") == [-1] * 6
    page.locator(".strip a").nth(1).click()
    expect(page).to_have_url(f"{live_server.url}/runs/{three_runs[1].uuid}/")


@pytest.mark.parametrize("width", [390, 1440])
def test_the_menu_and_the_times_lie_on_the_screen(page, rows, visit, width):
    page.set_viewport_size({"width": width, "height": 900})
    go = visit(page)
    go(f"/schedules/{rows['Fine']}/")
    page.locator("#schedule-actions summary").click()
    box = page.locator("#schedule-actions .menu__panel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.get_by_role("link", name="As code").click()
    expect(page.locator("#block-call")).to_contain_text("schedules.create(")
    page.go_back()
    page.get_by_role("link", name="Upcoming").click()
    page.locator(".time__skip summary").first.click()
    page.get_by_placeholder("Reason").first.fill("stocktaking")
    page.get_by_role("button", name="Skip this time").first.click()
    expect(page.locator("tr.is-skipped")).to_contain_text("stocktaking")
    expect(page.locator("tr.is-skipped del")).to_have_css("text-decoration-line", "line-through")
    page.get_by_role("link", name="Next month").click()
    expect(page).to_have_url(re.compile(r"\?month=\d{4}-\d{2}#month$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
