"""The scan of the invariants, round by round through the whole table."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from schedulerui.operations import scanner
from schedulerui.operations.scanner import Found, Invariant

logger = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two scans."""
SCHEDULES_A_SCAN = 200
"""Schedules whose times one scan compares with their rows; the next scan goes on after them."""


NONE = Found(invariant=Invariant.UNACCOUNTED)


class Scans:
    """Scans in turn. Times without a row stay shown until a whole pass through the table has found none."""

    def __init__(self) -> None:
        self._after = 0
        self._this_pass, self._last_pass = NONE, NONE

    def scan(self, now: datetime) -> int:
        """Scan, keep what was seen for the overview, and return how much is broken."""
        scanned = scanner.scan(now=now, after=self._after, limit=SCHEDULES_A_SCAN)
        found = [
            self._shown(each) if each.invariant is Invariant.UNACCOUNTED else each for each in scanned.found
        ]
        scanner.store(found, at=now)
        self._after = scanned.next_after
        if not self._after:
            self._this_pass, self._last_pass = NONE, self._this_pass
        for each in found:
            if each.n:
                logger.warning(
                    "invariant %s is broken %d times", each.invariant, each.n, extra={"action": "invariant"}
                )
        return sum(each.n for each in found)

    def _shown(self, found: Found) -> Found:
        so_far = self._this_pass
        self._this_pass = replace(
            so_far,
            n=so_far.n + found.n,
            is_lower_bound=so_far.is_lower_bound or found.is_lower_bound,
            examples=(so_far.examples + found.examples)[: scanner.EXAMPLES_MAX],
        )
        return self._this_pass if self._this_pass.n else self._last_pass
