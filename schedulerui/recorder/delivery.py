"""What a message says of itself, in whichever form Celery hands it over, and whether it is one to record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from schedulerui.conf import settings
from schedulerui.operations.masking import masked

HEADER = "schedulerui"
"""The header that dispatch puts on every message of ours; a retry keeps it."""
RECEIVED = "schedulerui_received"
"""Where the main process notes in the request when it came, for the child."""
BEGUN = "schedulerui_begun"
"""Where the executing process notes on its context when the body started: moment and monotonic seconds."""
TAIL = "schedulerui_tail"
"""Where the executing process keeps the last lines that the body logs."""

REFUSED = "schedulerui_refused"
"""Where the guard notes on the context why the body did not begin."""

TASK_ID_MAX = 64
TEXT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """What one request says of its delivery."""

    task_id: str
    attempt: int
    hostname: str
    received_at: datetime | None
    begun: tuple[datetime, float] | None
    unscheduled: Mapping[str, str] | None

    @property
    def is_executing(self) -> bool:
        """Whether this process is the one that runs the body."""
        return self.begun is not None


def value(request: Any, key: str) -> Any:
    """Return one value of a message's headers, a request's dictionary or a context; None when it is not there."""
    return request.get(key) if isinstance(request, Mapping) else getattr(request, key, None)


def is_ours(request: Any) -> bool:
    """Return whether dispatch sent it."""
    return isinstance(value(request, HEADER), Mapping)


def is_recorded(request: Any) -> bool:
    """Return whether it gets a row: one of ours, or one that RECORD_ALL names."""
    if is_ours(request):
        return True
    wanted = settings().RECORD_ALL
    if not wanted or value(request, "is_eager"):
        return False
    name, task_id = str(value(request, "task") or ""), value(request, "id")
    if not name or name.startswith("celery.") or not 0 < len(str(task_id or "")) <= TASK_ID_MAX:
        return False
    if isinstance(wanted, bool):
        return True
    return any(fnmatchcase(name, pattern) for pattern in ((wanted,) if isinstance(wanted, str) else wanted))


def told(request: Any) -> Told:
    """Read a request."""
    received = value(request, RECEIVED)
    return Told(
        task_id=str(value(request, "id")),
        attempt=int(value(request, "retries") or 0),
        hostname=str(value(request, "hostname") or ""),
        received_at=datetime.fromisoformat(received).astimezone(UTC) if received else None,
        begun=value(request, BEGUN),
        unscheduled=None if is_ours(request) else _unscheduled(request),
    )


def _unscheduled(request: Any) -> Mapping[str, str]:
    """Return what the row of a task that no schedule sent is made of; its arguments as Celery's own short text of them."""
    route = value(request, "delivery_info")
    found = {
        "task": value(request, "task"),
        "queue": route.get("routing_key") if isinstance(route, Mapping) else None,
        "args": masked(str(value(request, "argsrepr") or "")),
        "kwargs": masked(str(value(request, "kwargsrepr") or "")),
        "origin": value(request, "origin"),
    }
    return {key: str(text)[:TEXT_MAX] for key, text in found.items() if text}
