"""The heartbeat of one beat: a row that says it lives, how late it is and what it lacks."""

from __future__ import annotations

import logging
import math
import os
import platform
import socket
import uuid
from datetime import datetime

import celery
import django

from schedulerui import __version__
from schedulerui.clock import Clock, SystemClock
from schedulerui.error_text import without_passwords
from schedulerui.models import Beat
from schedulerui.operations.reports import clean
from schedulerui.operations.store import DJANGO, Store
from schedulerui.operations.zone_data import zone_data_version

logger = logging.getLogger(__name__)

LATENCY_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds of the stretches in which the lateness of messages is counted."""
REASON_MAX = 500
"""Most characters of what a beat says it lacks."""
STEP_SHOWN_FOR = 600.0
"""Seconds for which the heartbeat tells that the clock was set."""


def software() -> dict[str, str]:
    """Return the versions that decide about times and messages."""
    return {
        "schedulerui": __version__,
        "python": platform.python_version(),
        "celery": celery.__version__,
        "django": django.get_version(),
        "tzdata": zone_data_version(),
    }


class Heart:
    """Writes the Beat row at most every ``every`` seconds, and at once when the state changes."""

    def __init__(self, *, clock: Clock, every: float, store: Store = DJANGO, app: str = "") -> None:
        """``app``: the name of the Celery app whose code this beat takes schedules from."""
        self._clock, self._every, self._store = clock, every, store
        self._row: Beat | None = None
        self._app = app
        self._written_at = 0.0
        self._furthest: datetime | None = None
        self._degraded, self._is_dirty = "", False
        self._stepped_until = 0.0
        self._dispatched, self._lag = 0, 0.0
        self._latency: dict[str, float] = dict.fromkeys(map(str, [*LATENCY_BOUNDS, math.inf]), 0) | {
            "sum": 0.0
        }
        self._instance = uuid.uuid4()
        # A run's owner is this name: however long that of the machine is, it must tell two beats apart.
        self.name = f"{socket.gethostname()[:70]}:{os.getpid()}:{self._instance}"

    def beat(self, now: datetime) -> None:
        """Tell that this beat ticked at ``now`` (the database's clock)."""
        if self._stepped_until and self._clock.monotonic() > self._stepped_until:
            self._stepped_until = 0.0
            if self._degraded.startswith("clock: "):
                self.recover()
        if (
            self._row is not None
            and not self._is_dirty
            and self._clock.monotonic() - self._written_at < self._every
        ):
            return
        self.touch(now)

    def touch(self, now: datetime | None = None) -> None:
        """Write the row now; the first statement of every claim."""
        moment = now or self._clock.now()
        row = self._row or self._new_row(moment)
        row.seen_at = moment
        row.clock_seen_at = max(self._furthest or moment, moment)
        row.clock_offset = (moment - SystemClock().now()).total_seconds()
        row.latency = dict(self._latency)
        row.lag, row.dispatched, row.degraded = self._lag, self._dispatched, self._degraded
        if self._row is None or not self._store.tick_beat(row):
            row.pk = None
            self._store.register_beat(row)
        self._row = row
        self._written_at, self._is_dirty = self._clock.monotonic(), False

    def reached(self, furthest: datetime) -> None:
        """Note how far the clock for intervals has come."""
        self._furthest = furthest

    def degrade(self, reason: str) -> None:
        """Say why the beat cannot work as it should; written with the next heartbeat."""
        # What is no text would refuse each heartbeat, and so each claim, from then on.
        reason = " ".join(clean(without_passwords(reason), limit=REASON_MAX).split())
        if reason != self._degraded:
            self._degraded, self._is_dirty = reason, True

    def stepped(self, seconds: float) -> None:
        """Say that the clock was set, for STEP_SHOWN_FOR seconds."""
        if seconds > 0:
            reason = f"clock: it went forward by {seconds:.0f} s; what was due in between counts as late"
        else:
            reason = f"clock: it went back by {-seconds:.0f} s; intervals go on, what follows the wall waits until it has caught up"
        logger.warning(reason, extra={"action": "clock_stepped"})
        self.degrade(reason)
        self._stepped_until = self._clock.monotonic() + STEP_SHOWN_FOR

    def recover(self) -> None:
        """Say that all is well again."""
        if self._degraded:
            self._degraded, self._is_dirty = "", True

    def lag(self, seconds: float) -> None:
        """Note how late the last claim was."""
        self._lag = max(seconds, 0.0)

    def count(self, *, late: float | None = None) -> None:
        """Count one sent message; ``late``: seconds from its due time to the broker, where that means something."""
        self._dispatched += 1
        if late is not None:
            bound = next((bound for bound in LATENCY_BOUNDS if late <= bound), math.inf)
            self._latency[str(bound)] = self._latency.get(str(bound), 0) + 1
            self._latency["sum"] = self._latency.get("sum", 0.0) + max(late, 0.0)

    def stop(self) -> None:
        """Delete the row: an orderly end leaves no stale beat behind. Safe to call twice."""
        row, self._row = self._row, None
        if row is not None:
            self._store.sign_off_beat(row)

    def _new_row(self, moment: datetime) -> Beat:
        return Beat(
            instance=self._instance,
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            started_at=moment,
            seen_at=moment,
            software=software() | {"app": self._app},
        )
