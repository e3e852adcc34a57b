"""Workers that do not load our app: heard of by their events on the broker, and marked as such.

Only worker events are bound (``worker.#``): a flood of task events, or of task ids, never reaches this process. Each name costs one
small entry, and there are at most ``NAMES_MAX`` of them.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import Celery
from celery.events import EventReceiver

from schedulerui import clock, redis_client
from schedulerui.operations import workers
from schedulerui.operations.reports import clean
from schedulerui.operations.workers import Heartbeat

logger = logging.getLogger(__name__)

NAMES_MAX = 2_000
"""Most foreign workers that are kept; of more, those heard of first."""
LOAD_MAX = 1e6
"""A load average beyond this is nonsense."""
ROUTING_KEY = "worker.#"
NAMESPACE = uuid.UUID("1d6a0e6c-7c5e-5bb0-9a0e-2f1f5c1b7a55")
WAIT_FIRST, WAIT_MAX = 1.0, 30.0
"""Seconds between two tries to reach the broker: doubled each time."""
TIMEOUT = 2.0
"""Seconds to wait for a broker that does not answer: Redis would be waited for without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The last that one worker told of itself by events."""

    hostname: str
    pid: int
    active: int | None
    processed: int | None
    load: float | None
    software: Mapping[str, str]
    is_online: bool

    @property
    def instance(self) -> uuid.UUID:
        """The same for the same process, in every monitor: events carry no instance of ours."""
        return uuid.uuid5(NAMESPACE, f"{self.hostname}|{self.pid}")


class Ear:
    """Listens in a thread of its own, reconnects for ever, and hands over what it has heard when it is asked."""

    def __init__(self, celery_app: Callable[[], Celery]) -> None:
        self._app = celery_app
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedulerui-ear", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, *, within: float = 2.0) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(within)

    @property
    def is_listening(self) -> bool:
        """Whether its thread is there, which tries again for as long as it cannot listen."""
        return self._thread.is_alive()

    def take(self) -> list[Heard]:
        """Return what was heard since the last time."""
        with self._lock:
            heard, self._heard = list(self._heard.values()), {}
        return heard

    def hear(self, event: Mapping[str, Any]) -> None:
        """Keep one event; anything in it may be missing or hostile."""
        heard = heard_in(event)
        if heard is None:
            return
        with self._lock:
            if heard.hostname in self._heard or len(self._heard) < NAMES_MAX:
                self._heard[heard.hostname] = heard

    def _run(self) -> None:
        wait = WAIT_FIRST
        while not self._stopping.is_set():
            began = clock.monotonic()
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - each transport raises errors of its own, and the ear must outlive all
                logger.info("worker events cannot be heard: %s", error, extra={"action": "ear_deaf"})
            wait = WAIT_FIRST if clock.monotonic() - began > WAIT_MAX else min(wait * 2, WAIT_MAX)
            self._stopping.wait(wait)

    def _listen(self) -> None:
        celery_app = self._app()
        options = redis_client.reading(celery_app, within=TIMEOUT)
        with celery_app.connection_for_read(connect_timeout=TIMEOUT, transport_options=options) as connection:
            receiver = EventReceiver(
                connection, handlers={"*": self.hear}, routing_key=ROUTING_KEY, app=celery_app
            )
            # The tries are ours, which end with the monitor: kombu's own would go on for ever.
            receiver.connect_max_retries = 0
            context: Any = receiver.consumer_context()  # kombu's stubs take what it yields for one consumer
            with context as (used, _channel, _consumers):
                while not self._stopping.is_set():
                    try:
                        used.drain_events(timeout=1.0)
                    except TimeoutError:
                        continue


def heard_in(event: Mapping[str, Any]) -> Heard | None:
    """Return what a worker event tells; None for any other event, and for one without a name.

    ``worker-online`` is passed over: a worker that loads our app sends it before it writes its row.
    """
    kind, hostname = event.get("type"), event.get("hostname")
    if kind not in ("worker-heartbeat", "worker-offline") or not isinstance(hostname, str) or not hostname:
        return None
    return Heard(
        hostname=clean(hostname, limit=workers.NAME_MAX),
        pid=_number(event.get("pid")) or 0,
        active=_number(event.get("active")),
        processed=_number(event.get("processed")),
        load=_load(event.get("loadavg")),
        software=_software(event),
        is_online=kind != "worker-offline",
    )


def store(heard: list[Heard], *, now: datetime) -> int:
    """Write what was heard of workers that do not write their own rows; return how many there were."""
    own = workers.told_by_themselves({one.hostname for one in heard}, now=now)
    foreign = [one for one in heard if one.hostname not in own]
    for one in foreign:
        if one.is_online:
            workers.heartbeat(_heartbeat(one, now), now=now, heard_by="events")
        else:
            workers.goodbye(one.instance, now=now)
    return len(foreign)


def _heartbeat(one: Heard, now: datetime) -> Heartbeat:
    return Heartbeat(
        instance=one.instance,
        hostname=one.hostname,
        pid=one.pid,
        started_at=now,
        active=one.active,
        processed=one.processed,
        load=one.load,
        software=one.software,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _load(value: object) -> float | None:
    first = value[0] if isinstance(value, list | tuple) and value else None
    return float(first) if isinstance(first, int | float) and 0 <= first < LOAD_MAX else None


def _software(event: Mapping[str, Any]) -> dict[str, str]:
    names = {"sw_ident": "program", "sw_ver": "celery", "sw_sys": "system"}
    return {
        label: clean(str(event[name]), limit=60)
        for name, label in names.items()
        if isinstance(event.get(name), str)
    }
