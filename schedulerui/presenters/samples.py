"""Rows that stand for no schedule and no run: what the page of components shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schedulerui.facts import RunState
from schedulerui.models import Beat, Run, Schedule, ScheduleState
from schedulerui.presenters.beats import BeatCard, card_of
from schedulerui.presenters.calendar import Month, month_of
from schedulerui.presenters.changes import Difference
from schedulerui.presenters.delay import Delay
from schedulerui.presenters.load import Load, Stretch, edges_between
from schedulerui.presenters.load_strip import DAY, QUARTER, LoadStrip, quarter_of
from schedulerui.presenters.load_strip import strip_of as load_strip_of
from schedulerui.presenters.runs import RunRow, run_row
from schedulerui.presenters.schedules import ScheduleRow, schedule_row
from schedulerui.presenters.states import StateWord, state_of
from schedulerui.presenters.strip import Strip, strip_of
from schedulerui.presenters.tally import Numbers
from schedulerui.presenters.timeline import Timeline, timeline_of

NOBODY = 0
"""A key that no row has: what the samples offer leads nowhere."""
OF_SCHEDULES = ("paused", "error", "unknown", "overslept", "unattended")
"""What a schedule or a queue shows in place of a run's state."""
RECENT = "s2s3s2s4f9f8s3s3m0k0s2s5u0l4e0x1s3s3"


def sample_chips() -> list[StateWord]:
    """Return every state that a run or a schedule can show."""
    return [state_of(key) for key in [*(str(state) for state in RunState), "", *OF_SCHEDULES]]


def sample_row(*, now: datetime) -> ScheduleRow:
    """Return the line of a schedule whose last run failed."""
    schedule = Schedule(
        pk=NOBODY,
        name="Nightly invoices",
        task="billing.tasks.collect_invoices",
        kind="crontab",
        expression="30 2 * * *",
        tz="Europe/Berlin",
        next_nominal_at=now + timedelta(hours=3),
        next_run_at=now + timedelta(hours=3),
    )
    ScheduleState(
        schedule=schedule,
        last_state="failed",
        last_run_at=now - timedelta(hours=21),
        failure_streak=2,
        recent=RECENT,
    )
    return schedule_row(schedule, now=now)


def sample_broken_row(*, now: datetime) -> ScheduleRow:
    """Return the line of a schedule whose rule cannot be read."""
    schedule = Schedule(pk=NOBODY, kind="crontab", expression="61 2 * * *", tz="UTC")
    ScheduleState(schedule=schedule)
    return schedule_row(schedule, now=now)


def sample_runs(*, now: datetime) -> list[RunRow]:
    """Return lines of runs: one that runs, one that failed in its second attempt, one that was skipped and why, one that went well."""
    runs: tuple[dict[str, Any], ...] = (
        {"state": RunState.STARTED, "trigger": "schedule", "worker": "celery@shop-1"},
        {"state": RunState.FAILED, "trigger": "manual", "actor": "ana", "attempt": 1, "runtime": 38.0},
        {
            "state": RunState.SKIPPED,
            "trigger": "schedule",
            "reason": "the run before it had not ended",
            "count": 3,
        },
        {"state": RunState.SUCCEEDED, "trigger": "schedule", "runtime": 35.0},
    )
    common = {"task": "billing.tasks.collect_invoices", "schedule_name": "Nightly invoices"}
    return [
        run_row(Run(pk=-n, uuid=UUID(int=n), due_at=now - timedelta(hours=3 * n), **common, **fields))
        for n, fields in enumerate(runs, 1)
    ]


def sample_beats(*, now: datetime) -> list[BeatCard]:
    """Return the beat card as it is when all is well, late, and down."""
    late, gone = now - timedelta(seconds=14), now - timedelta(minutes=9)
    return [card_of([Beat(host="shop-1", pid=388, seen_at=at)], now=now) for at in (now, late, gone)]


def sample_load(*, now: datetime) -> LoadStrip:
    """Return a day with a busy night."""
    start = quarter_of(now)
    edges = edges_between(start, start + DAY, step=QUARTER)
    stretches = (
        Stretch(
            start=first, end=first + QUARTER, planned=3 + 9 * (first.hour in {1, 2}) + 2 * (not first.minute)
        )
        for first in edges[:-1]
    )
    return load_strip_of(Load(stretches=tuple(stretches), n_rules=3, n_left_out=0), zone=UTC)


def sample_timeline(*, now: datetime) -> Timeline:
    """Return the stations of a run that nobody reported as received."""
    due_at = now - timedelta(minutes=5)
    moments: dict[str, Any] = {
        f"{name}_at": due_at + timedelta(seconds=seconds)
        for name, seconds in (("due", 0), ("sent", 0.4), ("started", 3), ("finished", 41))
    }
    return timeline_of(Run(uuid=UUID(int=0), state=RunState.SUCCEEDED, **moments))


def sample_strip(*, now: datetime) -> Strip:
    """Return forty runs of every shape of bar; they lead nowhere."""
    states = (*[RunState.SUCCEEDED] * 6, RunState.FAILED, RunState.MISSED, RunState.SKIPPED, RunState.STARTED)
    runs = [
        Run(uuid=UUID(int=n), state=states[n % 10], due_at=now - timedelta(hours=n), runtime=3.0 + n % 7)
        for n in range(40)
    ]
    return strip_of(runs, now=now, tz="UTC")


def sample_month(*, now: datetime) -> Month:
    """Return this month of the sample schedule."""
    schedule = Schedule(kind="crontab", expression="30 2 * * mon-fri", tz="UTC")
    return month_of(schedule, now.date().replace(day=1), now=now)


def sample_numbers() -> Numbers:
    """Return the numbers of the tiles, with one of each colour."""
    return Numbers(n_due=42, n_failing=3, n_missed=7, n_workers=2, n_alerts=0, n_scanned=9)


def sample_delay() -> Delay:
    """Return a delay as the tiles show it."""
    return Delay(p50=0.02, p99=0.3, n=500)


def sample_differences() -> list[Difference]:
    """Return two fields that somebody changed."""
    return [
        Difference(field="crontab expression", before="30 2 * * *", after="0 5 * * *"),
        Difference(field="queue", before="—", after="night"),
    ]
