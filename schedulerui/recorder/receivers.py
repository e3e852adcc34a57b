"""Celery's task signals as reports. Receivers never raise, and touch only messages that carry our header.

The main process sees received, revoked, unknown, and the failures of children that died or were killed; the children see the
rest. What the main process knows of a delivery travels to the child inside the request, so that both tell of the same one.
"""

from __future__ import annotations

import functools
import logging
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery.exceptions import Reject
from celery.utils.saferepr import saferepr

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.operations.reports import Report, clean
from schedulerui.recorder import identity
from schedulerui.recorder.writer import writer

logger = logging.getLogger(__name__)

HEADER = "schedulerui"
"""The header that dispatch puts on every message of ours; a retry keeps it."""
RECEIVED = "schedulerui_received"
"""Where the main process notes in the request when it came, for the child."""
BEGUN = "schedulerui_begun"
"""Where the executing process notes on its context when the body started: moment and monotonic seconds."""

RAISED = {RunState.IGNORED: "the task raised Ignore", RunState.REJECTED: "the task raised Reject"}
"""Reasons are our own words: everybody reads them. What a task says goes to ``exception``, for those who may see values."""

Receiver = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one request, in whichever form Celery hands it over, says of its delivery."""

    task_id: str
    attempt: int
    hostname: str
    received_at: datetime | None
    begun: tuple[datetime, float] | None

    @property
    def is_executing(self) -> bool:
        """Whether this process is the one that runs the body."""
        return self.begun is not None


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
    if not _is_ours(values):
        return
    moment = clock.now()
    values[RECEIVED] = moment.isoformat()
    _received[request.id] = request
    _send(_told(values), RunState.RECEIVED, moment=moment, wait=False)


@guarded
def on_prerun(*, task: Any, **_: Any) -> None:
    context = task.request
    if not _is_ours(context):
        return
    moment = clock.now()
    setattr(context, BEGUN, (moment, clock.monotonic()))
    if context.headers:
        # Celery took our note for a custom header, which a retry would carry along.
        context.headers.pop(RECEIVED, None)
    _send(_told(context), RunState.STARTED, moment=moment, pid=os.getpid())


@guarded
def on_success(*, sender: Any, result: Any = None, runtime: float | None = None, **_: Any) -> None:
    if _is_ours(sender.request):
        text = saferepr(result, maxlen=settings().RESULT_LIMIT)
        _send(_told(sender.request), RunState.SUCCEEDED, runtime=runtime, result=text)


@guarded
def on_retry(*, request: Any, reason: Any = None, einfo: Any = None, **_: Any) -> None:
    if _is_ours(request):
        cause = getattr(reason, "exc", None)
        _send(
            _told(request),
            RunState.RETRYING,
            reason=_again(reason),
            exception=_exception(cause) if cause is not None else _quoted(getattr(reason, "message", None)),
            traceback=_traceback(einfo),
        )


@guarded
def on_failure(*, sender: Any, task_id: str, exception: Any = None, einfo: Any = None, **_: Any) -> None:
    request = _request_of(sender, task_id)
    if request is None:
        return
    if isinstance(exception, Reject):
        _send(
            _told(request), RunState.REJECTED, reason=RAISED[RunState.REJECTED], exception=_raised(exception)
        )
        return
    _send(_told(request), RunState.FAILED, exception=_exception(exception), traceback=_traceback(einfo))


@guarded
def on_internal_error(*, request: Any = None, exception: Any = None, einfo: Any = None, **_: Any) -> None:
    """Celery itself failed around the body, for instance because the arguments cannot be decoded."""
    if request and _is_ours(request):
        _send(
            _told(request),
            RunState.FAILED,
            exception=_exception(exception),
            traceback=_traceback(einfo),
            wait=True,
        )


@guarded
def on_postrun(*, task: Any, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """Only here are Ignore and Reject told; a body that was killed comes with no state, and the main process knows better."""
    known = {"IGNORED": RunState.IGNORED, "REJECTED": RunState.REJECTED}.get(state or "")
    if known is not None and _is_ours(task.request):
        _send(_told(task.request), known, reason=RAISED[known], exception=_raised(retval))


@guarded
def on_revoked(
    *, request: Any, terminated: bool = False, signum: Any = None, expired: bool = False, **_: Any
) -> None:
    if not _is_ours(request):
        return
    if expired:
        _send(_told(request), RunState.EXPIRED, reason="it reached a worker after its expiry", wait=False)
        return
    reason = f"terminated ({signum})" if terminated else "revoked before it started"
    _send(_told(request), RunState.REVOKED, reason=reason, wait=False)


@guarded
def on_unknown(*, message: Any, name: str = "", **_: Any) -> None:
    if _is_ours(message.headers or {}):
        _send(
            _told(message.headers), RunState.REJECTED, reason=f"no worker knows the task {name}", wait=False
        )


@guarded
def on_rejected(*, message: Any, exc: Any = None, **_: Any) -> None:
    headers = message.headers or {}
    if _is_ours(headers) and headers.get("id"):
        told = _exception(exc) if exc is not None else ""
        reason = "the worker could not read the message"
        _send(_told(headers), RunState.REJECTED, reason=reason, exception=told, wait=False)


def _send(
    told: _Told, state: RunState, *, moment: datetime | None = None, wait: bool | None = None, **more: Any
) -> None:
    present = identity.present()
    if told.begun is not None and more.get("runtime") is None and state is not RunState.STARTED:
        more["runtime"] = clock.monotonic() - told.begun[1]
    for key in ("reason", "exception", "traceback", "result"):
        if key in more:
            more[key] = clean(more[key], limit=settings().TRACEBACK_LIMIT)
    report = Report(
        task_id=told.task_id,
        state=state,
        moment=moment or clock.now(),
        attempt=told.attempt,
        worker=told.hostname or (present.hostname if present else ""),
        instance=identity.instance(),
        received_at=told.received_at,
        started_at=told.begun[0] if told.begun else None,
        **more,
    )
    # The main process serves all children: it does not wait, unless it runs the body itself.
    writer().submit(report, wait=told.is_executing if wait is None else wait)


def _value(request: Any, key: str) -> Any:
    return request.get(key) if isinstance(request, Mapping) else getattr(request, key, None)


def _is_ours(request: Any) -> bool:
    return isinstance(_value(request, HEADER), Mapping)


def _told(request: Any) -> _Told:
    received = _value(request, RECEIVED)
    return _Told(
        task_id=str(_value(request, "id")),
        attempt=int(_value(request, "retries") or 0),
        hostname=str(_value(request, "hostname") or ""),
        received_at=datetime.fromisoformat(received).astimezone(UTC) if received else None,
        begun=_value(request, BEGUN),
    )


def _request_of(task: Any, task_id: str) -> Any | None:
    """Return the request of a failure: the one that executes here, else the one that the main process has received."""
    executing = task.request
    if executing.id == task_id:
        return executing if _is_ours(executing) else None
    request = _received.get(task_id)
    return None if request is None else request.request_dict


def _again(retry: Any) -> str:
    """Return in our own words why there will be another attempt, and when; ``retry`` is None when Celery cancelled it."""
    if retry is None:
        return "cancelled by Celery; the broker will deliver it again"
    when = getattr(retry, "when", None)
    words = "the task asked to be tried again"
    if isinstance(when, datetime):
        return f"{words} at {when:%Y-%m-%d %H:%M:%S %Z}".rstrip()
    if isinstance(when, int | float) and not isinstance(when, bool):
        return f"{words} in {when:g} s"
    return words


def _raised(error: Any) -> str:
    """Return what a task's Ignore or Reject says, with its name."""
    reason = getattr(error, "reason", None)
    return _exception(error) if reason is None else f"{type(error).__name__}: {_text(reason)}"


def _quoted(value: Any) -> str:
    return f"Retry: {_text(value)}" if value else ""


def _text(value: Any) -> str:
    return "" if value is None else clean(_str(value), limit=settings().RESULT_LIMIT)


def _str(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a task's own object may raise anything when asked for its text
        return f"<{type(value).__name__} that cannot be shown>"


def _exception(error: Any) -> str:
    text = _text(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback(einfo: Any) -> str:
    text = getattr(einfo, "traceback", None)
    return "" if text is None else clean(_str(text), limit=settings().TRACEBACK_LIMIT)
