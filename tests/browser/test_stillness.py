"""Nothing on a page moves by itself: not while it loads, not when its script begins, not when a poll brings the rows it has."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Change, Run, Schedule, ScheduleState
from tests.browser.chromium import settled
from tests.browser.test_pages import poll, rows, visit
from tests.web.people import a_schedule

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WATCH = """
window.shifts = [];
const name = node => node ? `${node.nodeName}#${node.id}.${node.className}` : "gone";
const box = rect => [rect.x, rect.y, rect.width, rect.height].map(Math.round).join(" ");
window.watcher = new PerformanceObserver(list => list.getEntries().forEach(kept));
const kept = entry => shifts.push(entry.sources.map(one => `${name(one.node)} from ${box(one.previousRect)} to ${box(one.currentRect)}`).join("; ") + ` ${entry.value}`);
watcher.observe({type: "layout-shift", buffered: true});
window.allShifts = () => { watcher.takeRecords().forEach(kept); return shifts; };
"""
TWO_FRAMES = (
    "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
)


def shifts(page):
    """What moved since the page was asked for, once it has been drawn as it now is."""
    settled(page)
    page.evaluate(TWO_FRAMES)
    return page.evaluate("allShifts()")


@pytest.fixture
def older(rows):
    """The same some hours later: ages of seconds change their words while one looks."""
    earlier = clock.now() - timedelta(hours=5)
    ScheduleState.objects.filter(last_run_at__isnull=False).update(last_run_at=earlier)
    Run.objects.update(due_at=earlier, sent_at=earlier, started_at=earlier)
    Run.objects.filter(finished_at__isnull=False).update(finished_at=earlier)
    Schedule.objects.update(updated_at=earlier)
    Change.objects.update(at=earlier)
    return rows


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_a_page_loads_or_its_script_begins(page, older, visit, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(WATCH)
    for number in range(20):
        a_schedule(f"Schedule {number}")
    go = visit(page)
    found = {}
    running = Run.objects.get(state="started").uuid
    for path in (
        "/", "/schedules/", "/runs/", "/timeline/", "/workers/", "/alerts/", f"/schedules/{older['Failing']}/", f"/runs/{running}/",
    ):  # fmt: skip
        go(path)
        found[path] = shifts(page)
    assert {path: moved for path, moved in found.items() if moved} == {}


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_a_poll_draws_a_row_anew(page, older, visit, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(WATCH)
    visit(page)("/schedules/?sort=name")
    before = shifts(page)
    ScheduleState.objects.filter(schedule_id=older["Fine"]).update(recent="s3f4m0k0s3s3s3s3")
    poll(page)
    expect(page.locator(f"#schedule-{older['Fine']}.is-fresh")).to_be_visible()
    assert shifts(page) == before == []


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_nothing_moves_while_the_time_that_a_run_runs_goes_on(page, older, visit, width):
    Run.objects.filter(state="started").update(started_at=clock.now() - timedelta(minutes=5))
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(WATCH)
    go = visit(page)
    for path in ("/runs/", f"/schedules/{older['Fine']}/"):
        go(path)
        time = page.locator("td .sub > time.ago")
        expect(time).to_have_text("5 minutes ago")
        for seconds, words in (
            (630, "10 minutes"),
            (20, "[0-9]{2} seconds"),
            (3570, "59 minutes"),
            (9000, "2 hours"),
            (270_000, "3 days"),
        ):
            time.evaluate(
                "(node, ago) => node.dateTime = new Date(Date.now() - ago * 1000).toISOString()", seconds
            )
            expect(time).to_have_text(re.compile(f"^{words} ago$"))
        assert shifts(page) == [], path
