"""Is it healthy, and what does the database know: for a terminal, a probe and a script alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q

from schedulerui.conf import settings
from schedulerui.facts import FAILING, WITH_WORKER, RunState
from schedulerui.models import Alert, Beat, Finding, Queue, Run, Schedule, Worker
from schedulerui.presenters import moments, processes
from schedulerui.presenters.processes import BeatRow, QueueRow, WorkerRow

RECENT = 200
"""Most processes of a kind that are looked at, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the database knows at ``at``."""

    at: datetime
    beats: list[BeatRow]
    workers: list[WorkerRow]
    queues: list[QueueRow]
    schedules: dict[str, int]
    runs: dict[str, int]
    alerts: dict[str, int]
    monitor_seen_at: datetime | None = None
    """When a monitor last scanned; it does each minute. None: never."""

    @property
    def problems(self) -> list[str]:
        """Why this is not healthy; empty when it is."""
        ticking = [beat for beat in self.beats if beat.state.key in processes.ALIVE]
        if not ticking:
            return ["No beat is ticking: nothing is sent."]
        if all(beat.degraded for beat in ticking):
            return [f"No beat can work: {ticking[0].degraded}"]
        return []


def collect(*, now: datetime) -> Report:
    """Ask the database, in seven queries however many schedules and runs there are."""
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
        alerts=_alerts(),
        monitor_seen_at=Finding.objects.aggregate(at=Max("checked_at"))["at"],
    )


def _schedules(*, now: datetime) -> dict[str, int]:
    is_late = Q(next_run_at__lt=now - timedelta(seconds=settings().BEAT_STALE_AFTER))
    return Schedule.objects.aggregate(
        total=Count("pk"),
        on=Count("pk", filter=Q(enabled=True)),
        off=Count("pk", filter=Q(enabled=False)),
        in_error=Count("pk", filter=~Q(error="")),
        failing=Count("pk", filter=Q(enabled=True, state__last_state__in=FAILING)),
        overdue=Count("pk", filter=is_late),
    )


def _runs() -> dict[str, int]:
    counted = (RunState.PENDING, RunState.SENT, *WITH_WORKER)
    found = Run.objects.filter(state__in=[str(state) for state in counted]).order_by().values_list("state")
    by_state = dict(found.annotate(n=Count("pk")))
    return {
        "pending": by_state.get(str(RunState.PENDING), 0),
        "sent": by_state.get(str(RunState.SENT), 0),
        "running": sum(by_state.get(str(state), 0) for state in WITH_WORKER),
    }


def plain(report: Report) -> dict[str, object]:
    """Return the report as JSON can hold it; ages are seconds."""

    def age(moment: datetime) -> float:
        return round((report.at - moment).total_seconds(), 3)

    return {
        "at": moments.iso(report.at),
        "healthy": not report.problems,
        "problems": report.problems,
        "schedules": report.schedules,
        "runs": report.runs,
        "alerts": report.alerts,
        "seconds_since_monitor": age(report.monitor_seen_at) if report.monitor_seen_at else None,
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


def _alerts() -> dict[str, int]:
    found = Alert.objects.exclude(state="ok").order_by().values_list("state")
    return dict(found.annotate(n=Count("pk")))
