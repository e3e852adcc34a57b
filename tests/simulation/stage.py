"""What the verbs of people and of workers find: the rows of a world, who watches them, a seed and a clock."""

from __future__ import annotations

import random
from datetime import datetime

from schedulerui.facts import RunState
from schedulerui.models import Run
from tests.simulation.invariants import Watch
from tests.simulation.processes import Making
from tests.simulation.tables import Database


class Stage:
    """A world as its verbs see it."""

    db: Database
    watch: Watch
    making: Making
    choose: random.Random
    offset: float

    def wall(self) -> datetime:
        raise NotImplementedError

    def note(self, who: str, what: str, fault: str = "") -> None:
        raise NotImplementedError

    def _store_run(self, run: Run, state: RunState, **values: object) -> Run:
        raise NotImplementedError

    def _is_held(self, key: tuple[str, int]) -> bool:
        """Whether a beat is just writing this row: whoever wants to write it too waits, and comes another time."""
        return any(key in transaction.writes for transaction in self.db.open)
