"""Nothing on a page moves by itself: not while it loads, not when its script begins, not when a poll brings the rows it has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from schedulerui import clock
from schedulerui.models import Run, Schedule, ScheduleState
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
