"""Runs whose messages failed as if the broker were away: whether it is the broker or the message, the other messages tell.

A route, a task's own ``apply_async`` or a result backend may raise what a lost broker raises. Such a message must neither hold up
the others nor be tried for ever.
"""

from __future__ import annotations

GIVEN_UP_AFTER = 5
"""Failures of one message, with others sent in between, after which it is the message."""
WAIT_MAX = 30.0
"""Longest time in seconds between two tries."""
KNOWN_MAX = 10_000


class Suspects:
    """What one beat remembers; another one finds out by itself."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def __contains__(self, pk: int) -> bool:
        """Whether it has failed more than once: then it goes by itself."""
        return pk in self._known and self._known[pk][0] > 1

    def blame(self, pk: int, *, n_sent: int) -> None:
        """Note that it failed when this beat had sent ``n_sent`` messages in all."""
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        n_tries, n_blamed, seen = self._known.get(pk, (0, 0, -1))
        self._known[pk] = (n_tries + 1, n_blamed + (n_sent > seen), n_sent)

    def is_guilty(self, pk: int) -> bool:
        """Return whether the broker has taken others again and again, and never this one."""
        return pk in self._known and self._known[pk][1] >= GIVEN_UP_AFTER

    def wait(self, pk: int) -> float:
        """Return the seconds until it should be prepared again, which failed before the broker was asked."""
        n_tries = self._known.get(pk, (0, 0, 0))[0]
        return min(2.0 ** (n_tries - 1), WAIT_MAX) if n_tries > 1 else 0.0

    def patience(self, pk: int) -> float:
        """Return the seconds until the broker should be asked again to take it: none while it takes no other either."""
        n_blamed = self._known.get(pk, (0, 0, 0))[1]
        return min(2.0 ** (n_blamed - 1), WAIT_MAX) if n_blamed > 1 else 0.0

    def forget(self, pk: int) -> None:
        """Clear it."""
        self._known.pop(pk, None)
