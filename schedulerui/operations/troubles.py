"""What is wrong at a moment: late, failing and overlong runs, beats that do not tick, queues that nobody empties.

Every question is bounded: it asks the rows in trouble, not all of them, and says when it did not see all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedulerui.conf import settings
from schedulerui.facts import RunState, Trigger
from schedulerui.models import Alert, Beat, Run, Schedule, ScheduleState, Worker

LOOKED_AT = 2_000
"""Most rows that one question looks at."""
SOONEST = timedelta(seconds=5)
"""Nothing younger than this is looked at: it may be on its way."""
FAILING = (RunState.FAILED, RunState.LOST, RunState.REJECTED, RunState.UNSENT)
QUEUED = (RunState.PENDING, RunState.SENT, RunState.RECEIVED)
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
    """Return the worst trouble of each enabled schedule: failing before late. Four queries.

    While no beat ticks, nothing is called late for not being sent: that is one trouble, the beat's, and not all schedules'.
    """
    failing, all_failing = _failing()
    late, all_late = _late_to_start(now)
    found = {trouble.key: trouble for trouble in _unsent(now) if is_ticking(now=now)}
    found |= {trouble.key: trouble for trouble in (*late, *_overlong(now), *failing)}
    return Findings(troubles=tuple(found.values()), is_complete=all_failing and all_late)


def of_beats(*, now: datetime) -> Findings:
    """Return one trouble when schedules are on and no beat can work; at most two queries."""
    stale_at = now - timedelta(seconds=settings().BEAT_STALE_AFTER)
    beats = list(Beat.objects.order_by("-seen_at").values_list("seen_at", "degraded")[:50])
    ticking = [degraded for seen_at, degraded in beats if seen_at >= stale_at]
    if any(not degraded for degraded in ticking):
        return Findings()
    if not Schedule.objects.filter(next_run_at__isnull=False).exists():
        return Findings()
    if ticking:
        message = f"No beat can work: {ticking[0]}"
    elif beats:
        message = f"No beat has ticked since {beats[0][0]:%Y-%m-%d %H:%M:%S} UTC: nothing is sent."
    else:
        message = "No beat is running: nothing is sent."
    return Findings(troubles=(Trouble(key="beat", kind="beat", state="down", message=message[:500]),))


def of_queues(*, default_queue: str, now: datetime) -> Findings:
    """Return a trouble for each queue that enabled schedules send to and no living worker takes from; two queries.

    A living worker that has not told its queues might take from any: then nothing is said.
    """
    since = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    living = Worker.objects.filter(seen_at__gte=since, stopped_at=None, died_at=None)
    told = list(living.values_list("queues", flat=True)[:LOOKED_AT])
    if any(not queues for queues in told):
        return Findings()
    taken = {str(queue) for queues in told for queue in queues}
    named = Schedule.objects.filter(next_run_at__isnull=False).order_by().values_list("queue", flat=True)
    needed = {queue or default_queue for queue in named.distinct()[:LOOKED_AT]}
    why = "no worker that is online takes from it" if told else "no worker is online"
    return Findings(
        troubles=tuple(
            Trouble(
                key=f"queue:{queue}"[:220],
                kind="queue",
                state="down",
                message=f"Schedules send to the queue {queue} and {why}."[:500],
            )
            for queue in sorted(needed - taken)
        )
    )


def is_ticking(*, now: datetime) -> bool:
    """Return whether some beat ticks and can work; one query."""
    stale_at = now - timedelta(seconds=settings().BEAT_STALE_AFTER)
    return Beat.objects.filter(seen_at__gte=stale_at, degraded="").exists()


def _failing() -> tuple[list[Trouble], bool]:
    """Schedules whose last run went wrong, and those that failed and have not succeeded since."""
    states = ScheduleState.objects.filter(schedule__enabled=True)
    columns = ("schedule_id", "last_state", "failure_streak", "last_run_id")
    fresh = list(states.filter(last_state__in=FAILING).values_list(*columns)[:LOOKED_AT])
    known = Alert.objects.filter(kind="schedule", state="failing").values("schedule_id")
    lasting = states.filter(failure_streak__gt=0, schedule_id__in=known).values_list(*columns)[:LOOKED_AT]
    rows = {row[0]: row for row in [*lasting, *fresh]}
    return [_failed(*row) for row in rows.values()], len(fresh) < LOOKED_AT


def _failed(schedule_id: int, last_state: str, streak: int, run_id: int | None) -> Trouble:
    words = {
        RunState.LOST: "The worker that ran it is gone",
        RunState.REJECTED: "The worker rejected it",
        RunState.UNSENT: "It was not sent",
    }
    message = words.get(RunState(last_state), "The last run failed") if last_state in FAILING else "It failed"
    if streak > 1:
        message += f"; {streak} failures in a row"
    return _of(schedule_id, "failing", f"{message}.", run_id=run_id)


def _unsent(now: datetime) -> Iterator[Trouble]:
    """Schedules whose time has come and that no beat has dealt with."""
    overdue = Schedule.objects.filter(next_run_at__lt=now - SOONEST).order_by("next_run_at")
    for pk, due_at, grace in overdue.values_list("id", "next_run_at", "alert_grace")[:LOOKED_AT]:
        if due_at is not None and now - due_at > _grace(grace):
            yield _of(pk, "late", f"Due at {due_at:%Y-%m-%d %H:%M:%S} UTC and not sent.")


def _late_to_start(now: datetime) -> tuple[list[Trouble], bool]:
    """Schedules with a run that was sent and that no worker has begun within the grace."""
    forgotten_at = now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
    queued = Run.objects.filter(
        state__in=QUEUED,
        due_at__lt=now - SOONEST,
        due_at__gt=forgotten_at,
        trigger__in=OF_BEAT,
        schedule__enabled=True,
    ).order_by("due_at")
    columns = ("schedule_id", "due_at", "schedule__alert_grace", "pk", "state")
    rows = list(queued.values_list(*columns)[:LOOKED_AT])
    found: dict[int, Trouble] = {}
    for schedule_id, due_at, grace, pk, state in rows:
        if schedule_id is not None and schedule_id not in found and now - due_at > _grace(grace):
            where = "no worker has begun it" if state != RunState.RECEIVED else "its worker has not begun it"
            message = f"Due at {due_at:%Y-%m-%d %H:%M:%S} UTC and {where}."
            found[schedule_id] = _of(schedule_id, "late", message, run_id=pk)
    return list(found.values()), len(rows) < LOOKED_AT


def _overlong(now: datetime) -> Iterator[Trouble]:
    """Schedules with a run that takes longer than its longest normal time."""
    running = Run.objects.filter(
        state=RunState.STARTED, schedule__enabled=True, schedule__max_duration__isnull=False
    )
    columns = ("schedule_id", "started_at", "schedule__max_duration", "pk")
    for schedule_id, started_at, most, pk in running.values_list(*columns)[:LOOKED_AT]:
        if schedule_id and started_at and most and now - started_at > timedelta(seconds=most):
            message = f"Running since {started_at:%Y-%m-%d %H:%M:%S} UTC, longer than {most} s."
            yield _of(schedule_id, "late", message, run_id=pk)


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
