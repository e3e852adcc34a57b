"""What a dispatched run costs, history row included, beside a bare ``apply_async`` loop on the same Redis.

Each measurement runs in a process of its own on SQLite in memory and on a private PostgreSQL. Figures are printed and not
asserted: they are of one machine and its load, and the tests of statements hold what does not depend on it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.memory_redis import InMemoryRedis
from tests.processes import REPOSITORY
from tests.service.conftest import make_world, templates
from tests.waiting import eventually

__all__ = ["make_world", "templates"]

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]
TICKS = os.sysconf("SC_CLK_TCK")
DATABASES = ("sqlite", "postgres")
IDLE_SECONDS = 20.0
N_EDITS = 15
FEW, MANY = 1_000, 100_000
N_BURST = 10_000
SENT = "SELECT count(*), EXTRACT(EPOCH FROM max(sent_at) - min(due_at)) FROM schedulerui_run WHERE state = 'sent'"


@pytest.fixture(scope="module")
def broker_url():
    with InMemoryRedis() as server:
        yield server.url


@pytest.fixture(params=DATABASES)
def world(request, make_world, broker_url):
    """A world whose driver has SQLite in memory, so that no disk is in the figures; its beats have the file."""
    return make_world(request.param, broker_url=broker_url, DISPATCH_LEASE=30.0, HEARTBEAT_EVERY=5.0)


def drive(world, *arguments, in_memory=True):
    """Run a verb of the driver; returns its figures."""
    is_sqlite = world.database_url.startswith("sqlite")
    env = dict(world.env)
    if is_sqlite and in_memory:
        env["TEST_DATABASE_URL"] = "sqlite://:memory:"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.dispatch_driver", *map(str, arguments)],
        env=env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def tell(world, what, text):
    vendor = "SQLite" if world.database_url.startswith("sqlite") else "PostgreSQL"
    print(f"\n| {vendor} | {what} | {text} | load {os.getloadavg()[0]:.1f} |")


@pytest.mark.parametrize(("n", "n_rounds"), [(1_000, 5), (10_000, 3)])
def test_many_due_at_one_moment(world, n, n_rounds):
    found = drive(world, "burst", n, n_rounds)
    tell(
        world,
        f"{n:,} due",
        f"{found['rate']:.0f}/s beside {found['bare_rate']:.0f}/s: ratio {found['ratio']:.2f}, of processor time "
        f"{found['cpu_ratio']:.2f}; {found['cpu_ms']:.2f} ms a run; {found['statements']:.3f} statements a run",
    )


def test_a_thousand_due_among_a_hundred_thousand(world):
    found = drive(world, "among", 15)
    tell(
        world,
        "1,000 due of 100,000",
        f"{found['many']:.3f} ms of processor time a run, {found['few']:.3f} of 1,000: ratio {found['ratio']:.2f}",
    )


def test_the_first_message_after_the_due_moment(world):
    found = drive(world, "first", 1_000, 5)
    tell(
        world, "first message of 1,000", f"{found['first']:.0f} ms after due, the last {found['last']:.0f} ms"
    )


@pytest.mark.parametrize("rate", [200, 0.6])
def test_a_steady_rate_for_30_seconds(world, rate):
    found = drive(world, "steady", rate, 30)
    tell(
        world,
        f"{found['rate']}/s for 30 s",
        f"{found['sent']} sent, {found['missed']} missed; late p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f}, worst "
        f"{found['worst']:.0f}; {found['cpu'] * 100:.0f} % of a core (bare loop {found['bare_rate']:.0f}/s)",
    )


def cpu_of(pid):
    """Seconds of processor time that a process has used."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


def peak_of(pid):
    """MiB that a process has held at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def start_beat(world):
    """Start a beat; returns it, and the seconds and the processor time until its row is there."""
    began = time.monotonic()
    beat = world.beat()
    statement = f"SELECT 1 FROM schedulerui_beat WHERE pid = {beat.pid}"
    eventually(lambda: world.rows(statement), within=120, every=0.01, describe=beat.tail)
    return beat, time.monotonic() - began, cpu_of(beat.pid)


def test_start_idle_and_edits_with_few_and_with_many_schedules(world):
    found = {}
    for n in (FEW, MANY):
        drive(world, "many", n - FEW if n == MANY else FEW, in_memory=False)
        starts = []
        for _ in range(3):
            beat, took, cpu = start_beat(world)
            starts.append((took, cpu, peak_of(beat.pid)))
            beat.terminate()
        found[n] = [statistics.median(values) for values in zip(*starts, strict=True)]
        took, cpu, peak = found[n]
        tell(
            world,
            f"start with {n:,}",
            f"{took:.2f} s, {cpu:.2f} s of processor time, {peak:.0f} MiB at most",
        )
    tell(
        world,
        "start, 100,000 beside 1,000",
        f"{found[MANY][0] / found[FEW][0]:.2f} x, of processor time {found[MANY][1] / found[FEW][1]:.2f} x",
    )
    beat, _took, _cpu = start_beat(world)
    settle(beat)
    idle = idle_cpu(beat)
    tell(world, f"idle with {MANY:,}", f"{idle * 60:.2f} s of processor time a minute")
    began = time.monotonic()
    effects, cost = edits(world, beat)
    rest = idle * (time.monotonic() - began)
    tell(
        world,
        "an edit",
        f"takes effect in {statistics.median(effects) * 1e3:.0f} ms (median of {N_EDITS}), and costs beat "
        f"{max(cost - rest, 0.0) / N_EDITS * 1e3:.1f} ms",
    )


def is_past(moment):
    return time.monotonic() >= moment


def pass_time(seconds):
    eventually(partial(is_past, time.monotonic() + seconds), within=seconds + 60, every=0.01)


def settle(beat):
    """Let the beat come to rest after its start."""
    pass_time(3.0)
    assert beat.is_running, beat.tail()


def idle_cpu(beat):
    """Seconds of processor time a second of a beat that has nothing to do."""
    before, began = cpu_of(beat.pid), time.monotonic()
    eventually(lambda: time.monotonic() - began >= IDLE_SECONDS, within=IDLE_SECONDS * 2, every=0.25)
    return (cpu_of(beat.pid) - before) / (time.monotonic() - began)


def edits(world, beat):
    """Make one schedule due after another; returns the seconds until each message, and the beat's processor time."""
    effects, before = [], cpu_of(beat.pid)
    ids = [row[0] for row in world.rows(f"SELECT id FROM schedulerui_schedule ORDER BY id LIMIT {N_EDITS}")]
    now = "CURRENT_TIMESTAMP" if world.database_url.startswith("postgres") else "datetime('now')"
    for number, pk in enumerate(ids):
        pass_time(number * 0.37 % 1.0)  # or each edit would come just after beat has looked
        n_before = world.n_messages()
        began = time.monotonic()
        world.execute(
            f"UPDATE schedulerui_schedule SET next_run_at = {now}, next_nominal_at = {now}, anchor_at = {now}, version = version + 1 WHERE id = {pk}"
        )
        eventually(partial(has_more, world, n_before), within=30, every=0.01, describe=f"edit {number}")
        effects.append(time.monotonic() - began)
    return effects, cpu_of(beat.pid) - before


def has_more(world, n):
    return world.n_messages() > n


def has_sent_all(world):
    return world.rows(SENT)[0][0] == N_BURST


def test_two_beats_on_postgresql_dispatch_more_than_one(make_world, broker_url):
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for n_beats, found in rates.items():
            world = make_world("postgres", broker_url=broker_url, DISPATCH_LEASE=30.0, HEARTBEAT_EVERY=5.0)
            beats = [start_beat(world)[0] for _ in range(n_beats)]
            drive(world, "due", N_BURST, 5.0)
            eventually(partial(has_sent_all, world), within=300, every=0.5, describe=beats[0].tail)
            found.append(N_BURST / float(world.rows(SENT)[0][1]))
            world.close()
    one, two = statistics.median(rates[1]), statistics.median(rates[2])
    tell(world, "10,000 due, two beats", f"{two:.0f}/s, one {one:.0f}/s: {two / one:.2f} x")
