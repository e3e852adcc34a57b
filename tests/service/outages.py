"""Outages of one part of a world at a time, each with what its rows say afterwards; independent of each other."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests import pace
from tests.processes import Process
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
    slowness: float
    """How many times as long everything took the beat as on a free machine."""
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
    eventually(lambda: world.rows(sent)[0][0] == N_SCHEDULES, within=180)


def pass_seconds(seconds: float) -> None:
    """Let an outage last: here time itself is the condition."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= until, within=seconds + 5, every=0.1)


def first_message(world: World, *, since: float, back_at: float) -> float:
    """Wait for a run that was sent after ``since``; returns its seconds after the return, by the beat's own clock."""
    first = "SELECT MIN(sent_at) FROM schedulerui_run WHERE state = 'sent' AND sent_at > '{}'"
    moment_since = dt.datetime.fromtimestamp(since, dt.UTC).replace(tzinfo=None)
    eventually(
        lambda: world.rows(first.format(moment_since))[0][0] is not None,
        within=90,
        describe="a message again",
    )
    found = moment(world.rows(first.format(moment_since))[0][0])
    return max(0.0, found.timestamp() - back_at)


def account(world: World, *, seconds: float, seconds_to_first: float, beat: Process) -> Outage:
    """Let the beats work off what is due, take the schedules out, and read the rows."""
    newest = "SELECT MAX(nominal_at) FROM schedulerui_run WHERE state = 'sent' GROUP BY schedule_id"

    def has_caught_up() -> bool:
        return all(time.time() - moment(at).timestamp() < max(EVERY) + 1 for (at,) in world.rows(newest))

    eventually(has_caught_up, within=90, every=0.2, describe="every schedule to run again")
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
    return Outage(
        world=world,
        seconds=seconds,
        seconds_to_first=seconds_to_first,
        slowness=pace.slowness(beat.pid),
        rows=rows,
    )


def server_away(
    world: World, server: Any, *, seconds: float, during: Callable[[], None] = lambda: None
) -> Outage:
    """Kill the broker or the database under a beat, and start it again."""
    populate_policies(world)
    beat = world.beat()
    is_sending(world)
    server.kill()
    during()
    pass_seconds(seconds)
    since = time.time()
    server.restart()
    first = first_message(world, since=since, back_at=time.time())
    return account(world, seconds=seconds, seconds_to_first=first, beat=beat)


def beat_away(world: World, *, seconds: float) -> Outage:
    """Kill the only beat, and start another one later."""
    populate_policies(world)
    beat = world.beat()
    is_sending(world)
    beat.kill9()
    pass_seconds(seconds)
    since = time.time()
    successor = world.beat()
    beats_are_up(world, 2)
    back_at = moment(world.rows("SELECT MAX(started_at) FROM schedulerui_beat")[0][0]).timestamp()
    first = first_message(world, since=since, back_at=back_at)
    return account(world, seconds=seconds, seconds_to_first=first, beat=successor)
