"""What a run is told by all of its parts together: its counts, its times and its last words; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from schedulerui.facts import MAX_DELIVERY, RunState
from schedulerui.models import Part

STOPPED = (
    RunState.FAILED,
    RunState.REJECTED,
    RunState.EXPIRED,
    RunState.REVOKED,
    RunState.IGNORED,
    RunState.LOST,
)
"""Ends of a part that are its run's end, the one that says most first."""


def counts(parts: Sequence[Part]) -> tuple[int, int]:
    """Return the run's attempt and delivery: those of all parts together."""
    attempt = sum(row.progress // 10_000 for row in parts)
    delivery = 1 + sum(max(row.progress // 100 % 100, 1) - 1 for row in parts)
    return attempt, min(delivery, MAX_DELIVERY)


def times(parts: Sequence[Part]) -> dict[str, datetime | None]:
    """Return when the first of the parts was received, and when the first began."""
    return {
        name: min((moment for part in parts if (moment := getattr(part, name)) is not None), default=None)
        for name in ("received_at", "started_at")
    }


def ended_at(parts: Sequence[Part], usual: datetime) -> datetime:
    """Return when the last of the parts ended, ``usual`` if none of them tells."""
    return max((part.finished_at for part in parts if part.finished_at is not None), default=usual)


def between(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one moment to the other, None where one is not known."""
    return None if begin is None or end is None else max(0.0, (end - begin).total_seconds())


def said(parts: Sequence[Part], state: RunState) -> dict[str, object]:
    """Return what the run says of its end: the part that stopped it, or the result of its last task."""
    blank = {"reason": "", "result": "", "exception": "", "traceback": ""}
    if state is RunState.SUCCEEDED:
        return {**blank, "result": parts[-1].result}
    cause = next((part for part in parts if part.state == state), None)
    if state not in STOPPED or cause is None:
        return dict(blank)
    words = f"part {cause.position + 1} of {len(parts)}, {cause.task}: {cause.state}"
    reason = f"{words}: {cause.reason}" if cause.reason else words
    return {**blank, "reason": reason[:500], "exception": cause.exception, "traceback": cause.traceback}
