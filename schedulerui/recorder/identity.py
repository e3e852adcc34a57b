"""Who this worker is: one instance from its start to its end, the same in the main process and in all its children."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime

VARIABLE = "SCHEDULERUI_WORKER_INSTANCE"
"""Carries the instance to pool processes that are spawned and not forked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One worker instance; ``pid`` is that of its main process."""

    instance: uuid.UUID
    hostname: str
    pid: int
    started_at: datetime


_identity: Identity | None = None


def begin(hostname: str, *, now: datetime) -> Identity:
    """Make a new instance for the worker that starts in this process, before it forks."""
    global _identity  # noqa: PLW0603 - a process is one worker; its children inherit this by fork
    _identity = Identity(instance=uuid.uuid4(), hostname=hostname, pid=os.getpid(), started_at=now)
    os.environ[VARIABLE] = str(_identity.instance)
    return _identity


def present() -> Identity | None:
    """Return the instance of the worker whose main process this is, or from which it was forked."""
    return _identity


def instance() -> uuid.UUID | None:
    """Return the instance's uuid, also in a spawned pool process; None where no worker has started."""
    if _identity is not None:
        return _identity.instance
    try:
        return uuid.UUID(os.environ.get(VARIABLE, ""))
    except ValueError:
        return None
