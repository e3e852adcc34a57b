"""What is wrong with schedules at a moment: late, missed, failing and overlong runs. ``outages`` looks at beats and queues.

Every question is bounded: it asks the rows in trouble, not all of them, and says when it did not see all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from schedulerui.conf import settings
from schedulerui.facts import FAILING, Actor, RunState, Trigger
from schedulerui.models import Alert, Run, Schedule, ScheduleState
from schedulerui.operations import beats

LOOKED_AT = 2_000
"""Most rows that one question looks at."""
SOONEST = timedelta(seconds=5)
"""Nothing younger than this is looked at: it may be on its way."""
QUEUED = (RunState.PENDING, RunState.SENT, RunState.RECEIVED)
MOMENT = "%Y-%m-%d %H:%M:%S"
OF_BEAT = (Trigger.SCHEDULE, Trigger.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One subject and what is wrong with it, in a sentence without the subject's name."""

    key: str
    kind: str
    state: str
    message: str
    schedule_id: int | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Troubles of one kind; ``is_complete`` is False when there may be more than were looked at."""

    troubles: tuple[Trouble, ...] = ()
    is_complete: bool = True


def of_schedules(*, now: datetime) -> Findings:
    """Return the worst trouble of each enabled schedule: failing before late. Ten queries.

    While no beat ticks, nothing is called late for not being sent: that is one trouble, the beat's, and not all schedules'.
    """
    kinds = (
        _unsent(now) if is_ticking(now=now) else Findings(),
        _missed(now),
        _late_to_start(now),
        _overlong(now),
        _still_failing(),
        _failing(),
        _given_up(),
        _unplannable(),
    )
    found = {trouble.key: trouble for kind in kinds for trouble in kind.troubles}
    return Findings(troubles=tuple(found.values()), is_complete=all(kind.is_complete for kind in kinds))


def is_ticking(*, now: datetime) -> bool:
    """Return whether some beat ticks and can work; one query."""
    return beats.ticking(now=now).filter(degraded="").exists()


def _failing() -> Findings:
    """Schedules whose last run went wrong."""
    states = ScheduleState.objects.filter(schedule__enabled=True, last_state__in=FAILING)
    columns = ("schedule_id", "last_state", "failure_streak", "last_run_id")
    rows = list(states.order_by("pk").values_list(*columns)[:LOOKED_AT])
    return _findings((_failed(*row) for row in rows), n_rows=len(rows))


def _still_failing() -> Findings:
    """Schedules that failed and whose next run has begun and not succeeded: nothing has recovered yet."""
    told = Alert.objects.filter(kind="schedule", state="failing", schedule__enabled=True).order_by("pk")
    columns = (
        "schedule_id",
        "schedule__state__last_state",
        "schedule__state__failure_streak",
        "schedule__state__last_success_at",
        "run__nominal_at",
        "run__due_at",
        "since",
        "run_id",
    )
    rows = list(told.values_list(*columns)[:LOOKED_AT])
    lasting = [
        _failed(schedule_id, last_state or "", streak or 0, run_id)
        for schedule_id, last_state, streak, succeeded_at, nominal_at, due_at, since, run_id in rows
        if schedule_id is not None
        and last_state != RunState.SUCCEEDED
        and (streak or succeeded_at is None or succeeded_at < (nominal_at or due_at or since))
    ]
    return _findings(lasting, n_rows=len(rows))


def _given_up() -> Findings:
    """Schedules that have paused themselves after failures: that they fail no more is no recovery."""
    states = ScheduleState.objects.filter(
        failure_streak__gt=0, schedule__enabled=False, schedule__paused_by=Actor.system().name
    )
    rows = list(
        states.order_by("pk").values_list("schedule_id", "schedule__pause_reason", "last_run_id")[:LOOKED_AT]
    )
    paused = (
        _of(pk, "failing", f"It has paused itself: {reason}. Somebody must resume it.", run_id=run_id)
        for pk, reason, run_id in rows
    )
    return _findings(paused, n_rows=len(rows))


def _unplannable() -> Findings:
    """Schedules that are on and never run, since their rule or another value cannot be used."""
    broken = Schedule.objects.filter(next_run_at=None, enabled=True).exclude(error="")
    rows = list(broken.order_by("pk").values_list("pk", "error")[:LOOKED_AT])
    return _findings(
        (_of(pk, "failing", f"It cannot be planned: {error}") for pk, error in rows), n_rows=len(rows)
    )


def _failed(schedule_id: int, last_state: str, streak: int, run_id: int | None) -> Trouble:
    words = {
        RunState.LOST: "The worker that ran it is gone",
        RunState.REJECTED: "The worker rejected it",
        RunState.UNSENT: "It was not sent",
        RunState.EXPIRED: "It expired before a worker began it",
    }
    message = words.get(RunState(last_state), "The last run failed") if last_state in FAILING else "It failed"
    if streak > 1:
        message += f"; {streak} failures in a row"
    return _of(schedule_id, "failing", f"{message}.", run_id=run_id)


def _unsent(now: datetime) -> Findings:
    """Schedules whose time has come and that no beat has dealt with."""
    overdue = Schedule.objects.filter(next_run_at__lt=now - SOONEST).order_by("next_run_at")
    rows = list(overdue.values_list("id", "next_run_at", "alert_grace")[:LOOKED_AT])
    late = (
        _of(pk, "late", f"Due at {due_at:{MOMENT}} UTC and not sent.")
        for pk, due_at, grace in rows
        if due_at is not None and now - due_at > _grace(grace)
    )
    return _findings(late, n_rows=len(rows))


def _missed(now: datetime) -> Findings:
    """Schedules that have not run since a time at which no beat was there: those whose policy makes nothing up for it."""
    missed = Run.objects.filter(state=RunState.MISSED, schedule__enabled=True, due_at__lt=now - SOONEST)
    columns = (
        "schedule_id",
        "due_at",
        "schedule__alert_grace",
        "pk",
        "schedule__state__last_run_at",
        "covers_until",
    )
    rows = list(_fresh_or_told(missed, now).order_by("due_at").values_list(*columns)[:LOOKED_AT])
    found: dict[int, Trouble] = {}
    for schedule_id, due_at, grace, pk, ran_at, until in rows:
        last = until or due_at
        if schedule_id is not None and now - last > _grace(grace) and (ran_at is None or ran_at < last):
            message = f"Missed at {last:{MOMENT}} UTC: no beat was there in time, and it has not run since."
            found[schedule_id] = _of(schedule_id, "late", message, run_id=pk)
    return _findings(found.values(), n_rows=len(rows))


def _late_to_start(now: datetime) -> Findings:
    """Schedules with a run that was sent and that no worker has begun within the grace; none when a later time succeeded."""
    queued = Run.objects.filter(
        state__in=QUEUED, due_at__lt=now - SOONEST, trigger__in=OF_BEAT, schedule__enabled=True
    )
    columns = (
        "schedule_id",
        "due_at",
        "schedule__alert_grace",
        "pk",
        "state",
        "schedule__state__last_success_at",
    )
    rows = list(_fresh_or_told(queued, now).order_by("due_at").values_list(*columns)[:LOOKED_AT])
    found: dict[int, Trouble] = {}
    for schedule_id, due_at, grace, pk, state, succeeded_at in rows:
        is_moot = succeeded_at is not None and succeeded_at > due_at
        if schedule_id is None or schedule_id in found or is_moot or now - due_at <= _grace(grace):
            continue
        where = "no worker has begun it" if state != RunState.RECEIVED else "its worker has not begun it"
        found[schedule_id] = _of(schedule_id, "late", f"Due at {due_at:{MOMENT}} UTC and {where}.", run_id=pk)
    return _findings(found.values(), n_rows=len(rows))


def _fresh_or_told(runs: QuerySet[Run], now: datetime) -> QuerySet[Run]:
    """Return the runs of late, and older ones that stand as an alert: growing old is no recovery."""
    forgotten_at = now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
    told = Alert.objects.filter(kind="schedule", state="late", run__due_at__lte=forgotten_at).values("run_id")
    return runs.filter(
        Q(due_at__gt=forgotten_at) | Q(pk__in=list(told.values_list("run_id", flat=True)[:LOOKED_AT]))
    )


def _overlong(now: datetime) -> Findings:
    """Schedules with a run that takes longer than its longest normal time."""
    running = Run.objects.filter(
        state=RunState.STARTED, schedule__enabled=True, schedule__max_duration__isnull=False
    )
    columns = ("schedule_id", "started_at", "schedule__max_duration", "pk")
    rows = list(running.order_by("due_at").values_list(*columns)[:LOOKED_AT])
    overlong = (
        _of(
            schedule_id,
            "late",
            f"Running since {started_at:{MOMENT}} UTC, longer than {most} s.",
            run_id=pk,
        )
        for schedule_id, started_at, most, pk in rows
        if schedule_id and started_at and most and now - started_at > timedelta(seconds=most)
    )
    return _findings(overlong, n_rows=len(rows))


def _findings(troubles: Iterable[Trouble], *, n_rows: int) -> Findings:
    return Findings(troubles=tuple(troubles), is_complete=n_rows < LOOKED_AT)


def _of(schedule_id: int, state: str, message: str, *, run_id: int | None = None) -> Trouble:
    return Trouble(
        key=f"schedule:{schedule_id}",
        kind="schedule",
        state=state,
        message=message,
        schedule_id=schedule_id,
        run_id=run_id,
    )


def _grace(seconds: int | None) -> timedelta:
    return timedelta(seconds=settings().ALERT_GRACE if seconds is None else seconds)


def subjects(troubles: Iterable[Trouble]) -> set[str]:
    """Return the keys of what is in trouble."""
    return {trouble.key for trouble in troubles}
