"""Celery periodic schedules in Django: defined, dispatched once, watched."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "CurrentRun": "schedulerui.recorder.current",
    "ScheduledTask": "schedulerui.recorder.guard",
    "current_run": "schedulerui.recorder.current",
}
"""What tasks import from here, and where it lives: looked for when asked, since a host imports us before Django's apps are loaded."""


def __getattr__(name: str) -> Any:  # Any: a class and a function, whose types the modules of _HOMES tell
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)
