"""A process that ends at each named place of the code: another one works off what it left, and nothing is lost or doubled."""

from __future__ import annotations

import json

import pytest

from schedulerui.crash import EXIT_CODE, PLACES
from tests.service.crash_driver import CASES, N_DUE

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

NEVER_TWICE = ("claim.", "recover.", "give_back.", "run_now.", "quarantine.", "sign_off.", "publish.before")
"""Places at which nothing can have been sent that is not marked, except by the messages before it in its batch."""


@pytest.fixture(params=["sqlite", "postgres"])
def crashed(request, make_world):
    """A world in which a process has crashed at each place, and the exit codes of all processes by place."""
    world = make_world(request.param, DISPATCH_LEASE=0.5)
    codes = json.loads(world.run("-m", "tests.service.crash_driver").strip().splitlines()[-1])
    return world, codes


def again_by_place(world):
    """How many messages beyond the first each place cost."""
    places = dict(world.rows("SELECT task_id, schedule_name FROM schedulerui_run WHERE task_id IS NOT NULL"))
    again = dict.fromkeys((case.at for case in CASES), 0)
    for task_id, n in world.messages().items():
        again[places[task_id].rpartition(" ")[0]] += n - 1
    return again


def test_a_crash_at_each_place_loses_nothing_and_makes_no_second_task_id(crashed):
    world, codes = crashed
    assert {case.at.partition(":")[0] for case in CASES} == PLACES
    for case in CASES:
        before = [EXIT_CODE] if case.first_crashes_at else []
        assert codes[case.at] == [0, *before, EXIT_CODE, 0], case.at
    rows = world.rows("SELECT schedule_name, trigger, state, task_id, publishes FROM schedulerui_run")
    scheduled = [row for row in rows if row[1] == "schedule"]
    expected = {f"{case.at} {number}" for case in CASES for number in range(N_DUE)} - {"quarantine.before 0"}
    assert sorted(row[0] for row in scheduled) == sorted(expected)
    assert {row[2] for row in rows} == {"sent"}
    assert [row[0] for row in rows if row[1] == "manual"] == ["run_now.committed 0"]
    messages = world.messages()
    assert set(messages) == {row[3] for row in rows}
    assert [row for row in rows if messages[row[3]] > row[4]] == []
    poisoned = world.rows("SELECT error FROM schedulerui_schedule WHERE name = 'quarantine.before 0'")
    assert "headers" in poisoned[0][0]
    again = again_by_place(world)
    print(f"messages sent again by place: { {place: n for place, n in again.items() if n} }")
    assert {
        place: n for place, n in again.items() if n and place.startswith(NEVER_TWICE) and ":" not in place
    } == {}
    assert max(again.values()) <= N_DUE
