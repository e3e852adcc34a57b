"""`status`: is it healthy, and if not, where to look; for a person, a probe or a script."""

from __future__ import annotations

import json

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import tables
from schedulerui.presenters import moments
from schedulerui.presenters.status import Report, collect, plain

HEALTHY, UNHEALTHY = 0, 1


def show(*, as_json: bool) -> tuple[str, int]:
    """Return the report as text or JSON, and the exit code: HEALTHY when a beat ticks and can work, else UNHEALTHY."""
    report = collect(now=DatabaseClock().now())
    text = json.dumps(plain(report), indent=2) if as_json else _text(report)
    return text, UNHEALTHY if report.problems else HEALTHY


def _text(report: Report) -> str:
    counts = [
        ("schedules", ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in report.schedules.items())),
        ("runs", ", ".join(f"{n} {name}" for name, n in report.runs.items())),
        ("alerts", ", ".join(f"{n} {name}" for name, n in report.alerts.items()) or "none"),
        (
            "monitor",
            moments.relative(report.monitor_seen_at, report.at)
            if report.monitor_seen_at
            else "none has ever looked",
        ),
    ]
    parts = [" ".join(report.problems) or "Healthy.", tables.facts(counts)]
    parts += [_beats(report), _workers(report), _queues(report)]
    return "\n\n".join(part for part in parts if part)


def _beats(report: Report) -> str:
    rows = [
        (
            beat.name,
            beat.state.word,
            moments.relative(beat.seen_at, report.at),
            beat.dispatched,
            beat.degraded,
        )
        for beat in report.beats
    ]
    return tables.table(("beat", "state", "last tick", "sent", "trouble"), rows) if rows else ""


def _workers(report: Report) -> str:
    rows = [
        (worker.hostname, worker.state.word, moments.relative(worker.seen_at, report.at), worker.active)
        for worker in report.workers
    ]
    return tables.table(("worker", "state", "heartbeat", "active"), rows) if rows else "No worker is known."


def _queues(report: Report) -> str:
    rows = [
        (
            queue.name,
            queue.depth,
            queue.consumers,
            moments.relative(queue.measured_at, report.at),
            queue.error,
        )
        for queue in report.queues
    ]
    return tables.table(("queue", "depth", "consumers", "measured", "trouble"), rows) if rows else ""
