"""Whether a body may begin here: asked by the guard task class in the process that would run it, right before it would."""

from __future__ import annotations

import logging
import os
import uuid
from dataclasses import dataclass
from typing import Any

from celery.exceptions import Ignore
from django.db import Error as DatabaseFault
from django.db import connection

from schedulerui import clock
from schedulerui.facts import RunState
from schedulerui.operations import starts
from schedulerui.operations.reports import Report
from schedulerui.recorder import identity, receivers
from schedulerui.recorder.delivery import BEGUN, HEADER, REFUSED, is_ours, told, value

logger = logging.getLogger(__name__)

IN_DOUBT = "the database could not say whether it had begun before, and it may begin once at most"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a body does not begin; ``state`` is what becomes of the run by that, None when nothing does."""

    reason: str
    state: RunState | None


def admit(task: Any) -> None:
    """Return when the body may begin; raises Ignore when it must not."""
    context = task.request
    if value(context, "is_eager") or not is_ours(context):
        return
    refusal = _judge(context)
    if refusal is None:
        receivers.tell_start(task)
        return
    setattr(context, BEGUN, None)
    setattr(context, REFUSED, refusal)
    logger.warning("run %s does not begin: %s", context.id, refusal.reason, extra={"action": "guard_refused"})
    raise Ignore(refusal.reason)


def _judge(context: Any) -> Refusal | None:
    header = value(context, HEADER)
    try:
        verdict = starts.begin(
            str(context.id),
            run=str(header.get("run")),
            token=f"{identity.instance()}:{uuid.uuid4().hex[:12]}",
            may_repeat=_may_repeat(context),
        )
        if verdict.is_duplicate:
            starts.drop(_dropped(context), reason=verdict.reason)
            return Refusal(verdict.reason, None)
    except DatabaseFault as error:
        return _in_doubt(context, error)
    return Refusal(verdict.reason, RunState.REVOKED) if verdict.reason else None


def _in_doubt(context: Any, error: Exception) -> Refusal | None:
    """Decide without the database: at least once means to run, at most once means not to."""
    if not connection.in_atomic_block:
        connection.close()
    if value(context, HEADER).get("delivery") != "at_most_once":
        logger.warning("run %s begins unguarded: %s", context.id, error, extra={"action": "guard_away"})
        return None
    return Refusal(IN_DOUBT, RunState.IGNORED)


def _may_repeat(context: Any) -> bool:
    """Whether the message says itself why it comes again: the broker redelivers it, or the task retries or replaces itself."""
    route = value(context, "delivery_info") or {}
    return bool(
        value(context, "retries") or route.get("redelivered") or value(context, "replaced_task_nesting")
    )


def _dropped(context: Any) -> Report:
    delivery = told(context)
    return Report(
        task_id=delivery.task_id,
        state=RunState.IGNORED,
        moment=clock.now(),
        attempt=delivery.attempt,
        worker=delivery.hostname,
        instance=identity.instance(),
        received_at=delivery.received_at,
        pid=os.getpid(),
    )
