"""What one simulated beat is made of: its clocks, its broker, and what a mutation may put in their place."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from schedulerui import dispatch
from schedulerui.beat.loop import Loop
from schedulerui.conf import Settings
from schedulerui.models import Run
from tests.simulation.memory import MemoryStore

if TYPE_CHECKING:
    from tests.simulation.beats import World

LEASE = 30.0
OPTIONS = Settings(DISPATCH_LEASE=LEASE, CLAIM_BATCH=20, MANUAL_SEND_WITHIN=60.0)


WORK = ("work",) * 8


class Crash(BaseException):
    """kill -9: nothing of the beat's own runs after it."""


@dataclass(eq=False)
class Beat:
    """One process."""

    name: str
    greenlet: Any = None
    wakes_at: float = 0.0
    frozen_since: float | None = None
    is_dead: bool = False
    store: MemoryStore | None = None
    loop: Loop | None = None
    about_to: tuple[str, str] = ("sleep", "")


class BeatClock:
    """The clocks as one beat reads them."""

    def __init__(self, world: World, beat: Beat) -> None:
        self.world, self.beat = world, beat

    def now(self) -> datetime:
        self.world.step(self.beat, "clock", "wall")
        wall = self.world.wall()
        self.world.watch.saw_wall(self.beat.name, wall, self.world.true)
        return wall

    def monotonic(self) -> float:
        self.world.step(self.beat, "clock", "monotonic")
        self.world.watch.saw_monotonic(self.beat.name, self.world.true)
        return self.world.true


class BeatBroker:
    """The broker as one beat reaches it: in two of three histories it takes messages by the batch."""

    def __init__(self, world: World, beat: Beat) -> None:
        self.world, self.beat = world, beat
        self.is_batching = world.seed % 3 > 0
        self.batch: list[Run] = []

    def connect(self) -> object:
        if self.world.step(self.beat, "connect", "") == "refused":
            raise dispatch.BrokerUnavailable("refused")
        return object()

    def publish(self, run: Run, *, producer: object) -> bool:
        if self.is_batching:
            self.batch.append(run)
        else:
            self._take(run)
        return self.is_batching

    def flush(self, *, producer: object) -> None:
        batch, self.batch = self.batch, []
        for place, run in enumerate(batch):
            try:
                self._take(run)
            except dispatch.BrokerUnavailable as error:
                rest = range(place, len(batch))
                lost = (
                    {"refused": rest, "in_doubt": ()}
                    if str(error) == "refused"
                    else {"refused": (), "in_doubt": rest}
                )
                raise dispatch.NotAllTaken(str(error), **lost) from error

    def forget(self, *, producer: object) -> None:
        self.batch.clear()

    def _take(self, run: Run) -> None:
        fault = self.world.step(self.beat, "publish", f"{run.pk}")
        if fault == "refused":
            raise dispatch.BrokerUnavailable("refused")
        self.world.watch.published(self.beat.name, run)
        if fault == "taken and raised":
            raise dispatch.BrokerUnavailable("went away while it took it")

    def disconnect(self, producer: object) -> None:
        self.batch.clear()


@dataclass
class Making:
    """How a world is made; a mutation puts something else in one of these places."""

    store: type[MemoryStore] = MemoryStore
    clock: Callable[[World, Beat], Any] = BeatClock
    broker: Callable[[World, Beat], Any] = BeatBroker
    has_unique_key: bool = True
    rates: tuple[float, ...] = (0.002, 0.01, 0.03)
    """How likely a step is to crash or freeze."""
    freezes: tuple[float, ...] = (1.0, 14.0, 29.0, 32.0, 70.0)
    fields: Mapping[str, object] = field(default_factory=dict)
    """What all schedules have in common."""
    lingers: tuple[str, ...] = ()
    """Before these steps a beat stands still now and then, for one of ``freezes``: so that others get in between."""
    deadly: tuple[str, ...] = ()
    """Before these steps a beat crashes often."""
    beats: tuple[int, ...] = (1, 2, 3, 4)
    """How many beats there may be."""
    paces: tuple[float, ...] = (0.0, 0.0, 0.001, 0.003, 0.02, 0.5)
    """Seconds that a step takes in trouble; none takes long in peace."""
    verbs: tuple[str, ...] = (
        "edit",
        "edit",
        "switch",
        "pause",
        "run_now",
        "cancel",
        "rewind",
        "set_clock",
        *WORK,
    )
    people: float = 0.06
    """How likely people do something before a step."""


class NoSession:
    """Nothing to prepare."""

    def tell(self) -> None:
        return None

    def drop(self) -> None:
        return None


@contextmanager
def quiet() -> Iterator[None]:
    """Without logs, and with the signals as they were: a beat that ends in the middle of a publish leaves them held."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
