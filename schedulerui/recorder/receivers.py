"""Celery's task signals as reports. Receivers never raise, and touch only messages that are recorded: ours, or RECORD_ALL's.

The main process sees received, revoked, unknown, and the failures of children that died or were killed; the children see the
rest. What the main process knows of a delivery travels to the child inside the request, so that both tell of the same one.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery.exceptions import Reject
from celery.utils.saferepr import saferepr

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.operations.reports import Report, clean
from schedulerui.recorder import identity, tail
from schedulerui.recorder.delivery import BEGUN, HEADER, RECEIVED, REFUSED, TAIL, is_ours, is_recorded, told
from schedulerui.recorder.wording import RAISED, again, exception_text, quoted, raised, traceback_text
from schedulerui.recorder.writer import writer

__all__ = ["BEGUN", "HEADER", "RECEIVED", "guarded"]

logger = logging.getLogger(__name__)

RECEIVED_AFTER = 0.25
"""Seconds after which a message that came is told of if its body has not begun."""

Receiver = Callable[..., None]

_pending = threading.local()
"""The report of this thread's last end, which nobody has waited for yet."""
_received: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
"""Requests of ours in the main process, for signals that bring only a task id; Celery lets go of them when they end."""


def guarded(receiver: Receiver) -> Receiver:
    """Return the receiver with every exception logged: recording must never be what breaks a task."""

    @functools.wraps(receiver)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            receiver(*args, **kwargs)
        except Exception:
            logger.exception(
                "recording failed", extra={"action": "recorder_error", "receiver": receiver.__name__}
            )

    return call


@guarded
def on_received(*, request: Any, **_: Any) -> None:
    values = request.request_dict
    if not is_recorded(values):
        return
    moment = clock.now()
    values[RECEIVED] = moment.isoformat()
    _received[request.id] = request
    report = _report(values, RunState.RECEIVED, moment=moment)
    # Most bodies begin at once, and their own report tells of this one too.
    writer().submit_later(report, after=RECEIVED_AFTER, is_moot=lambda: _has_begun(request))


@guarded
def on_prerun(*, task: Any, **_: Any) -> None:
    context = task.request
    if not is_recorded(context):
        return
    moment = clock.now()
    setattr(context, BEGUN, (moment, clock.monotonic()))
    if context.headers:
        # Celery took our note for a custom header, which a retry would carry along.
        context.headers.pop(RECEIVED, None)
    _settle()
    if not (getattr(task, "schedulerui_guards", False) and is_ours(context)):
        tell_start(task)
    setattr(context, TAIL, tail.begin(tell=functools.partial(_tell_log, context)))


@guarded
def tell_start(task: Any) -> None:
    """Tell that the body begins; the guard calls it once it has let the body begin."""
    begun = getattr(task.request, BEGUN, None)
    if begun is not None:
        # A body that acknowledges late and kills its process is told of by nobody else.
        _send(task.request, RunState.STARTED, moment=begun[0], waits=bool(task.acks_late))


@guarded
def _tell_log(request: Any) -> None:
    """Tell what the body has logged so far; while the writer is behind it waits for the end, which tells all of it."""
    begun = getattr(request, BEGUN, None)
    if begun is not None and not writer().is_behind:
        writer().take(_report(request, RunState.STARTED, moment=begun[0]))


@guarded
def on_success(*, sender: Any, result: Any = None, runtime: float | None = None, **_: Any) -> None:
    if is_recorded(sender.request):
        text = saferepr(result, maxlen=settings().RESULT_LIMIT)
        is_late = bool(sender.acks_late)
        _send(sender.request, RunState.SUCCEEDED, is_late=is_late, runtime=runtime, result=text)


@guarded
def on_retry(*, request: Any, reason: Any = None, einfo: Any = None, **_: Any) -> None:
    if is_recorded(request):
        cause = getattr(reason, "exc", None)
        _send(
            request,
            RunState.RETRYING,
            reason=again(reason),
            exception=exception_text(cause)
            if cause is not None
            else quoted(getattr(reason, "message", None)),
            traceback=traceback_text(einfo),
        )


@guarded
def on_failure(*, sender: Any, task_id: str, exception: Any = None, einfo: Any = None, **_: Any) -> None:
    request = _request_of(sender, task_id)
    if request is None:
        return
    if isinstance(exception, Reject):
        _send(request, RunState.REJECTED, reason=RAISED[RunState.REJECTED], exception=raised(exception))
        return
    _send(request, RunState.FAILED, exception=exception_text(exception), traceback=traceback_text(einfo))


@guarded
def on_internal_error(*, request: Any = None, exception: Any = None, einfo: Any = None, **_: Any) -> None:
    """Celery itself failed around the body, for instance because the arguments cannot be decoded."""
    if request and is_recorded(request):
        _send(
            request,
            RunState.FAILED,
            exception=exception_text(exception),
            traceback=traceback_text(einfo),
            waits=True,
        )


@guarded
def on_postrun(*, task: Any, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """Only here are Ignore and Reject told; a body that was killed comes with no state, and the main process knows better."""
    known = {"IGNORED": RunState.IGNORED, "REJECTED": RunState.REJECTED}.get(state or "")
    tail.end(getattr(task.request, TAIL, None))
    refused = getattr(task.request, REFUSED, None)
    if refused is not None:
        if refused.state is not None:
            _send(task.request, refused.state, reason=refused.reason)
        return
    if known is not None and is_recorded(task.request):
        _send(task.request, known, reason=RAISED[known], exception=raised(retval))


@guarded
def on_revoked(
    *, request: Any, terminated: bool = False, signum: Any = None, expired: bool = False, **_: Any
) -> None:
    if not is_recorded(request):
        return
    if expired:
        _send(request, RunState.EXPIRED, reason="it reached a worker after its expiry", waits=False)
        return
    reason = f"terminated ({signum})" if terminated else "revoked before it started"
    _send(request, RunState.REVOKED, reason=reason, waits=False)


@guarded
def on_unknown(*, message: Any, name: str = "", **_: Any) -> None:
    if is_recorded(message.headers or {}):
        _send(message.headers, RunState.REJECTED, reason=f"no worker knows the task {name}", waits=False)


@guarded
def on_rejected(*, message: Any, exc: Any = None, **_: Any) -> None:
    headers = message.headers or {}
    if is_recorded(headers) and headers.get("id"):
        told = exception_text(exc) if exc is not None else ""
        reason = "the worker could not read the message"
        _send(headers, RunState.REJECTED, reason=reason, exception=told, waits=False)


def _send(
    request: Any,
    state: RunState,
    *,
    moment: datetime | None = None,
    waits: bool | None = None,
    is_late: bool = True,
    **more: Any,
) -> None:
    """Hand a report to the writer; ``is_late``: the message is acknowledged after this, so the task waits for it itself."""
    report = _report(request, state, moment=moment, **more)
    # The main process serves all children: it does not wait, unless it runs the body itself.
    waits = report.started_at is not None if waits is None else waits
    if waits and not is_late:
        _pending.end = writer().take(report)
    else:
        writer().submit(report, patience=settings().RECORDER_PATIENCE if waits else 0.0)


def _settle() -> None:
    """Wait until the end of the task before, in this thread, is written: what kills the next one must not take it along."""
    before, _pending.end = getattr(_pending, "end", None), None
    if before is not None:
        writer().wait_for(before, patience=settings().RECORDER_PATIENCE)


def _report(request: Any, state: RunState, *, moment: datetime | None = None, **more: Any) -> Report:
    present, delivery = identity.present(), told(request)
    if delivery.begun is not None and more.get("runtime") is None and state is not RunState.STARTED:
        more["runtime"] = clock.monotonic() - delivery.begun[1]
    for key in ("reason", "exception", "traceback", "result"):
        if key in more:
            more[key] = clean(more[key], limit=settings().TRACEBACK_LIMIT)
    return Report(
        task_id=delivery.task_id,
        state=state,
        moment=moment or clock.now(),
        attempt=delivery.attempt,
        worker=delivery.hostname or (present.hostname if present else ""),
        instance=identity.instance(),
        received_at=delivery.received_at,
        started_at=delivery.begun[0] if delivery.begun else None,
        pid=os.getpid() if delivery.is_executing else None,
        unscheduled=delivery.unscheduled,
        log=tail.text_of(getattr(request, TAIL, None)),
        **more,
    )


def _has_begun(request: Any) -> bool:
    """Whether the pool has taken the request, so that the executing process tells of it."""
    return getattr(request, "time_start", None) is not None


def _request_of(task: Any, task_id: str) -> Any | None:
    """Return the request of a failure: the one that executes here, else the one that the main process has received."""
    executing = task.request
    if executing.id == task_id:
        return executing if is_recorded(executing) else None
    request = _received.get(task_id)
    return None if request is None else request.request_dict
