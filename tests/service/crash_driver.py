"""Crash at each named place and recover: ``python -m tests.service.crash_driver`` prints how each process ended, as JSON.

One process starts and forks all others, each on connections of its own: what crashes, and what works off what it left.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event

import django

django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first

from schedulerui import clock, crash  # noqa: E402
from schedulerui.beat.loop import Loop  # noqa: E402
from schedulerui.clock import DatabaseClock  # noqa: E402
from schedulerui.conf import Settings, settings  # noqa: E402
from schedulerui.facts import Actor  # noqa: E402
from schedulerui.models import Run, Schedule  # noqa: E402
from schedulerui.operations import runs, schedules  # noqa: E402
from tests.celery_app import app  # noqa: E402

ACTOR = Actor.system("test")
N_DUE = 60
MOST_TICKS = 2_000
STOPPED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One place, what the process does there, and which crash has to come before it."""

    at: str
    does: Callable[[], None]
    first_crashes_at: str = ""


def work(options: Settings | None = None, *, closes: bool = False) -> None:
    """Tick until nothing is due and nothing is left to send."""
    loop = Loop(app=app, clock=DatabaseClock(), options=options or settings(), max_sleep=0.05)
    for _ in range(MOST_TICKS):
        Event().wait(min(loop.tick(), 0.05))
        is_done = not Schedule.objects.due(clock.now()).exists()
        if is_done and not Run.objects.filter(state="pending").exists():
            break
    else:
        sys.exit("there is always something left to do")
    if closes:
        loop.close()


def work_with_a_short_lease() -> None:
    """So short that it ends in the middle of publishing, and the rest is given back."""
    work(replace(settings(), DISPATCH_LEASE=0.02))


def work_with_a_poisoned_row() -> None:
    Schedule.objects.filter(name__startswith="quarantine").filter(name__endswith=" 0").update(headers=[1])
    work()


def click() -> None:
    schedule = Schedule.objects.filter(name__startswith="run_now").first()
    assert schedule is not None
    runs.run_now(schedule.pk, token="one click", actor=ACTOR, now=clock.now())


CASES = [
    *(
        Case(at=f"{place}{nth}", does=work)
        for place, nth in (
            ("claim.begun", ""), ("claim.touched", ""), ("claim.advanced", ""), ("claim.inserted", ""),
            ("claim.committed", ""), ("publish.before", ""), ("publish.before", ":4"), ("publish.after", ""),
            ("publish.after", ":5"), ("mark.before", ""), ("mark.after", ""),
        )
    ),
    Case(at="recover.found", does=work, first_crashes_at="claim.committed"),
    Case(at="recover.taken:3", does=work, first_crashes_at="claim.committed"),
    Case(at="give_back.before", does=work_with_a_short_lease),
    Case(at="give_back.after", does=work_with_a_short_lease),
    Case(at="run_now.committed", does=click),
    Case(at="quarantine.before", does=work_with_a_poisoned_row),
    Case(at="sign_off.before", does=lambda: work(closes=True)),
]  # fmt: skip


def populate(prefix: str) -> None:
    """Make schedules that are due once, now."""
    at = clock.now().replace(microsecond=0) - timedelta(seconds=1)
    for number in range(N_DUE):
        fields = {
            "name": f"{prefix} {number}",
            "task": "tests.add",
            "kind": "clocked",
            "clocked_at_utc": at + timedelta(hours=1),
        }
        schedules.create(fields, actor=ACTOR, now=at)
    Schedule.objects.filter(name__startswith=f"{prefix} ").update(
        clocked_at_utc=at, next_nominal_at=at, next_run_at=at
    )


def forked(action: Callable[[], None], *, at: str = "") -> int:
    """Do it in a process of its own that crashes at this place; returns the exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if at:
        os.environ[crash.CRASH] = at
    try:
        action()
        connection.close()
    except BaseException as error:  # noqa: BLE001 - a forked process must end here, whatever happens
        print(f"{at or 'recovery'}: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(STOPPED)
    os._exit(0)


def codes_of(case: Case) -> list[int]:
    codes = [forked(lambda: populate(case.at))]
    if case.first_crashes_at:
        codes.append(forked(work, at=case.first_crashes_at))
    codes.append(forked(case.does, at=case.at))
    codes.append(forked(work))
    return codes


if __name__ == "__main__":
    print(json.dumps({case.at: codes_of(case) for case in CASES}))
