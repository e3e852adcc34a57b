"""Which tasks the workers that are online have registered, and which schedules send others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Count, Max, Min, QuerySet, TextField
from django.db.models.functions import Cast, Concat

from schedulerui.canvas import Node, is_sound, leaves
from schedulerui.models import Schedule, Worker
from schedulerui.operations import workers
from schedulerui.operations.outages import Addressed, QueueOf

WORKERS = 200
"""Most workers that are asked what they know."""
TOLD = ("tasks", "seen_at", "started_at", "stopped_at", "died_at")
OWN = "celery."
"""How the names of the tasks begin that Celery registers in each worker, which therefore tells none of them."""
GROUPS = 2_000
"""Most different tasks and canvases that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A task that no worker knows: how many schedules send it, and the key of the first of them."""

    task: str
    n: int
    first: int
    since: datetime
    """Since when, as far as rows tell: the schedules' oldest change until ``aged`` has asked the workers' rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownTasks:
    """All of them; ``n_schedules`` were walked through."""

    tasks: tuple[Unknown, ...] = ()
    n_schedules: int = 0
    needed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The tasks that are sent to each queue, as far as it can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The tasks that workers which are online know, when a worker that knew one was last heard of, and when the oldest began."""

    known: frozenset[str]
    known_at: Mapping[str, datetime]
    began_at: datetime | None = None


def addressed(task: str, canvas: Node, *, queue: str, is_keyed: bool) -> list[Addressed]:
    """Return the tasks that a schedule sends with where each goes: a part of a canvas may name a queue of its own, or keys.

    Keys lead to whatever queues the broker has bound to them, also where a queue is named beside them.
    """
    if not canvas or not is_sound(canvas):
        return [Addressed(task, "" if is_keyed else queue, is_keyed)]
    found = []
    for leaf in leaves(canvas):
        own = leaf.node["options"]
        has_keys = is_keyed or bool(own.get("exchange") or own.get("routing_key"))
        found.append(Addressed(leaf.task, "" if has_keys else str(own.get("queue") or queue), has_keys))
    return found


def is_missing(task: str, known: Collection[str]) -> bool:
    """Return whether a task is not among those that are known; nobody can say so while none is, nor of Celery's own."""
    return bool(known) and task not in known and not str(task).startswith(OWN)  # SQLite keeps bytes too


def tasks_of(task: str, canvas: Node) -> list[str]:
    """Return the tasks that a schedule sends, each once: those of all parts of its canvas, or the one that it names."""
    if not canvas or not is_sound(canvas):
        return [task]
    return list(dict.fromkeys(leaf.task for leaf in leaves(canvas)))


def unknown_tasks(
    schedules: QuerySet[Schedule], *, known: Iterable[str], queue_of: QueueOf | None = None
) -> UnknownTasks:
    """Return the tasks of the schedules that are on and that are not ``known``; one query, a walk through all of them.

    ``queue_of`` tells where each is sent to, by the app's routes where nothing else does; without it ``needed`` is empty.
    """
    known = frozenset(known)
    counts: dict[str, Unknown] = {}
    asked: set[Addressed] = set()
    n_schedules = 0
    for sent, n, first, since in _groups(schedules):
        n_schedules += n
        asked.update(sent)
        for task in dict.fromkeys(each.task for each in sent):
            if is_missing(task, known):
                before = counts.get(task, Unknown(task=task, n=0, first=first, since=since))
                counts[task] = Unknown(
                    task=task,
                    n=before.n + n,
                    first=min(before.first, first),
                    since=min(before.since, since),
                )
    return UnknownTasks(
        tasks=tuple(sorted(counts.values(), key=lambda each: each.task)),
        n_schedules=n_schedules,
        needed=_needed(asked, queue_of) if queue_of else {},
    )


def _needed(asked: Iterable[Addressed], queue_of: QueueOf) -> dict[str, frozenset[str]]:
    """Return the tasks that are sent to each queue; those of which nobody can tell where they go are left out."""
    needed: dict[str, set[str]] = defaultdict(set)
    for each in asked:
        needed[queue_of(each)].add(each.task)
    return {queue: frozenset(tasks) for queue, tasks in needed.items() if queue}


def heard_of(*, now: datetime) -> Heard:
    """Return what the workers told that were heard of last; one query."""
    rows = list(Worker.objects.order_by("-seen_at").only(*TOLD)[:WORKERS])
    online = [each for each in rows if workers.state_of(each, now) in ("online", "stale")]
    known_at: dict[str, datetime] = {}
    for worker in reversed(rows):  # the one heard of last is the one that counts
        known_at |= dict.fromkeys(map(str, worker.tasks), worker.seen_at)
    return Heard(
        known=frozenset(str(name) for worker in online for name in worker.tasks),
        known_at=known_at,
        began_at=min((worker.started_at for worker in online), default=None),
    )


def aged(found: UnknownTasks, heard: Heard) -> UnknownTasks:
    """Return them with since when no worker knows each.

    A worker that knew it was last heard of then. Where no row tells of one: since the oldest worker that is online began,
    which knows it not, or since the schedules send it.
    """
    tasks = [
        replace(each, since=max(each.since, heard.known_at.get(each.task) or heard.began_at or each.since))
        for each in found.tasks
    ]
    return replace(found, tasks=tuple(tasks))


def _groups(schedules: QuerySet[Schedule]) -> Iterator[tuple[list[Addressed], int, int, datetime]]:
    """Yield for each group of schedules that send the same: its tasks, how many there are, the first one's key, the oldest change."""
    enabled = schedules.filter(enabled=True).order_by()
    # As text: one damaged canvas must not hide all others, as a comparison of JSON would.
    groups = enabled.annotate(text=Cast("canvas", TextField())).values_list("task", "text", "queue")
    told = groups.annotate(
        n=Count("pk"), first=Min("pk"), since=Min("updated_at"), keys=Max(Concat("exchange", "routing_key"))
    ).order_by("task")
    for task, text, queue, n, first, since, keys in told[:GROUPS]:
        yield addressed(str(task), _read(text), queue=str(queue), is_keyed=bool(keys)), n, first, since


def _read(text: str) -> Node:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}  # its page says that it is damaged
    return found if isinstance(found, dict) else {}
