"""What is wrong with processes at a moment: beats that do not tick, queues that nobody empties."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import TextField
from django.db.models.functions import Cast

from schedulerui.canvas import leaves
from schedulerui.models import Beat, Queue, Schedule
from schedulerui.operations import beats, workers
from schedulerui.operations.troubles import LOOKED_AT, Findings, Trouble

MEASURED_WITHIN = timedelta(seconds=60)
"""A measurement that is older tells nothing of who takes from a queue now."""
CANVASES = 200
"""Most canvases whose parts are looked at."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """A task and what its schedule says of where its message goes: a queue, or (``is_keyed``) an exchange or a routing key."""

    task: str
    queue: str
    is_keyed: bool


QueueOf = Callable[[Addressed], str]
"""Tells the queue; empty when nobody can say."""


def of_beats(*, now: datetime) -> Findings:
    """Return one trouble when schedules are on and no beat can work; at most two queries."""
    newest = list(Beat.objects.order_by("-seen_at").values_list("seen_at", "degraded")[:50])
    ticking = [degraded for seen_at, degraded in newest if beats.is_fresh(seen_at, now=now)]
    if any(not degraded for degraded in ticking):
        return Findings()
    if not Schedule.objects.filter(next_run_at__isnull=False).exists():
        return Findings()
    if ticking:
        message = f"No beat can work: {ticking[0]}"
    elif newest:
        message = f"No beat has ticked since {newest[0][0]:%Y-%m-%d %H:%M:%S} UTC: nothing is sent."
    else:
        message = "No beat is running: nothing is sent."
    return Findings(troubles=(Trouble(key="beat", kind="beat", state="down", message=message[:500]),))


def of_queues(*, queue_of: QueueOf, now: datetime) -> Findings:
    """Return a trouble for each queue that enabled schedules send to and no living worker takes from; four queries.

    Where the broker counts consumers, as RabbitMQ does, it is believed. Elsewhere, a living worker that has not told its queues
    might take from any: then nothing is said.
    """
    needed = queues_needed(queue_of)
    told = list(workers.online(now=now).values_list("queues", flat=True)[:LOOKED_AT])
    taken = {str(queue) for queues in told for queue in queues}
    counted = _consumers(now)
    is_any_silent = any(not queues for queues in told)
    why = "no worker that is online takes from it" if told else "no worker is online"
    down = sorted(queue for queue in needed if not counted.get(queue, is_any_silent or queue in taken))
    return Findings(
        troubles=tuple(
            Trouble(
                key=f"queue:{queue}"[:220],
                kind="queue",
                state="down",
                message=f"Schedules send to the queue {queue} and {why}."[:500],
            )
            for queue in down
        )
    )


def queues_needed(queue_of: QueueOf) -> set[str]:
    """Return the queues that the enabled schedules send to, by what they name and by the app's routes; two queries."""
    return {queue for queue in {queue_of(asked) for asked in set(_asked())} if queue}


def _asked() -> Iterator[Addressed]:
    planned = Schedule.objects.filter(next_run_at__isnull=False).order_by()
    columns = ("task", "queue", "exchange", "routing_key")
    for task, queue, exchange, routing_key in planned.values_list(*columns).distinct()[:LOOKED_AT]:
        yield Addressed(task, queue, bool(exchange or routing_key))
    # As text: one damaged canvas must not take the alarms from all others, as a comparison of JSON would.
    texts = planned.annotate(text=Cast("canvas", TextField())).exclude(text__in=["{}", ""])
    for text, *named in texts.values_list("text", *columns[1:])[:CANVASES]:
        yield from _asked_by_parts(text, *named)


def _asked_by_parts(text: str, queue: str, exchange: str, routing_key: str) -> Iterator[Addressed]:
    try:
        parts = [(leaf.task, leaf.node.get("options") or {}) for leaf in leaves(json.loads(text))]
        for task, own in parts:
            is_keyed = bool(own.get("exchange") or own.get("routing_key") or exchange or routing_key)
            yield Addressed(task, str(own.get("queue") or queue), is_keyed)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return  # its page says that it is damaged


def _consumers(now: datetime) -> dict[str, int]:
    """Return how many take from each queue whose broker has told it of late."""
    fresh = Queue.objects.filter(measured_at__gte=now - MEASURED_WITHIN, error="", consumers__isnull=False)
    return {name: int(n or 0) for name, n in fresh.values_list("name", "consumers")[:LOOKED_AT]}
