"""Which tasks the workers that are online have registered, and which schedules send others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, QuerySet, TextField
from django.db.models.functions import Cast

from schedulerui.canvas import Node, is_sound, leaves
from schedulerui.models import Schedule
from schedulerui.operations import workers

WORKERS = 200
"""Most workers that are asked what they know."""
GROUPS = 2_000
"""Most different tasks and canvases that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A task that no worker knows: how many schedules send it, and the key of the first of them."""

    task: str
    n: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownTasks:
    """All of them; ``n_schedules`` were walked through."""

    tasks: tuple[Unknown, ...] = ()
    n_schedules: int = 0


def registered_now(*, now: datetime) -> frozenset[str]:
    """Return the tasks that workers which are online told; empty when nobody told any, and nobody can say what is unknown."""
    told = workers.online(now=now).order_by("-seen_at").values_list("tasks", flat=True)[:WORKERS]
    return frozenset(str(name) for names in told for name in names)


def tasks_of(task: str, canvas: Node) -> list[str]:
    """Return the tasks that a schedule sends, each once: those of all parts of its canvas, or the one that it names."""
    if not canvas or not is_sound(canvas):
        return [task]
    return list(dict.fromkeys(leaf.task for leaf in leaves(canvas)))


def unknown_tasks(schedules: QuerySet[Schedule], *, known: Iterable[str]) -> UnknownTasks:
    """Return the tasks of the schedules that are on and that are not ``known``; one query, a walk through all of them."""
    known = frozenset(known)
    counts: dict[str, Unknown] = {}
    n_schedules = 0
    for sent, n, first in _groups(schedules):
        n_schedules += n
        for task in sent:
            if task not in known:
                before = counts.get(task, Unknown(task=task, n=0, first=first))
                counts[task] = Unknown(task=task, n=before.n + n, first=min(before.first, first))
    return UnknownTasks(
        tasks=tuple(sorted(counts.values(), key=lambda each: each.task)), n_schedules=n_schedules
    )


def _groups(schedules: QuerySet[Schedule]) -> Iterator[tuple[list[str], int, int]]:
    """Yield for each group of schedules that send the same: its tasks, how many there are, and the first one's key."""
    enabled = schedules.filter(enabled=True).order_by()
    # As text: one damaged canvas must not hide all others, as a comparison of JSON would.
    groups = enabled.annotate(text=Cast("canvas", TextField())).values_list("task", "text")
    for task, text, n, first in groups.annotate(n=Count("pk"), first=Min("pk")).order_by("task")[:GROUPS]:
        yield tasks_of(task, _read(text)), n, first


def _read(text: str) -> Node:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}  # its page says that it is damaged
    return found if isinstance(found, dict) else {}
