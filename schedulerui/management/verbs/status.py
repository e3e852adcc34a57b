"""`status`: is it healthy, and if not, where to look; for a person, a probe or a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from schedulerui.clock import DatabaseClock
from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.management.verbs import tables
from schedulerui.models import Beat, Queue, Run, Schedule, Worker
from schedulerui.presenters import moments, processes
from schedulerui.presenters.processes import BeatRow, QueueRow, WorkerRow

HEALTHY, UNHEALTHY = 0, 1
RECENT = 200
"""Most processes of a kind that are looked at, newest first."""
IN_HAND = (RunState.RECEIVED, RunState.STARTED, RunState.RETRYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the database knows at ``at``."""

    at: datetime
    beats: list[BeatRow]
    workers: list[WorkerRow]
    queues: list[QueueRow]
    schedules: dict[str, int]
    runs: dict[str, int]

    @property
    def problems(self) -> list[str]:
        """Why this is not healthy; empty when it is."""
        ticking = [beat for beat in self.beats if beat.state.key in processes.ALIVE]
        if not ticking:
            return ["No beat is ticking: nothing is sent."]
        if all(beat.degraded for beat in ticking):
            return [f"No beat can work: {ticking[0].degraded}"]
        return []


def show(*, as_json: bool) -> tuple[str, int]:
    """Return the report as text or JSON, and the exit code: HEALTHY when a beat ticks and can work, else UNHEALTHY."""
    report = collect(now=DatabaseClock().now())
    text = json.dumps(_plain(report), indent=2) if as_json else _text(report)
    return text, UNHEALTHY if report.problems else HEALTHY


def collect(*, now: datetime) -> Report:
    """Ask the database, in five queries however many schedules and runs there are."""
    return Report(
        at=now,
        beats=processes.beat_rows(Beat.objects.order_by("-seen_at")[:RECENT], now=now),
        workers=[
            row
            for row in processes.worker_rows(Worker.objects.order_by("-seen_at")[:RECENT], now=now)
            if row.state.key != "stopped"
        ],
        queues=processes.queue_rows(Queue.objects.order_by("name")[:RECENT], now=now),
        schedules=_schedules(now=now),
        runs=_runs(),
    )


def _schedules(*, now: datetime) -> dict[str, int]:
    is_late = Q(next_run_at__lt=now - timedelta(seconds=settings().BEAT_STALE_AFTER))
    return Schedule.objects.aggregate(
        total=Count("pk"),
        on=Count("pk", filter=Q(enabled=True)),
        off=Count("pk", filter=Q(enabled=False)),
        in_error=Count("pk", filter=~Q(error="")),
        failing=Count("pk", filter=Q(enabled=True, state__failure_streak__gt=0)),
        overdue=Count("pk", filter=is_late),
    )


def _runs() -> dict[str, int]:
    counted = (RunState.PENDING, RunState.SENT, *IN_HAND)
    found = Run.objects.filter(state__in=[str(state) for state in counted]).order_by().values_list("state")
    by_state = dict(found.annotate(n=Count("pk")))
    return {
        "pending": by_state.get(str(RunState.PENDING), 0),
        "sent": by_state.get(str(RunState.SENT), 0),
        "running": sum(by_state.get(str(state), 0) for state in IN_HAND),
    }


def _plain(report: Report) -> dict[str, object]:
    def age(moment: datetime) -> float:
        return round((report.at - moment).total_seconds(), 3)

    return {
        "at": moments.iso(report.at),
        "healthy": not report.problems,
        "problems": report.problems,
        "schedules": report.schedules,
        "runs": report.runs,
        "beats": [
            {
                "name": beat.name, "state": beat.state.key, "seconds_since_tick": age(beat.seen_at),
                "lag": beat.lag, "dispatched": beat.dispatched, "degraded": beat.degraded,
            }
            for beat in report.beats
        ],
        "workers": [
            {
                "name": worker.hostname, "instance": str(worker.instance), "state": worker.state.key,
                "seconds_since_heartbeat": age(worker.seen_at), "active": worker.active,
            }
            for worker in report.workers
        ],
        "queues": [
            {
                "name": queue.name, "depth": queue.depth, "consumers": queue.consumers,
                "seconds_since_measured": age(queue.measured_at), "error": queue.error,
            }
            for queue in report.queues
        ],
    }  # fmt: skip


def _text(report: Report) -> str:
    counts = [
        ("schedules", ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in report.schedules.items())),
        ("runs", ", ".join(f"{n} {name}" for name, n in report.runs.items())),
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
