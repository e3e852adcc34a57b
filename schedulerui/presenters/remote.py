"""What a worker answers when it is asked, as its page shows it: hostile text, odd shapes and gaps included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedulerui.presenters.blocks import tidied
from schedulerui.presenters.moments import duration
from schedulerui.presenters.values import printable, redact

LISTED = 50
"""Most tasks of a kind that are listed."""
SHOWN = 300
"""Most characters of one value."""
SETTINGS = (
    "task_acks_late", "task_reject_on_worker_lost", "task_acks_on_failure_or_timeout", "task_time_limit", "task_soft_time_limit",
    "task_default_rate_limit", "task_default_queue", "task_default_priority", "task_queue_max_priority", "task_create_missing_queues",
    "task_track_started", "task_ignore_result", "task_always_eager", "task_serializer", "accept_content", "result_expires",
    "worker_concurrency", "worker_pool", "worker_prefetch_multiplier", "worker_max_tasks_per_child", "worker_max_memory_per_child",
    "worker_enable_remote_control", "worker_send_task_events", "worker_cancel_long_running_tasks_on_connection_loss",
    "timezone", "enable_utc", "beat_max_loop_interval",
)  # fmt: skip
"""The settings of a worker that are shown: none that could hold a secret, whatever a host calls its own."""
KINDS: Mapping[str, Any] = {
    "active": _("Running"),
    "reserved": _("Received, not begun"),
    "scheduled": _("Waiting for its time"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task in a worker's hands."""

    kind: str
    name: str
    task_id: str
    started_at: datetime | None
    eta: str
    run: str
    """The address part of its run; empty for a task that is none of ours, or none that the person may know of."""
    values: str
    """Arguments as text; empty for people who may not see values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A worker's own account of this moment."""

    tasks: tuple[TaskLine, ...]
    n_more: int
    facts: tuple[tuple[Any, str], ...]
    counts: tuple[tuple[str, str], ...]
    """How many of each task it has run since its start."""
    settings: tuple[tuple[str, str], ...] = ()
    """Those of ``SETTINGS`` that its host has set."""


def task_ids_of(answers: Mapping[str, Any]) -> list[str]:
    """Return the ids of the tasks in the answers."""
    lines = [line for kind in KINDS for line in _lines(kind, answers.get(kind), with_values=False, runs={})]
    return [line.task_id for line in lines[:LISTED]]


def details_of(
    answers: Mapping[str, Any],
    *,
    with_values: bool,
    runs: Mapping[str, str],
    readable: frozenset[str] | None = None,
) -> Details:
    """Return the worker's answers; what has another shape than Celery's is left out. ``runs``: task id to a run's address part.

    ``readable``: the tasks alone whose arguments may be shown; None for all of them.
    """
    lines = [
        line if readable is None or line.task_id in readable else replace(line, values="")
        for kind in KINDS
        for line in _lines(kind, answers.get(kind), with_values=with_values, runs=runs)
    ]
    return Details(
        tasks=tuple(lines[:LISTED]),
        n_more=max(len(lines) - LISTED, 0),
        facts=tuple(_facts(answers.get("stats"))),
        counts=tuple(_counts(answers.get("stats"))),
        settings=tuple(_settings(answers.get("conf"))),
    )


def _lines(kind: str, told: Any, *, with_values: bool, runs: Mapping[str, str]) -> Iterator[TaskLine]:
    for item in told if isinstance(told, list) else ():
        request = _mapping(_mapping(item).get("request") or item)
        yield TaskLine(
            kind=str(KINDS[kind]),
            name=_text(request.get("name") or request.get("type")),
            task_id=_text(request.get("id")),
            started_at=_moment(request.get("time_start")),
            eta=_text(_mapping(item).get("eta")),
            run=runs.get(_text(request.get("id")), ""),
            values=_values(request) if with_values else "",
        )


def _values(request: Mapping[str, Any]) -> str:
    parts = [request.get("args") or [], request.get("kwargs") or {}]
    shown = (
        tidied(part) if isinstance(part, str) else json.dumps(redact(part), ensure_ascii=False, default=str)
        for part in parts
    )
    return _text(" ".join(shown))


def _facts(stats: Any) -> Iterator[tuple[Any, str]]:
    stats = _mapping(stats)
    if not stats:
        return
    pool, usage = _mapping(stats.get("pool")), _mapping(stats.get("rusage"))
    yield _("Uptime"), _seconds(stats.get("uptime"))
    yield _("Processes"), _listed(pool.get("processes") or pool.get("max-concurrency"))
    limit = pool.get("max-tasks-per-child")
    yield _("Tasks for a process"), str(_("no limit")) if limit == "N/A" else _text(limit)
    yield _("Prefetched"), _text(stats.get("prefetch_count"))
    yield _("Processor time"), _seconds(_sum(usage.get("utime"), usage.get("stime")))
    yield _("Largest memory"), _kibibytes(usage.get("maxrss"))


def _counts(stats: Any) -> Iterator[tuple[str, str]]:
    for name, n in list(_mapping(_mapping(stats).get("total")).items())[:LISTED]:
        yield _text(name), f"{n:,}" if isinstance(n, int) else _text(n)


def _settings(conf: Any) -> Iterator[tuple[str, str]]:
    known = _mapping(conf)
    for name in SETTINGS:
        value = known.get(name)
        if value is not None:
            yield name, _listed(value)
    visibility = _mapping(known.get("broker_transport_options")).get("visibility_timeout")
    if visibility is not None:
        yield "visibility_timeout", _text(visibility)


def _listed(value: object) -> str:
    return _text(", ".join(map(str, value[:LISTED])) if isinstance(value, list) else value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return "" if value is None else printable(str(value)[:SHOWN])


def _seconds(value: object) -> str:
    return duration(float(value)) if isinstance(value, int | float) else ""


def _kibibytes(value: object) -> str:
    return f"{value / 1024:,.0f} MiB" if isinstance(value, int | float) else ""


def _sum(*values: object) -> float | None:
    known = [value for value in values if isinstance(value, int | float)]
    return sum(known) if known else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
