"""Trying again what a schedule's run failed at: a run of its own, with an id of its own, which waits for its time.

Celery's own retry is better for what a task foresees; this one is for what it does not: a worker that died, a broker that took
nothing, an error that nobody thought of. Off unless the schedule says how often.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from schedulerui.facts import Delivery, RunState, Trigger, progress
from schedulerui.models import Run, Schedule
from schedulerui.planned import NAMESPACE, task_id

RETRIED = frozenset({RunState.FAILED, RunState.LOST, RunState.UNSENT})
BEGUN = frozenset({RunState.FAILED, RunState.LOST})
"""Those of them of which a body had begun."""
LONGEST = timedelta(days=1)
"""Longest wait between two tries, however often it was doubled."""
COPIED = (
    "schedule_id", "schedule_name", "schedule_version", "delivery_mode", "task", "args", "kwargs", "headers", "queue", "canvas",
    "nominal_at", "previous_nominal_at",
)  # fmt: skip


def follow(run: Run, state: RunState) -> None:
    """Make the next try of a run that has just ended so, or call off the one that a late success makes needless.

    Inside the transaction that wrote the end; the unique key of a try makes a second report of the same end do nothing.
    """
    if state is RunState.SUCCEEDED:
        _call_off(run)
    elif state in RETRIED and run.trigger in (Trigger.SCHEDULE, Trigger.RETRY):
        _try_again(run, state)


def key_of(first: uuid.UUID, number: int) -> str:
    """Return the unique key of one try."""
    return f"r:{first}:{number}"


def wait_before(number: int, *, first: int) -> timedelta:
    """Return how long the try of that number (from 1) waits: ``first`` seconds, doubled each time, at most a day."""
    return min(timedelta(seconds=first * 2 ** min(number - 1, 20)), LONGEST)


def next_try(ended: Run, schedule: Schedule, *, state: RunState) -> Run | None:
    """Return the next try of a run that has ended so, not saved; None when its schedule allows no more. No I/O.

    ``ended`` comes with the first run of its row of tries.
    """
    number = ended.retry_number + 1
    is_unknown = state is RunState.UNSENT and ended.delivery_mode == Delivery.AT_MOST_ONCE
    # Somebody, or a newer time, wanted the end of this one: that it came otherwise than as wished makes it no more wanted.
    is_unwanted = state in BEGUN and ended.cancel_requested_at is not None
    if number > schedule.retry_max or not schedule.enabled or is_unknown or is_unwanted:
        return None
    first = ended.retry_of or ended
    now = ended.finished_at or ended.due_at
    due_at = now + wait_before(number, first=schedule.retry_after)
    return Run(
        **{name: getattr(ended, name) for name in COPIED},
        key=key_of(first.uuid, number),
        trigger=Trigger.RETRY,
        retry_of=first,
        retry_number=number,
        due_at=due_at,
        created_at=now,
        task_id=_task_id(schedule.uuid, first, number),
        state=RunState.WAITING,
        progress=progress(RunState.WAITING),
        reason=f"tries again after a failure, {number} of {schedule.retry_max}",
        options=_options(ended, shift=due_at - ended.due_at),
    )


def _try_again(run: Run, state: RunState) -> None:
    limits = Schedule.objects.filter(pk=run.schedule_id or 0, enabled=True, retry_max__gt=0)
    schedule = limits.only("uuid", "enabled", "retry_max", "retry_after").first()
    if schedule is None:
        return
    again = next_try(Run.objects.select_related("retry_of").get(pk=run.pk), schedule, state=state)
    if again is None:
        return
    try:
        with transaction.atomic():
            again.save(force_insert=True)
    except IntegrityError:  # this end was told before
        return


def _call_off(run: Run) -> None:
    """Cancel a try that waits for a run which has succeeded after all."""
    waiting = Run.objects.filter(
        retry_of=run.retry_of_id or run.pk, trigger=Trigger.RETRY, state=RunState.WAITING
    )
    waiting.filter(retry_number__gt=run.retry_number).update(
        state=RunState.CANCELLED,
        progress=progress(RunState.CANCELLED),
        reason="the run before it has succeeded after all",
    )


def _task_id(schedule: uuid.UUID, first: Run, number: int) -> str:
    if first.nominal_at is not None:
        return task_id(schedule, nominal_at=first.nominal_at, retry=number)
    return str(uuid.uuid5(NAMESPACE, f"{first.uuid}|{number}"))


def _options(ended: Run, *, shift: timedelta) -> dict[str, Any]:
    """Return the send options; a message that expires does so as long after its own time."""
    options = dict(ended.options)
    expires = options.get("expires")
    if isinstance(expires, str):
        options["expires"] = (datetime.fromisoformat(expires) + shift).isoformat()
    return options
