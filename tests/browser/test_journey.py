"""The journey of a new user with everything real: web, beat, worker, Valkey and Chromium."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import pace
from tests.bundled_site import START_WITHIN, Start
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PASSWORD = "journey-password"
TASK = "schedulerui.site.demo_tasks.heartbeat"
SOON = 60_000  # milliseconds: two runs, a poll and some busy cores
TOLD_WITHIN = 30  # seconds from the death of a worker


@pytest.fixture(scope="module")
def site():
    with (
        tempfile.TemporaryDirectory(prefix="su-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        Start(
            Path(folder) / "home",
            log=Path(folder) / "run.log",
            env={
                "SCHEDULERUI_DEMO": "0",
                "SCHEDULERUI_TASKS": "schedulerui.site.demo_tasks",
                "SCHEDULERUI_ADMIN_PASSWORD": PASSWORD,
            },
        ) as start,
    ):
        start.process.wait_for("schedulerui is ready:", within=START_WITHIN)
        yield start


def address(site, path="/"):
    return f"http://127.0.0.1:{site.port}{path}"


def log_in(page, site, path="/schedules/"):
    page.goto(address(site, path))
    page.get_by_label("User").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(address(site, path))


def create(page, site, name, *, every="2", is_manual=False):
    page.goto(address(site, "/schedules/new/"))
    page.get_by_label(re.compile("^Name")).fill(name)
    page.locator("#id_task").fill(TASK)
    page.get_by_role("radio", name=re.compile("By hand" if is_manual else "Interval")).check()
    if not is_manual:
        page.get_by_label("Every", exact=True).fill(every)
        page.get_by_label("Unit", exact=True).select_option("seconds")


def save(page):
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url(re.compile(r"/schedules/\d+/$"))


def started(site, name):
    return site.runs(f"started_at IS NOT NULL AND schedule_name = '{name}'")


def test_create_watch_switch_off_and_run_now(page, site):
    log_in(page, site)

    create(page, site, "Pulse")
    expect(page.locator("#preview-summary")).to_contain_text("Every 2 seconds")
    page.get_by_label("Every", exact=True).fill("3")
    expect(page.locator("#preview-summary")).to_contain_text("Every 3 seconds")
    page.get_by_label("Every", exact=True).fill("2")
    expect(page.locator("#preview-summary")).to_contain_text("Every 2 seconds")
    save(page)

    # Its runs come by themselves: the page is not loaded again.
    expect(page.locator(".chip").filter(has_text="Succeeded").first).to_be_visible(timeout=SOON)

    page.goto(address(site, "/schedules/"))
    row = page.get_by_role("row").filter(has_text="Pulse")
    expect(row).to_contain_text("Every 2 seconds")
    expect(row).to_contain_text("Succeeded", timeout=SOON)

    switch = row.get_by_role("switch", name="Pulse")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_contain_text("Off")
    eventually(
        lambda: (
            site.runs("state IN ('pending', 'sent', 'received', 'started') AND schedule_name = 'Pulse'") == 0
        ),
        within=60,
    )
    before, since = started(site, "Pulse"), time.monotonic()
    eventually(lambda: time.monotonic() - since > 7, within=10, every=0.5, describe="three periods to pass")
    assert started(site, "Pulse") == before

    manual = "\"trigger\" = 'manual' AND schedule_name = 'Pulse'"
    row.get_by_role("link", name="Run now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run now").dblclick()
    expect(page.get_by_role("status").filter(has_text="Pulse").first).to_be_visible()
    eventually(lambda: site.runs(f"{manual} AND state = 'succeeded'") == 1, within=60)
    since = time.monotonic()
    eventually(
        lambda: time.monotonic() - since > 3, within=10, every=0.5, describe="a second run to have its chance"
    )
    assert site.runs(manual) == 1
    assert started(site, "Pulse") == before + 1


def test_a_killed_worker_is_told_within_thirty_seconds_and_its_successor_is_another(page, site):
    log_in(page, site, "/workers/")
    expect(page.get_by_text("Online").first).to_be_visible(timeout=SOON)
    killed = site.pid_of("worker")
    os.kill(killed, signal.SIGKILL)
    killed_at = time.monotonic()
    expect(page.get_by_text("Died").first).to_be_visible()
    assert time.monotonic() - killed_at <= TOLD_WITHIN * pace.slowness(site.pid_of("monitor"))
    expect(page.get_by_text("Online").first).to_be_visible()
    eventually(lambda: site.pid_of("worker") not in {0, killed}, within=60)


def test_the_core_actions_work_without_javascript(page_without_javascript, site):
    page = page_without_javascript
    log_in(page, site)
    create(page, site, "Plain", every="400")
    page.get_by_role("button", name="Preview runs").click()
    expect(page.locator("#preview-summary")).to_contain_text("Every 400 seconds")
    save(page)

    page.goto(address(site, "/schedules/?q=Plain"))
    row = page.get_by_role("row").filter(has_text="Plain")
    row.get_by_role("switch", name="Plain").click()
    expect(page.get_by_role("row").filter(has_text="Plain").get_by_role("switch")).to_have_attribute(
        "aria-checked", "false"
    )

    page.get_by_role("row").filter(has_text="Plain").get_by_role("link", name="Run now").click()
    page.get_by_role("button", name="Run now").click()
    # The page does not change by itself here: it is asked when the run has ended.
    eventually(lambda: site.runs("state = 'succeeded' AND schedule_name = 'Plain'") == 1, within=60)
    assert started(site, "Plain") == 1
    page.goto(address(site, "/runs/?q=Plain"))
    expect(page.get_by_role("row").filter(has_text="Plain").first).to_contain_text("Succeeded")
