"""A clock for intervals that never goes back: the database's, or as far as it ever was and the seconds since then.

Wall-clock kinds wait for the wall. An interval that is asked for every minute goes on every minute while the wall repeats an
hour; its next run would otherwise lie an hour ahead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=1)
"""A wall that is less than this behind is followed: clocks are slewed all the time."""
BELIEVED = timedelta(hours=2)
"""What other beats have seen counts up to this far ahead: a clock that was set to nonsense for a moment does not."""
STEP_TOLD = 60.0
"""Seconds; a clock that is set by more than this is news for people."""


class SteadyClock:
    """One beat's; told of each reading of the wall with the monotonic clock at that moment."""

    def __init__(self) -> None:
        self._furthest: datetime | None = None
        self._wall: datetime | None = None
        self._at = 0.0
        self.step = 0.0
        """By how many seconds the wall was set between the last two readings, forward or back; 0 when it only went on."""

    def remember(self, furthest: datetime | None, *, now: datetime, monotonic: float) -> None:
        """Begin where other beats have been, if that is ahead and believable."""
        if furthest is not None and TOLERANCE < furthest - now <= BELIEVED:
            self._furthest, self._at = furthest, monotonic

    def read(self, now: datetime, *, monotonic: float) -> datetime:
        """Return the moment for intervals; ``now`` unless the wall has gone back."""
        steady = now
        self._note_step(now, monotonic)
        if self._furthest is not None:
            steady = max(now, self._furthest + timedelta(seconds=max(monotonic - self._at, 0.0)))
        if steady - now <= TOLERANCE:
            steady = now
        self._furthest, self._at = steady, monotonic
        return steady

    def _note_step(self, now: datetime, monotonic: float) -> None:
        step = 0.0 if self._wall is None else (now - self._wall).total_seconds() - (monotonic - self._at)
        self.step = step if abs(step) > STEP_TOLD else 0.0
        self._wall = now
