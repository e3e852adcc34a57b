"""Which workers are alive: heartbeats by instance, goodbyes, and deaths that nobody told."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from schedulerui.conf import settings
from schedulerui.models import Worker
from schedulerui.operations.reports import clean

KEEP = timedelta(hours=24)
"""For how long the row of a worker that is gone is kept."""
NAME_MAX = 255
POOL_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a worker's main process tells of itself; a number that it does not know is None, never zero."""

    instance: uuid.UUID
    hostname: str
    pid: int
    started_at: datetime
    pool: str = ""
    pool_size: int | None = None
    prefetch: int | None = None
    queues: tuple[str, ...] = ()
    active: int | None = None
    reserved: int | None = None
    processed: int | None = None
    load: float | None = None
    """The host's load average over one minute."""
    clock_offset: float | None = None
    """This host's clock minus the database's, seconds."""
    tasks: tuple[str, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)


def heartbeat(told: Heartbeat, *, now: datetime, heard_by: str = "recorder") -> bool:
    """Write what the worker told; return True for the first time that this instance is heard of.

    ``heard_by``: ``recorder`` when it writes its own row, ``events`` when a monitor heard of it on the broker.

    A new instance means that an older one of the same name is gone; one that was taken for dead and tells again is alive.
    """
    changing: dict[str, object] = {
        "seen_at": now,
        "died_at": None,
        "pool": clean(told.pool, limit=POOL_MAX),
        "pool_size": told.pool_size,
        "prefetch": told.prefetch,
        "queues": list(told.queues),
        "active": told.active,
        "reserved": told.reserved,
        "processed": told.processed,
        "load": told.load,
        "clock_offset": told.clock_offset,
        "heard_by": heard_by,
    }
    mine = Worker.objects.filter(instance=told.instance)
    if mine.update(**changing):
        return False
    hostname = clean(told.hostname, limit=NAME_MAX)
    try:
        with transaction.atomic():
            Worker.objects.create(
                instance=told.instance,
                hostname=hostname,
                pid=told.pid,
                started_at=told.started_at,
                tasks=list(told.tasks),
                software=dict(told.software),
                **changing,
            )
            if heard_by == "recorder":
                Worker.objects.filter(hostname=hostname, heard_by="events").delete()
            living().filter(hostname=hostname).exclude(instance=told.instance).update(died_at=now)
    except IntegrityError:
        # Two writers of one process; the other was first.
        mine.update(**changing)
        return False
    return True


def told_by_themselves(hostnames: set[str], *, now: datetime) -> set[str]:
    """Return those of the names under which a worker has written its own row within a day."""
    own = Worker.objects.filter(hostname__in=hostnames, heard_by="recorder", seen_at__gt=now - KEEP)
    return set(own.values_list("hostname", flat=True))


def goodbye(instance: uuid.UUID, *, now: datetime) -> bool:
    """Write that this instance has ended in an orderly way; return whether it was known."""
    mine = Worker.objects.filter(instance=instance, stopped_at__isnull=True)
    return bool(mine.update(seen_at=now, stopped_at=now, died_at=None, active=0, reserved=0))


def living() -> QuerySet[Worker]:
    """Return the workers that have neither said goodbye nor been declared dead, however long ago they were heard of."""
    return Worker.objects.filter(died_at__isnull=True, stopped_at__isnull=True)


def online(*, now: datetime) -> QuerySet[Worker]:
    """Return the workers that live and were heard of within ``WORKER_OFFLINE_AFTER`` seconds."""
    return living().filter(seen_at__gte=now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER))


def declare_dead(now: datetime) -> int:
    """Mark those that have not been heard of for ``WORKER_OFFLINE_AFTER`` seconds; return how many."""
    before = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    return living().filter(seen_at__lt=before).update(died_at=now)


def state_of(worker: Worker, now: datetime) -> str:
    """Return online, stale, offline, died or stopped."""
    if worker.stopped_at is not None:
        return "stopped"
    if worker.died_at is not None:
        return "died"
    age = (now - worker.seen_at).total_seconds()
    limits = settings()
    if age <= limits.WORKER_STALE_AFTER:
        return "online"
    return "stale" if age <= limits.WORKER_OFFLINE_AFTER else "offline"


def purge(*, now: datetime, older_than: timedelta = KEEP) -> int:
    """Delete the rows of workers not heard of for ``older_than``; return how many."""
    deleted, _ = Worker.objects.filter(seen_at__lt=now - older_than).delete()
    return deleted
