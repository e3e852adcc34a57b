"""Seconds on a machine that does other things too: what somebody had to wait for a core is not what the code took.

Linux counts for each thread how long it ran and how long it was ready to run and had no core. Elsewhere nothing is taken off.
"""

from __future__ import annotations

import time
from pathlib import Path


def _counted(task: str) -> tuple[float, float]:
    """Seconds for which a thread ran, and for which it waited for a core; (0, 0) where nobody counts them."""
    try:
        ran, waited, *_rest = Path(f"/proc/{task}/schedstat").read_text(encoding="ascii").split()
    except OSError:
        return 0.0, 0.0
    return int(ran) / 1e9, int(waited) / 1e9


def seconds() -> float:
    """A clock for this thread that stands still while the thread waits for a core; only differences mean something."""
    return time.monotonic() - _counted("thread-self")[1]


def slowness(pid: int) -> float:
    """How many times as long as on a free machine everything took the main thread of a process: 1 at least."""
    ran, waited = _counted(str(pid))
    return (ran + waited) / ran if ran else 1.0
