"""What people do all day, with JavaScript switched off."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Run, SavedView, Schedule
from schedulerui.operations import schedules
from schedulerui.testing import recording
from tests.browser.chromium import sayings_of
from tests.browser.test_pages import rows, visit
from tests.web.people import ANA, a_schedule

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(page_without_javascript):
    return page_without_javascript


@pytest.fixture
def go(page, visit):
    return visit(page)


def listed(page):
    return page.locator("#schedule-rows tr")


def test_a_list_is_filtered_sorted_and_paged(page, rows, go):
    for number in range(50):
        a_schedule(f"Other {number}")
    go("/schedules/?sort=name")
    expect(listed(page)).to_have_count(50)
    first = listed(page).locator(".row-name, .cell-name a").first.inner_text()
    page.get_by_role("link", name="Next", exact=True).click()
    expect(listed(page).first).not_to_contain_text(first)
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="Last run").click()
    expect(page).to_have_url(re.compile("sort=last"))
    go("/schedules/")
    page.get_by_label("Search").fill("on:off")
    page.get_by_role("button", name="Apply").click()
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_contain_text("Off")


def test_a_schedule_is_made_previewed_changed_and_deleted(page, go):
    go("/schedules/new/")
    page.get_by_label(re.compile("^Name")).fill("Plain")
    page.locator("#id_task").fill("tests.add")
    page.get_by_role("radio", name=re.compile("Interval")).check()
    page.get_by_label("Every", exact=True).fill("40")
    page.get_by_role("button", name="Preview runs").click()
    expect(page.locator("#preview-summary")).to_contain_text("Every 40")
    page.get_by_role("button", name="Save schedule").click()
    expect(page.locator("h1")).to_have_text("Plain")
    pk = Schedule.objects.get(name="Plain").pk
    go(f"/schedules/{pk}/edit/")
    page.get_by_label(re.compile("^Name")).fill("Plainer")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("h1")).to_have_text("Plainer")
    go(f"/schedules/{pk}/delete/")
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/schedules/$"))
    assert not Schedule.objects.exists()


def test_a_schedule_is_paused_for_a_reason(page, rows, go):
    go(f"/schedules/{rows['Fine']}/pause/")
    page.get_by_label(re.compile("reason|why", re.IGNORECASE)).first.fill("a deploy")
    page.locator("main").get_by_role("button", name=re.compile("^Pause")).click()
    expect(page.locator("main")).to_contain_text("a deploy")
    assert not Schedule.objects.get(pk=rows["Fine"]).enabled


def test_the_switch_and_its_undo_are_plain_forms(page, rows, go):
    go("/schedules/?q=Fine")
    page.get_by_role("switch", name="Fine").click()
    expect(page).to_have_url(re.compile(r"q=Fine#schedule-\d+$"))
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "false")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("switch", name="Fine")).to_have_attribute("aria-checked", "true")


def test_a_schedule_is_run_now_and_with_other_values(page, rows, go):
    with recording() as outbox:
        go("/schedules/")
        page.get_by_role("link", name="Run now Fine").click()
        page.get_by_role("button", name="Run now").click()
        expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
        go(f"/schedules/{rows['Fine']}/run/")
        page.get_by_role("link", name=re.compile("other values")).click()
        page.get_by_label(re.compile("^Positional arguments")).fill("[1,")
        page.get_by_role("button", name="Run once").click()
        expect(page.locator("main .field__error").first).to_contain_text("Line 1, column 4")
        page.get_by_label(re.compile("^Positional arguments")).fill("[1, 2]")
        page.get_by_role("button", name="Run once").click()
        expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    assert len(outbox.sent) == 2
    assert Run.objects.order_by("-pk")[0].args == [1, 2]
    sayings_of(page).complaints.clear()  # Chromium reports a refused form by its status


def test_one_time_is_skipped_and_taken_back(page, rows, go):
    go(f"/schedules/{rows['Fine']}/")
    first = page.locator("#schedule-coming li").first
    first.get_by_text("Skip", exact=False).first.click()
    first.get_by_role("textbox").fill("bank holiday")
    first.get_by_role("button", name="Skip this time").click()
    skipped = page.locator("#schedule-coming li.is-skipped")
    expect(skipped).to_contain_text("bank holiday")
    skipped.get_by_role("button", name="Run after all").click()
    expect(skipped).to_have_count(0)


def test_a_run_is_cancelled(page, rows, go):
    running = Run.objects.get(schedule_id=rows["Fine"], state="started")
    go(f"/runs/{running.uuid}/")
    page.get_by_role("link", name=re.compile("^Cancel")).click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page).to_have_url(re.compile(f"/runs/{running.uuid}/$"))
    running.refresh_from_db()
    assert running.cancel_requested_by == "ana"


def test_a_run_is_run_again(page, rows, go):
    old = Run.objects.get(schedule_id=rows["Failing"])
    with recording():
        go(f"/runs/{old.uuid}/")
        page.locator(f"a[href$='/runs/{old.uuid}/again/']").first.click()
        page.locator("main").get_by_role("button", name=re.compile("Run")).last.click()
        expect(page).not_to_have_url(re.compile(f"{old.uuid}"))
    assert Run.objects.filter(schedule_id=rows["Failing"]).count() == 2


def test_several_are_paused_at_once(page, rows, go):
    go("/schedules/")
    for name in ("Fine", "Failing"):
        page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).get_by_role(
            "checkbox"
        ).check()
    page.locator(".bulk select[name=action]").select_option("disable")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("done for 2 schedules")).to_be_visible()
    assert Schedule.objects.filter(enabled=False, name__in=["Fine", "Failing"]).count() == 2


def test_what_cannot_be_undone_is_asked_about_once_more(page, rows, go):
    go("/schedules/?q=Fine")
    page.locator("tbody [name=id]").check()
    page.locator(".bulk select[name=action]").select_option("delete")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("main")).to_contain_text("This cannot be undone")
    assert Schedule.objects.filter(name="Fine").exists()
    page.locator("main").get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_text("done for 1 schedule")).to_be_visible()
    assert not Schedule.objects.filter(name="Fine").exists()


def test_an_older_version_is_brought_back(page, rows, go):
    schedules.edit(rows["Fine"], {"queue": "night"}, version=1, actor=ANA, now=clock.now())
    go(f"/schedules/{rows['Fine']}/")
    page.get_by_role("link", name=re.compile("^Restore version 1")).click()
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("status").filter(has_text="is as it was in version 1")).to_be_visible()
    assert Schedule.objects.get(pk=rows["Fine"]).queue == ""


def test_a_filter_is_kept_as_a_view_and_thrown_away(page, rows, go):
    go("/schedules/?q=fail")
    views = page.locator("details").filter(has=page.locator("[data-save-view]"))
    views.locator("summary").click()
    views.get_by_role("textbox").fill("Mine")
    views.get_by_role("button", name=re.compile("^Save")).click()
    go("/schedules/")
    views.locator("summary").click()
    page.get_by_role("link", name="Mine").click()
    expect(page).to_have_url(re.compile("q=fail"))
    views.locator("summary").click()
    views.get_by_role("button", name=re.compile("Delete|Remove")).click()
    assert not SavedView.objects.exists()


def test_the_colours_are_chosen(page, rows, go):
    go("/schedules/")
    page.locator(".rail__person summary").click()
    page.locator(".rail__person").get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_one_logs_in_to_the_page_that_one_wanted_and_out_again(page, rows, live_server, settings):
    settings.ROOT_URLCONF = "schedulerui.site.urls"
    User.objects.create_superuser("eva", password="a password")
    page.goto(f"{live_server.url}/schedules/?q=Fine")
    page.get_by_label("User name").fill("eva")
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{live_server.url}/schedules/?q=Fine")
    page.locator(".rail__person summary").click()
    page.get_by_role("button", name="Log out eva").click()
    page.goto(f"{live_server.url}/schedules/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
