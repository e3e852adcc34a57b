"""Every state as a person sees it, on a phone and on a desk: its word and its reason are whole, and nothing of a row is cut away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.facts import FINISHED, RunState
from schedulerui.models import Beat, Schedule, ScheduleState
from schedulerui.operations import pauses, schedules
from schedulerui.presenters.states import state_of
from tests.browser.chromium import sayings_of
from tests.browser.test_pages import visit
from tests.web.people import ANA, a_run, a_schedule

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDTHS = (390, 1440)
REASON = "overlap: the run before, of half past two, was still active when this one was due"
CUT = """places => places.flatMap(place => [...place.querySelectorAll('.chip, .sub, .small, time, dd, button, a')]
    .filter(part => part.checkVisibility() && part.textContent.trim())
    .filter(part => {
        const text = new Range();
        text.selectNodeContents(part);
        const box = text.getBoundingClientRect(), frames = [place];
        for (let each = part; each !== place; each = each.parentElement)
            if (getComputedStyle(each).overflowX !== 'visible') frames.push(each);
        return box.right > innerWidth + 1 || frames.some(each => {
            const frame = each.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1;
        });
    }).map(part => part.className + ': ' + part.textContent.trim()))"""
"""What of some rows does not stand whole within its row and the window."""


def ran(state, now, n):
    schedule = a_schedule(f"Last was {state}")
    run = a_run(schedule, state=state, due_at=now - timedelta(minutes=n), reason=REASON, runtime=61.5)
    values = {"last_state": state, "last_run_at": run.due_at, "last_run_id": run.pk, "recent": "s3f4m0k0"}
    ScheduleState.objects.filter(schedule=schedule).update(**values)
    return run


@pytest.fixture
def runs():
    """A schedule for each state of its last run, and one in each condition that a schedule itself can be in."""
    now = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)
    found = {str(state): ran(str(state), now, n + 1) for n, state in enumerate(RunState)}
    pauses.pause(
        a_schedule("Paused").pk, until=now + timedelta(days=2), reason="the supplier", actor=ANA, now=now
    )
    schedules.disable(a_schedule("Off").pk, actor=ANA, now=now)
    broken = {
        "error": "minute 99: use 0-59",
        "expression": "99 * * * *",
        "next_run_at": None,
        "next_nominal_at": None,
    }
    Schedule.objects.filter(pk=a_schedule("Broken").pk).update(**broken)
    late_at = now - timedelta(hours=1)
    Schedule.objects.filter(pk=a_schedule("Late").pk).update(next_run_at=late_at, next_nominal_at=late_at)
    a_schedule("By hand", kind="manual", expression="")
    return found


def whole(page, rows):
    """The texts of the rows, after making sure that nothing of them is cut."""
    assert page.locator(rows).evaluate_all(CUT) == []
    return page.locator(rows).all_inner_texts()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_state_is_whole_in_every_row(page, runs, visit, width):
    page.set_viewport_size({"width": width, "height": 900})
    go = visit(page)
    go("/runs/")
    for state, run in runs.items():
        (text,) = whole(page, f"#run-{run.pk}")
        assert state_of(state).word in text
        assert REASON in text
        assert ("1 min 1 s" in text) == (state in FINISHED)
    go("/schedules/")
    shown = whole(page, "#schedule-rows tr")
    assert len(shown) == len(runs) + 5
    for state in runs:
        (text,) = [text for text in shown if f"Last was {state}\n" in text]
        assert state_of(state).word in text
    for name, words in {
        "Paused": "by ana: the supplier", "Off": "Off", "Broken": "Rule broken", "Late": "not sent yet", "By hand": "By hand only",
    }.items():  # fmt: skip
        row = page.locator("#schedule-rows tr").filter(has=page.get_by_role("link", name=name, exact=True))
        assert words in row.inner_text()
    go("/")
    for part in ("attention", "running", "latest", "upcoming"):
        assert all(whole(page, f"#overview-{part} .line")), part
    skipped = runs["skipped"]
    go(f"/schedules/{skipped.schedule_id}/")
    assert any(REASON in text for text in whole(page, "#schedule-runs tbody[role] tr"))
    assert all(whole(page, "#schedule-facts dl"))
    go(f"/timeline/?day={skipped.due_at:%Y-%m-%d}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert sayings_of(page).console == []
