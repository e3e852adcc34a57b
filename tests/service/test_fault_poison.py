"""Rows that no form would let in, written by SQL under a running beat: each costs itself, and says why on its page."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests import pace
from tests.service.accounts import assert_every_occurrence_has_one_row, moment, n_runs, stop_creating
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

DEEP = {"sqlite": 100_000, "postgres": 5_000}
"""How deep the nested arguments are: PostgreSQL takes no deeper ones, and Python reads neither."""
LONG_AGO = "1999-12-31"
POISON = {
    "a very long interval": {"every": 2147483647, "period": "days"},
    "headers that are a list": {"headers": "[1, 2]"},
    "arguments nested deep": {"args": None},
    "minute 99": {"kind": "crontab", "expression": "99 * * * *"},
    "a zone on Mars": {"tz": "Mars/Olympus"},
    "a policy of tomorrow": {"misfire": "whenever"},
    "an interval of nothing": {"every": 0},
    "30 February": {"kind": "crontab", "expression": "0 0 30 2 *"},
    "a moment in year 1": {"kind": "clocked", "clocked_at_utc": "0001-01-01 00:00:00"},
    "arguments that are a number": {"args": "7"},
}
ONLY_POSTGRES = {
    "due since ever": {"next_run_at": "-infinity"},
    "a start that never comes": {"start_at": "infinity"},
}
ONLY_SQLITE = {
    "arguments that are no JSON": {"args": "not json"},
    "a time that is none": {"next_run_at": f"{LONG_AGO} or so"},
    "a name of bytes": {"task": b"\xff\xfe"},
}
SPELLED = {
    "with T and Z": "2026-01-01T00:00:00Z",
    "with an offset": "2026-01-01 00:00:00+00:00",
    "without seconds": "2026-01-01 00:00",
}
"""The same moment as Django reads it, but not as Django writes it: an update on the time seen does not find it."""
N_GOOD = 20
CPU_MAX = 0.3
"""Most seconds of CPU a second, where twenty schedules of every second need a tenth of that."""


def poison(world, name, columns):
    """Write one poisoned row; what PostgreSQL guards by a constraint is written without it."""
    if world.database_url.startswith("postgres"):
        world.execute("ALTER TABLE schedulerui_schedule DROP CONSTRAINT IF EXISTS su_schedule_interval")
    sets = ", ".join(f"{column} = %s" for column in columns)
    world.execute(
        f"UPDATE schedulerui_schedule SET {sets} WHERE name = %s", *columns.values(), f"poison {name}"
    )


def fill(world, prefix, names, *, every):
    """One schedule for each name, and good ones."""
    bad = [{"name": f"{prefix} {name}", "every": every} for name in names]
    # A slow machine must not make a beat miss a time.
    good = [{"name": f"good {number}", "every": 1} for number in range(N_GOOD)]
    world.populate(len(bad) + N_GOOD, each=[*bad, *good], grace=600)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages(world, prefix):
    return json.loads(world.run("-m", "tests.service.pages_of", prefix).strip().splitlines()[-1])


def are_out(world, prefix):
    left = (
        f"SELECT COUNT(*) FROM schedulerui_schedule WHERE name LIKE '{prefix} %' AND next_run_at IS NOT NULL"
    )
    return world.rows(left)[0][0] == 0


def cpu_a_second(pid, *, seconds=4.0):
    """How much CPU the process takes while nothing else happens."""
    began, spent = time.monotonic(), cpu_seconds(pid)
    eventually(lambda: time.monotonic() - began >= seconds, within=seconds + 5, every=0.2)
    return (cpu_seconds(pid) - spent) / (time.monotonic() - began)


def rows_of(database):
    rows = {**POISON, **(ONLY_SQLITE if database == "sqlite" else ONLY_POSTGRES)}
    deep = DEEP[database]
    rows["arguments nested deep"] = {"args": "[" * deep + "]" * deep}
    return rows


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_poisoned_rows_cost_themselves_and_say_why(make_world, database):
    world = make_world(database)
    rows = rows_of(database)
    fill(world, "poison", rows, every=3)
    beat = world.beat()
    eventually(lambda: n_runs(world) > 2 * N_GOOD, within=180, describe=beat.tail)
    for name, columns in rows.items():
        poison(world, name, columns)
    eventually(lambda: are_out(world, "poison"), within=90, describe=beat.tail)
    spent = cpu_a_second(beat.pid)
    stop_creating(world)
    world.execute("UPDATE schedulerui_schedule SET every = 1 WHERE every = 0 OR every > 1000")
    told = pages(world, "poison")
    assert {name: page["status"] for name, page in told.items()} == {f"poison {name}": 200 for name in rows}
    assert [name for name, page in told.items() if not (page["error"] and page["is_shown"])] == []
    world.execute("DELETE FROM schedulerui_run WHERE schedule_name NOT LIKE 'good %'")
    world.execute("UPDATE schedulerui_schedule SET kind = 'manual' WHERE name NOT LIKE 'good %'")
    assert_every_occurrence_has_one_row(world, states={"sent"})
    assert spent <= CPU_MAX, beat.tail()
    assert beat.is_running


@pytest.mark.lateness
def test_times_spelled_in_another_way_are_sent_and_keep_nobody_busy(make_world):
    world = make_world("sqlite")
    fill(world, "spelled", SPELLED, every=3600)
    beat = world.beat()
    eventually(lambda: n_runs(world) > 2 * N_GOOD, within=180, describe=beat.tail)
    (since,) = world.rows("SELECT MAX(due_at) FROM schedulerui_run")[0]  # before, the beat was starting
    for name, spelling in SPELLED.items():
        world.execute(
            "UPDATE schedulerui_schedule SET next_run_at = %s WHERE name = %s",
            spelling,
            f"spelled {name}",
        )
    due = "SELECT COUNT(*) FROM schedulerui_schedule WHERE name LIKE 'spelled %' AND next_run_at < '2026-02'"
    eventually(lambda: world.rows(due)[0][0] == 0, within=90, describe=beat.tail)
    spent, slowness = cpu_a_second(beat.pid), pace.slowness(beat.pid)
    stop_creating(world)
    late = [
        (moment(created) - moment(due)).total_seconds()
        for created, due in world.rows(
            "SELECT created_at, due_at FROM schedulerui_run WHERE schedule_name LIKE 'good %' "
            f"AND due_at > '{since}'"
        )
    ]
    assert late
    assert max(late) <= 2.0 * slowness
    assert spent <= CPU_MAX, beat.tail()
