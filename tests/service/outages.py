"""Outages of one part of a world at a time, each with what its rows say afterwards; independent of each other."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.service.accounts import beats_are_up, everything_is_sent, moment, stop_creating
from tests.service.world import World
from tests.waiting import eventually

MISFIRES = ("latest", "all", "none")
EVERY = (2, 7)
"""Seconds between two times: one kind always has a newer time that is not late, one mostly has none."""
GRACE = 4
"""Seconds after which a time of these worlds is late."""
N_SCHEDULES = len(MISFIRES) * len(EVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the history: when its time was due, and which claim (by its moment) decided about it."""

    schedule: str
    policy: str
    state: str
    due_at: dt.datetime
    claimed_at: dt.datetime

    @property
    def is_late(self) -> bool:
        return (self.claimed_at - self.due_at).total_seconds() > GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What one outage left behind: how long it was, seconds from the return to the first message, and the history."""

    world: World
    seconds: float
    seconds_to_first: float
    rows: list[Row]


def populate_policies(world: World) -> None:
    each = [
        {"name": f"{misfire} {every}", "every": every, "misfire": misfire}
        for misfire in MISFIRES
        for every in EVERY
    ]
    world.populate(len(each), grace=GRACE, each=each)


def is_sending(world: World) -> None:
    """Wait until a beat has sent something of every schedule."""
    beats_are_up(world, 1)
    sent = "SELECT COUNT(DISTINCT schedule_id) FROM schedulerui_run WHERE state = 'sent'"
    eventually(lambda: world.rows(sent)[0][0] == N_SCHEDULES, within=60)


def pass_seconds(seconds: float) -> None:
    """Let an outage last: here time itself is the condition."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= until, within=seconds + 5, every=0.1)


def first_message(world: World, *, before: int) -> float:
    """Wait for a message beyond ``before``; returns the seconds that it took."""
    began = time.monotonic()
    eventually(lambda: world.n_messages() > before, within=30, every=0.01, describe="a message again")
    return time.monotonic() - began


def account(world: World, *, seconds: float, seconds_to_first: float) -> Outage:
    """Let the beats work off what is due, take the schedules out, and read the rows."""
    newest = "SELECT MAX(nominal_at) FROM schedulerui_run WHERE state = 'sent' GROUP BY schedule_id"

    def has_caught_up() -> bool:
        return all(time.time() - moment(at).timestamp() < max(EVERY) + 1 for (at,) in world.rows(newest))

    eventually(has_caught_up, within=30, every=0.2, describe="every schedule to run again")
    stop_creating(world)
    everything_is_sent(world)
    found = world.rows("SELECT schedule_name, state, due_at, created_at FROM schedulerui_run")
    rows = [
        Row(
            schedule=name,
            policy=name.partition(" ")[0],
            state=state,
            due_at=moment(due),
            claimed_at=moment(claimed),
        )
        for name, state, due, claimed in found
    ]
    return Outage(world=world, seconds=seconds, seconds_to_first=seconds_to_first, rows=rows)


def server_away(
    world: World, server: Any, *, seconds: float, during: Callable[[], None] = lambda: None
) -> Outage:
    """Kill the broker or the database under a beat, and start it again."""
    populate_policies(world)
    world.beat()
    is_sending(world)
    before = world.n_messages()
    server.kill()
    during()
    pass_seconds(seconds)
    server.restart()
    first = first_message(world, before=max(before, world.n_messages()))
    return account(world, seconds=seconds, seconds_to_first=first)


def beat_away(world: World, *, seconds: float) -> Outage:
    """Kill the only beat, and start another one later."""
    populate_policies(world)
    beat = world.beat()
    is_sending(world)
    beat.kill9()
    pass_seconds(seconds)
    before = world.n_messages()
    world.beat()
    beats_are_up(world, 2)
    return account(world, seconds=seconds, seconds_to_first=first_message(world, before=before))
