"""What tasks raise and return, as short text that every database takes; and why a run goes on, in our own words.

Reasons are our own words: everybody reads them. What a task says goes to ``exception``, for those who may see values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.operations.reports import clean

RAISED = {RunState.IGNORED: "the task raised Ignore", RunState.REJECTED: "the task raised Reject"}


def again(retry: Any) -> str:
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


def raised(error: Any) -> str:
    """Return what a task's Ignore or Reject says, with its name."""
    reason = getattr(error, "reason", None)
    return exception_text(error) if reason is None else f"{type(error).__name__}: {_text(reason)}"


def quoted(value: Any) -> str:
    return f"Retry: {_text(value)}" if value else ""


def _text(value: Any) -> str:
    return "" if value is None else clean(_str(value), limit=settings().RESULT_LIMIT)


def _str(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a task's own object may raise anything when asked for its text
        return f"<{type(value).__name__} that cannot be shown>"


def exception_text(error: Any) -> str:
    text = _text(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_text(einfo: Any) -> str:
    text = getattr(einfo, "traceback", None)
    return "" if text is None else clean(_str(text), limit=settings().TRACEBACK_LIMIT)
