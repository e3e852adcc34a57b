"""How long to wait for what does not answer, and how often to say so."""

from __future__ import annotations

from dataclasses import dataclass

BACKOFF_FIRST = 0.1
"""Seconds to wait after the first failure of the broker or the database; doubled up to BACKOFF_MAX."""
BACKOFF_MAX = 0.5
"""Short, so that the first message goes within a second of their return: a refused connection costs next to nothing."""
TELL_EVERY = 60.0
"""Seconds between two lines of the log about the same outage."""


@dataclass(slots=True)
class Backoff:
    """Growing waits while something does not answer; ``reset`` when it does."""

    wait: float = 0.0
    told_at: float | None = None

    def is_news(self, monotonic: float) -> bool:
        """Whether to write it to the log: the first failure, and then once a TELL_EVERY."""
        if self.told_at is not None and monotonic - self.told_at < TELL_EVERY:
            return False
        self.told_at = monotonic
        return True

    def grow(self) -> float:
        self.wait = min(max(self.wait * 2, BACKOFF_FIRST), BACKOFF_MAX)
        return self.wait

    def reset(self) -> None:
        self.wait, self.told_at = 0.0, None
