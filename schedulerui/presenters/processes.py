"""Workers, beats and queues as the page about them shows them: how fresh, how busy, and what became of the dead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui.conf import settings
from schedulerui.models import Beat, Queue, Worker
from schedulerui.operations.beats import is_fresh
from schedulerui.operations.registered import is_missing
from schedulerui.operations.workers import state_of
from schedulerui.operations.zone_data import zone_data_version
from schedulerui.presenters.moments import stamp
from schedulerui.presenters.states import StateWord

WORDS: Mapping[str, tuple[Any, str, str]] = {
    "online": (gettext_lazy("Online"), "ok", "check"),
    "stale": (gettext_lazy("Silent"), "warn", "triangle"),
    "offline": (gettext_lazy("Offline"), "fail", "cross"),
    "died": (gettext_lazy("Died"), "fail", "cross"),
    "stopped": (gettext_lazy("Stopped"), "off", "dash"),
}
"""State of a process to (word, family of colours, icon)."""
CLOCK_TOLD = 0.1
"""Seconds by which clocks may differ without a word."""
CLOCK_OFF = 1.0
"""Seconds from which on the list says it too."""
LACKS_NAMED = 3
"""Most unknown tasks that a worker's line names."""
ALIVE = frozenset({"online", "stale"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One worker instance; a count that nobody told is None and shows as unknown."""

    instance: UUID
    short: str
    hostname: str
    pid: int
    state: StateWord
    sentence: str
    successor: UUID | None
    seen_at: datetime
    started_at: datetime
    pool: str
    pool_size: int | None
    prefetch: int | None
    active: int | None
    reserved: int | None
    processed: int | None
    load: float | None
    clock_offset: float | None
    queues: tuple[str, ...]
    software: tuple[tuple[str, str], ...]
    n_tasks: int
    lacks: tuple[str, ...] = ()
    """Tasks that schedules send to its queues and that it does not know."""

    @property
    def lacks_words(self) -> str:
        """Which those are, the first ones by name; empty where it knows all that come to it."""
        if not self.lacks:
            return ""
        named = ", ".join(self.lacks[:LACKS_NAMED])
        more = len(self.lacks) - LACKS_NAMED
        if more > 0:
            named = _("%(names)s and %(n)d more") % {"names": named, "n": more}
        return _("Its queues bring tasks that it does not know: %(names)s.") % {"names": named}

    @property
    def is_clock_off(self) -> bool:
        """Whether its clock differs enough from the database's to be told in a list."""
        return self.clock_offset is not None and abs(self.clock_offset) >= CLOCK_OFF

    @property
    def is_alive(self) -> bool:
        """Whether it may still run tasks."""
        return self.state.key in ALIVE

    @property
    def clock_words(self) -> str:
        """How its clock goes beside the database's; "—" where nobody told."""
        if self.clock_offset is None:
            return "—"
        if abs(self.clock_offset) < CLOCK_TOLD:
            return _("in step with the database")
        seconds = f"{abs(self.clock_offset):.1f}"
        if self.clock_offset > 0:
            return _("%(seconds)s s ahead of the database") % {"seconds": seconds}
        return _("%(seconds)s s behind the database") % {"seconds": seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatRow:
    """One beat process."""

    instance: UUID
    name: str
    state: StateWord
    seen_at: datetime
    started_at: datetime
    dispatched: int
    lag: float
    degraded: str
    other_zones: str
    """A sentence when it ticks with other zone data than these pages are computed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue as last measured; ``depth`` is None when it could not be."""

    name: str
    depth: int | None
    consumers: int | None
    measured_at: datetime
    error: str
    is_old: bool

    @property
    def is_stuck(self) -> bool:
        """Whether messages wait and nobody takes them."""
        return bool(self.depth) and self.consumers == 0


def process_state(key: str) -> StateWord:
    """Return the chip of a process's state."""
    word, family, icon = WORDS[key]
    return StateWord(key=key, word=str(word), family=family, icon=icon)


def worker_rows(
    workers: Iterable[Worker], *, now: datetime, needed: Mapping[str, frozenset[str]] | None = None
) -> list[WorkerRow]:
    """Return the lines of workers, the living first, then by name; each dead one knows its successor.

    ``needed``: the tasks that are sent to each queue.
    """
    known = sorted(workers, key=lambda worker: worker.started_at)
    rows = [
        replace(
            worker_row(worker, now=now, successor=_successor(worker, known)),
            lacks=_lacking(worker, needed or {}, now=now),
        )
        for worker in known
    ]
    return sorted(rows, key=lambda row: (not row.is_alive, row.hostname, -row.started_at.timestamp()))


def worker_row(worker: Worker, *, now: datetime, successor: Worker | None) -> WorkerRow:
    """Return the line of one worker instance."""
    state = str(state_of(worker, now))
    return WorkerRow(
        instance=worker.instance,
        short=short_id(worker.instance),
        hostname=worker.hostname,
        pid=worker.pid,
        state=process_state(state),
        sentence=_sentence(state, worker, successor) + _stranger(worker),
        successor=successor.instance if successor and state not in ALIVE else None,
        seen_at=worker.seen_at,
        started_at=worker.started_at,
        pool=worker.pool,
        pool_size=worker.pool_size,
        prefetch=worker.prefetch,
        active=worker.active,
        reserved=worker.reserved,
        processed=worker.processed,
        load=worker.load,
        clock_offset=worker.clock_offset,
        queues=tuple(str(queue) for queue in worker.queues),
        software=tuple(sorted((str(name), str(version)) for name, version in worker.software.items())),
        n_tasks=len(worker.tasks),
    )


def _lacking(worker: Worker, needed: Mapping[str, frozenset[str]], *, now: datetime) -> tuple[str, ...]:
    if str(state_of(worker, now)) not in ALIVE:
        return ()  # nothing comes to it
    known = frozenset(map(str, worker.tasks))
    wanted = frozenset[str]().union(*(needed.get(str(queue), frozenset()) for queue in worker.queues))
    return tuple(sorted(task for task in wanted if is_missing(task, known)))


def beat_rows(beats: Iterable[Beat], *, now: datetime) -> list[BeatRow]:
    """Return the lines of beats; one that has not ticked for a while is silent."""
    here = zone_data_version()
    return [
        BeatRow(
            instance=beat.instance,
            name=f"{beat.host}:{beat.pid}",
            state=process_state("online" if is_fresh(beat.seen_at, now=now) else "offline"),
            seen_at=beat.seen_at,
            started_at=beat.started_at,
            dispatched=beat.dispatched,
            lag=beat.lag,
            degraded=beat.degraded,
            other_zones=_other_zones(beat, here) if is_fresh(beat.seen_at, now=now) else "",
        )
        for beat in beats
    ]


def _other_zones(beat: Beat, here: str) -> str:
    there = str(beat.software.get("tzdata") or "")
    if there in ("", here):
        return ""
    return _(
        "It computes with zone data %(there)s, these pages with %(here)s: previews may differ from what it sends. "
        "Update the older one, restart it, then run “manage.py schedulerui recompute”."
    ) % {"there": there, "here": here}


def queue_rows(queues: Iterable[Queue], *, now: datetime) -> list[QueueRow]:
    """Return the lines of queues; a measurement older than three rounds of the monitor is marked."""
    limit = timedelta(seconds=3 * settings().MONITOR_EVERY)
    return [
        QueueRow(
            name=queue.name,
            depth=queue.depth if not queue.error else None,
            consumers=queue.consumers,
            measured_at=queue.measured_at,
            error=queue.error,
            is_old=now - queue.measured_at > limit,
        )
        for queue in queues
    ]


def known_tasks(workers: Iterable[Worker], *, now: datetime) -> frozenset[str]:
    """Return the tasks that living workers have registered; empty while none of them has told its tasks."""
    alive = (worker for worker in workers if str(state_of(worker, now)) in ALIVE)
    return frozenset(str(task) for worker in alive for task in worker.tasks)


def short_id(instance: UUID) -> str:
    """Return enough of an instance's id to tell two apart."""
    return instance.hex[:8]


def _successor(worker: Worker, known: list[Worker]) -> Worker | None:
    """Return the next instance that started under the same name; ``known`` is ordered by start."""
    later = (
        other for other in known if other.hostname == worker.hostname and other.started_at > worker.started_at
    )
    return next(later, None)


def _stranger(worker: Worker) -> str:
    if worker.heard_by != "events":
        return ""
    return " " + _("It does not load this app: known from its events alone, so what it runs is not recorded.")


def _sentence(state: str, worker: Worker, successor: Worker | None) -> str:
    seen = stamp(worker.seen_at)
    if state == "died":
        text = _("This instance died: no heartbeat since %(seen)s.") % {"seen": seen}
    elif state == "offline":
        text = _("No heartbeat since %(seen)s.") % {"seen": seen}
    elif state == "stopped" and worker.stopped_at:
        text = _("It was stopped at %(at)s.") % {"at": stamp(worker.stopped_at)}
    elif state == "stale":
        text = _("Its last heartbeat is late: %(seen)s.") % {"seen": seen}
    else:
        return ""
    if successor and state not in ALIVE:
        text += " " + _("Its successor is instance %(id)s.") % {"id": short_id(successor.instance)}
    return text
