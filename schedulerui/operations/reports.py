"""What a worker tells of a run: one frozen report, safe to store and to spool. What tasks return and raise is hostile text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from schedulerui.error_text import storable
from schedulerui.facts import RunState

MOMENTS = ("moment", "received_at", "started_at")
CUT = "\n[... cut ...]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One step in the life of a run, as a worker saw it; moments are aware UTC, ``runtime`` is seconds.

    ``instance`` and ``received_at`` together name the delivery, so that a repeated report is not counted as another one.
    """

    task_id: str
    state: RunState
    moment: datetime
    attempt: int | None = None
    """Celery's retry number; None when the signal did not tell: then the run's present attempt is meant."""
    delivery: int | None = None
    """Which delivery is meant; None: the one that ``instance`` and ``received_at`` name, else the newest."""
    worker: str = ""
    instance: uuid.UUID | None = None
    pid: int | None = None
    received_at: datetime | None = None
    started_at: datetime | None = None
    runtime: float | None = None
    reason: str = ""
    result: str = ""
    exception: str = ""
    traceback: str = ""
    log: str = ""
    """The last lines that the body logged."""
    unscheduled: Mapping[str, str] | None = None
    """For a task that no schedule sent: its task, queue, args, kwargs and origin, of which a row can be made."""

    def encode(self) -> str:
        """Return one line of JSON."""
        values: dict[str, Any] = {
            key: value for key, value in asdict(self).items() if value not in (None, "")
        }
        for key in MOMENTS:
            if key in values:
                values[key] = values[key].isoformat()
        if self.instance is not None:
            values["instance"] = str(self.instance)
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def decode(cls, line: str) -> Report:
        """Return the report of one line; raises ValueError for anything that is not one."""
        try:
            values = dict(json.loads(line))
            for key in MOMENTS:
                if key in values:
                    values[key] = datetime.fromisoformat(values[key]).astimezone(UTC)
            if "instance" in values:
                values["instance"] = uuid.UUID(values["instance"])
            values["state"] = RunState(values["state"])
            if values.get("unscheduled"):
                values["unscheduled"] = {str(key): str(text) for key, text in values["unscheduled"].items()}
            known = {field.name for field in fields(cls)}
            return cls(**{key: value for key, value in values.items() if key in known})
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            message = f"not a report: {type(error).__name__}"
            raise ValueError(message) from error


def clean(text: str, *, limit: int) -> str:
    """Return at most ``limit`` characters that every database takes, cut in the middle.

    The beginning and the end both say something: of a traceback the end says most, of a result the beginning.
    """
    if limit <= 0:
        return ""
    if len(text) > limit:
        tail = (limit - len(CUT)) // 2
        text = text[: limit - tail - len(CUT)] + CUT + text[-tail:] if tail > 0 else text[:limit]
    return storable(text)
