"""What a world's rows and messages have to add up to, whatever happened to the processes."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.service.world import World
from tests.waiting import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """How many runs were sent, and what went out again under the same task id."""

    n_runs: int
    n_messages: int
    n_again: int
    """Messages beyond the first of their run."""


def moment(value: object) -> dt.datetime:
    """A column's moment, of either database."""
    return dt.datetime.fromisoformat(str(value)).replace(tzinfo=dt.UTC)


def n_runs(world: World, where: str = "1 = 1") -> int:
    return int(world.rows(f"SELECT COUNT(*) FROM schedulerui_run WHERE {where}")[0][0])


def stop_creating(world: World) -> None:
    """Take all schedules out of the due index, so that what was claimed can be sent in peace."""
    world.execute("UPDATE schedulerui_schedule SET next_run_at = NULL, next_nominal_at = NULL")


def each_schedule_has_run(world: World, *, within: float = 120) -> None:
    """Wait for the first row of the last schedule: the longest of the first claims may come behind many of the shortest."""
    without = "SELECT id FROM schedulerui_schedule WHERE id NOT IN (SELECT schedule_id FROM schedulerui_run WHERE schedule_id IS NOT NULL)"
    eventually(
        lambda: not world.rows(without),
        within=within,
        describe=lambda: (
            f"each schedule to have run: {_schedules(world, {row[0] for row in world.rows(without)})}"
        ),
    )


def everything_is_sent(world: World, *, within: float = 120) -> None:
    eventually(
        lambda: n_runs(world, "state = 'pending'") == 0,
        within=within,
        describe=lambda: f"no run to be pending: {_pending(world)}",
    )


def _pending(world: World) -> str:
    columns = "id, owner, publishes, due_at, lease_until, reason"
    first = world.rows(f"SELECT {columns} FROM schedulerui_run WHERE state = 'pending' ORDER BY id LIMIT 5")
    return f"{first}, beats {world.rows('SELECT host, pid, seen_at, degraded FROM schedulerui_beat')}"


def beats_are_up(world: World, n: int) -> None:
    eventually(
        lambda: world.rows("SELECT COUNT(*) FROM schedulerui_beat")[0][0] >= n,
        within=180,
        describe=f"{n} beats to sign in",
    )


def assert_every_occurrence_has_one_row(world: World, *, states: set[str] | None = None) -> None:
    """The rows of each interval follow each other by exactly its seconds, a row of many counted as what it covers."""
    every = dict(world.rows("SELECT id, every FROM schedulerui_schedule WHERE kind = 'interval'"))
    rows = world.rows(
        "SELECT schedule_id, nominal_at, covers_until, count, state FROM schedulerui_run "
        "WHERE trigger = 'schedule' ORDER BY schedule_id, nominal_at"
    )
    without = set(every) - {row[0] for row in rows}
    assert not without, f"no row at all: {_schedules(world, without)}"
    if states is not None:
        assert {row[4] for row in rows} <= states
    for schedule, group in itertools.groupby(rows, key=lambda row: row[0]):
        if schedule not in every:
            continue
        step, expected = dt.timedelta(seconds=every[schedule]), None
        for _, nominal, until, count, state in group:
            at, last = moment(nominal), moment(until or nominal)
            assert expected is None or at == expected, f"schedule {schedule}: {at} ({state}) after {expected}"
            assert (last - at) / step + 1 == count, f"schedule {schedule}: {count} times from {at} to {last}"
            expected = last + step


def assert_each_message_has_its_row(world: World, messages: Counter[str] | None = None) -> Sums:
    """Every sent run has a message, every message a run; none has more messages than publishes. Returns the sums."""
    found = world.messages() if messages is None else messages
    publishes = dict(
        world.rows("SELECT task_id, publishes FROM schedulerui_run WHERE state NOT IN ('missed', 'skipped')")
    )
    assert set(found) == set(publishes)
    assert {task_id: n for task_id, n in found.items() if n > publishes[task_id]} == {}
    return Sums(n_runs=len(publishes), n_messages=found.total(), n_again=found.total() - len(found))


def _schedules(world: World, ids: set[int]) -> list[tuple[Any, ...]]:
    columns = "id, every, enabled, error, created_at, anchor_at, previous_nominal_at, runs_created"
    among = ", ".join(str(number) for number in sorted(ids))
    return world.rows(f"SELECT {columns} FROM schedulerui_schedule WHERE id IN ({among})")
