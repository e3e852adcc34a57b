"""Measure one thing about dispatch in a process of its own: ``python -m tests.benchmarks.dispatch_driver burst 1000 3``.

The last line that it prints is JSON. The database and the broker are those of the environment; an SQLite in memory is migrated
first.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django has to be set up first
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from schedulerui import clock  # noqa: E402
from schedulerui.beat.loop import Loop  # noqa: E402
from schedulerui.clock import DatabaseClock  # noqa: E402
from schedulerui.conf import settings  # noqa: E402
from schedulerui.models import Run, Schedule, ScheduleState  # noqa: E402
from tests.celery_app import app  # noqa: E402

BARE_MAX = 3_000
"""Most messages of one bare loop: enough for a rate."""
LEAD = 3.0
"""Seconds between the making of schedules and the first time of them that is due."""
FAR = timedelta(days=300)


def a_loop() -> Loop:
    return Loop(app=app, clock=DatabaseClock(), options=settings(), max_sleep=1.0)


def empty() -> None:
    for model in (ScheduleState, Run, Schedule):
        model.objects.all()._raw_delete("default")


def insert(
    times: Sequence[datetime], *, every: int = 1, period: str = "hours", name: str = "schedule"
) -> None:
    """Insert schedules that are next due at these times: the operation with its audit row is not what is measured."""
    for first in range(0, len(times), 2_000):
        rows = [
            Schedule(
                uuid=uuid.uuid4(), name=f"{name} {first + number}", task="tests.add", kind="interval", every=every,
                period=period, anchor_at=due, next_nominal_at=due, next_run_at=due, created_at=due, updated_at=due,
            )
            for number, due in enumerate(times[first : first + 2_000])
        ]  # fmt: skip
        Schedule.objects.bulk_create(rows, batch_size=500)
    ids = Schedule.objects.filter(state=None).values_list("pk", flat=True)
    ScheduleState.objects.bulk_create([ScheduleState(schedule_id=pk) for pk in ids], batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def bare_loop(n: int) -> tuple[float, float]:
    """Seconds of wall and of processor time for one bare message through one reused producer, as Celery makes it."""
    task, n = app.tasks["tests.add"], min(n, BARE_MAX)
    with app.connection_for_write() as opened:
        producer = app.amqp.Producer(opened, auto_declare=False)
        task.apply_async((1, 2), producer=producer)
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(n):
            task.apply_async((1, 2), producer=producer)
        return (time.perf_counter() - began) / n, (time.process_time() - cpu) / n


def dispatch_all(n: int) -> tuple[float, float]:
    """Seconds of wall and of processor time for one run; everything marked, nothing deferred."""
    loop = a_loop()
    began, cpu = time.perf_counter(), time.process_time()
    while Run.objects.filter(state="sent").count() < n:
        loop.tick()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    loop.close()
    return took / n, used / n


def all_due(n: int) -> None:
    empty()
    insert([clock.now().replace(microsecond=0)] * n)


def statements_of(n: int) -> float:
    """Statements of one run; in a round of its own, because Django writes down the text of each that is counted."""
    all_due(n)
    with CaptureQueriesContext(connection) as queries:
        dispatch_all(n)
    return len(queries) / n


def burst(n: int, n_rounds: int) -> dict[str, float]:
    """``n`` due at one moment, in turns with the bare loop; medians of the rounds."""
    rounds = []
    statements = statements_of(n)
    for _ in range(n_rounds):
        all_due(n)
        bare, bare_cpu = bare_loop(n)
        took, cpu = dispatch_all(n)
        rounds.append((1 / took, 1 / bare, bare / took, bare_cpu / cpu, cpu * 1e3))
    names = ("rate", "bare_rate", "ratio", "cpu_ratio", "cpu_ms")
    found = dict(zip(names, map(statistics.median, zip(*rounds, strict=True)), strict=True))
    return found | {"statements": statements}


def among(n_rounds: int) -> dict[str, float]:
    """Milliseconds of processor time for one run of 1,000 due among 1,000, and then among 100,000; medians of the rounds."""
    empty()
    insert([clock.now() + FAR] * 1_000)
    few = statistics.median(due_again() for _ in range(n_rounds)) * 1e3
    insert([clock.now() + FAR] * 99_000, name="other")
    many = statistics.median(due_again() for _ in range(n_rounds)) * 1e3
    return {"few": few, "many": many, "ratio": many / few}


def due_again() -> float:
    """Make the first thousand due and dispatch them; returns the processor time for one run."""
    Run.objects.all()._raw_delete("default")
    due = clock.now().replace(microsecond=0)
    moved = Schedule.objects.filter(name__startswith="schedule")
    moved.update(next_run_at=due, next_nominal_at=due, anchor_at=due)
    return dispatch_all(1_000)[1]


def run_until(loop: Loop, moment: datetime) -> None:
    """Tick and sleep as Celery's beat does."""
    nobody = Event()
    while clock.now() < moment:
        nobody.wait(loop.tick())


def first(n: int, n_rounds: int) -> dict[str, float]:
    """Milliseconds from the due moment of ``n`` schedules to the first messages, and to the last ones."""
    rounds = []
    for _ in range(n_rounds):
        empty()
        loop = a_loop()
        due = clock.now().replace(microsecond=0) + timedelta(seconds=LEAD)
        insert([due] * n)
        while Run.objects.filter(state="sent").count() < n:
            run_until(loop, clock.now() + timedelta(seconds=0.5))
        loop.close()
        sent = [moment for moment in Run.objects.values_list("sent_at", flat=True) if moment is not None]
        rounds.append([(moment - due).total_seconds() * 1e3 for moment in (min(sent), max(sent))])
    return dict(zip(("first", "last"), map(statistics.median, zip(*rounds, strict=True)), strict=True))


def steady(rate: float, seconds: float) -> dict[str, float]:
    """Lateness in milliseconds of ``rate`` runs a second, each schedule once a second; ``rate`` below 1 is a part of the bare one."""
    empty()
    bare_rate = 1 / bare_loop(BARE_MAX)[0]
    n = int(rate if rate >= 1 else rate * bare_rate)
    loop = a_loop()
    start = clock.now().replace(microsecond=0) + timedelta(seconds=LEAD + n / 2_000)
    insert([start + timedelta(seconds=number / n) for number in range(n)], period="seconds")
    loop.tick()
    cpu = time.process_time()
    run_until(loop, start + timedelta(seconds=seconds))
    used = time.process_time() - cpu
    Schedule.objects.update(next_run_at=None, next_nominal_at=None)
    loop.tick()
    loop.close()
    times = Run.objects.filter(state="sent").values_list("sent_at", "due_at")
    late = sorted((sent - due).total_seconds() * 1e3 for sent, due in times if sent is not None)
    missed = sum(Run.objects.filter(state="missed").values_list("count", flat=True))
    return {
        "rate": n, "bare_rate": bare_rate, "sent": len(late), "missed": missed, "p50": late[len(late) // 2],
        "p99": late[int(len(late) * 0.99)], "worst": late[-1], "cpu": used / seconds,
    }  # fmt: skip


def many(n: int) -> dict[str, float]:
    """Fill the table with schedules that are not due for long."""
    insert([clock.now() + FAR] * n, name=f"one of {n}")
    return {"n": n}


def due_at_once(n: int, seconds: float) -> dict[str, float]:
    """Insert schedules that are due in so many seconds."""
    insert([clock.now().replace(microsecond=0) + timedelta(seconds=seconds)] * n, name="burst")
    return {"n": n}


VERBS: dict[str, Callable[..., dict[str, float]]] = {
    "burst": lambda n, rounds: burst(int(n), int(rounds)),
    "among": lambda rounds: among(int(rounds)),
    "first": lambda n, rounds: first(int(n), int(rounds)),
    "steady": lambda rate, seconds: steady(float(rate), float(seconds)),
    "many": lambda n: many(int(n)),
    "due": lambda n, seconds: due_at_once(int(n), float(seconds)),
}

if __name__ == "__main__":
    if connection.settings_dict["NAME"] == ":memory:":
        call_command("migrate", verbosity=0)
    print(json.dumps(VERBS[sys.argv[1]](*sys.argv[2:])))
