"""What Prometheus gets: families of samples computed from rows at the moment of the question, bounded however much there is.

Counters are those that a process keeps for itself (a beat's messages and their lateness); what rows tell is a gauge, over the
last hour where it would grow with the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Count, Max, Min, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from schedulerui import __version__
from schedulerui.conf import settings
from schedulerui.facts import ACTIVE, DECIDED, RunState
from schedulerui.models import Alert, Beat, Finding, Notification, Queue, Run, Schedule
from schedulerui.operations import workers
from schedulerui.operations.beats import is_fresh

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WINDOW = timedelta(hours=1)
LISTED = 200
"""Most beats, workers and queues with a sample of their own."""
OPEN = (RunState.WAITING, *sorted(ACTIVE))
REASONS: tuple[tuple[str, str], ...] = (
    ("overlap", "overlap"),
    ("skipped by", "person"),
    ("paused", "paused"),
    ("no beat", "no_beat"),
    ("older than", "too_old"),
)
"""How a decision's reason begins to the label that stands for it; anything else is ``other``."""


def exposition(*, now: datetime) -> bytes:
    """Return all samples in Prometheus' text format; ten queries."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Rows(now))
    return bytes(generate_latest(registry))


def reason_label(reason: str) -> str:
    """Return the label of a decision's reason: a fixed set, whatever people and policies write there."""
    return next((label for beginning, label in REASONS if reason.startswith(beginning)), "other")


Named = TypeVar("Named", bound=tuple[Any, ...])


class _Rows(Collector):
    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield _info()
        yield from _schedules(self._now)
        yield from _runs(self._now)
        yield from _decisions(self._now)
        yield from _beats(self._now)
        yield from _workers(self._now)
        yield from _queues(self._now)
        yield _alerts()
        yield _messages()
        yield from _monitor(self._now)


def _info() -> Metric:
    family = GaugeMetricFamily("schedulerui_build_info", "Always 1, with the version.", labels=["version"])
    family.add_metric([__version__], 1)
    return family


def _schedules(now: datetime) -> Iterator[Metric]:
    on = Schedule.objects.filter(next_run_at__isnull=False)
    told = on.aggregate(n=Count("pk"), first=Min("next_run_at"))
    yield _one("schedulerui_schedules_planned", "Schedules with a next run.", told["n"])
    lag = max((now - told["first"]).total_seconds(), 0.0) if told["first"] else 0.0
    yield _one("schedulerui_due_lag_seconds", "How overdue the most overdue schedule is.", lag)


def _runs(now: datetime) -> Iterator[Metric]:
    open_ = Run.objects.filter(state__in=OPEN).order_by().values_list("state").annotate(n=Count("pk"))
    n_open = dict(open_)
    family = GaugeMetricFamily(
        "schedulerui_runs_open", "Runs that have not ended, by state.", labels=["state"]
    )
    for state in OPEN:
        family.add_metric([state], n_open.get(state, 0))
    yield family
    yield _one("schedulerui_outbox_depth", "Runs claimed and not yet sent.", n_open.get(RunState.PENDING, 0))
    recent = Run.objects.filter(due_at__gt=now - WINDOW, due_at__lte=now).order_by().values_list("state")
    family = GaugeMetricFamily(
        "schedulerui_runs_last_hour",
        "Runs that were due in the last hour, by present state.",
        labels=["state"],
    )
    for state, n in recent.annotate(n=Count("pk")):
        family.add_metric([state], n)
    yield family


def _decisions(now: datetime) -> Iterator[Metric]:
    decided = Run.objects.filter(state__in=DECIDED, due_at__gt=now - WINDOW, due_at__lte=now).order_by()
    counts: dict[tuple[str, str], int] = {}
    for state, reason, n in decided.values_list("state", "reason").annotate(n=Sum("count"))[:LISTED]:
        key = (state, reason_label(reason))
        counts[key] = counts.get(key, 0) + n
    family = GaugeMetricFamily(
        "schedulerui_decisions_last_hour",
        "Times of the last hour that did not run, by state and reason.",
        labels=["state", "reason"],
    )
    for (state, label), n in sorted(counts.items()):
        family.add_metric([state, label], n)
    yield family


def _beats(now: datetime) -> Iterator[Metric]:
    beats = list(Beat.objects.order_by("-seen_at")[:LISTED])
    named = _newest([(beat.host, beat.pid, beat) for beat in beats])
    n_ticking = sum(is_fresh(beat.seen_at, now=now) for beat in beats)
    yield _one("schedulerui_beats_ticking", "Beats with a recent tick.", n_ticking)
    age = GaugeMetricFamily("schedulerui_beat_age_seconds", "Seconds since its last tick.", labels=["beat"])
    sent = CounterMetricFamily("schedulerui_beat_messages", "Messages that it has sent.", labels=["beat"])
    late = HistogramMetricFamily(
        "schedulerui_dispatch_latency_seconds", "From due to handed to the broker.", labels=["beat"]
    )
    for host, pid, beat in named:
        name = f"{host}:{pid}"
        age.add_metric([name], max((now - beat.seen_at).total_seconds(), 0.0))
        sent.add_metric([name], beat.dispatched)
        if beat.latency:
            late.add_metric(
                [name], buckets=_cumulative(beat.latency), sum_value=float(beat.latency.get("sum", 0.0))
            )
    yield from (age, sent, late)


def _cumulative(latency: dict[str, float]) -> list[tuple[str, float]]:
    """Return Prometheus' buckets, each counting those before it too, from counts of each stretch alone."""
    bounds = sorted((bound for bound in latency if bound != "sum"), key=float)
    total, found = 0.0, []
    for bound in bounds:
        total += latency[bound]
        found.append(("+Inf" if bound == "inf" else bound, total))
    if not found or found[-1][0] != "+Inf":
        found.append(("+Inf", total))
    return found


def _workers(now: datetime) -> Iterator[Metric]:
    since = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    living = workers.living().order_by("-seen_at")[:LISTED]
    rows = list(living.values_list("hostname", "pid", "seen_at", "active"))
    online = sum(seen_at >= since for _name, _pid, seen_at, _active in rows)
    yield _one("schedulerui_workers_online", "Workers with a recent heartbeat.", online)
    age = GaugeMetricFamily(
        "schedulerui_worker_age_seconds", "Seconds since its last heartbeat.", labels=["worker"]
    )
    busy = GaugeMetricFamily("schedulerui_worker_active", "Tasks that it runs now.", labels=["worker"])
    for name, pid, seen_at, active in _newest(rows):
        age.add_metric([f"{name}:{pid}"], max((now - seen_at).total_seconds(), 0.0))
        if active is not None:
            busy.add_metric([f"{name}:{pid}"], active)
    yield from (age, busy)


def _queues(now: datetime) -> Iterator[Metric]:
    depth = GaugeMetricFamily("schedulerui_queue_depth", "Messages that wait.", labels=["queue"])
    age = GaugeMetricFamily("schedulerui_queue_measured_age_seconds", "Age of the depth.", labels=["queue"])
    for queue in Queue.objects.order_by("name")[:LISTED]:
        if queue.depth is not None and not queue.error:
            depth.add_metric([queue.name], queue.depth)
        age.add_metric([queue.name], max((now - queue.measured_at).total_seconds(), 0.0))
    yield from (depth, age)


def _alerts() -> Metric:
    family = GaugeMetricFamily("schedulerui_alerts", "Alerts that stand.", labels=["kind", "state"])
    standing = (
        Alert.objects.exclude(state="ok").order_by().values_list("kind", "state").annotate(n=Count("pk"))
    )
    for kind, state, n in sorted(standing):
        family.add_metric([kind, state], n)
    return family


def _messages() -> Metric:
    family = GaugeMetricFamily(
        "schedulerui_messages_waiting", "Alerts that a channel has not taken.", labels=["channel"]
    )
    waiting = Notification.objects.filter(state="waiting").order_by().values_list("channel")
    for channel, n in sorted(waiting.annotate(n=Count("pk"))[:LISTED]):
        family.add_metric([channel], n)
    return family


def _monitor(now: datetime) -> Iterator[Metric]:
    """Without a monitor nobody is told of anything: its age is a sample, so that Prometheus can tell."""
    looked_at = Finding.objects.aggregate(at=Max("checked_at"))["at"]
    if looked_at is not None:
        age = max((now - looked_at).total_seconds(), 0.0)
        yield _one(
            "schedulerui_monitor_age_seconds",
            "Seconds since a monitor last scanned; it does each minute.",
            age,
        )


def _newest(rows: Iterable[Named]) -> list[Named]:
    """Return the first of each name: a container's processes often have one name and one number after each restart."""
    found: dict[tuple[str, int], Named] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), row)
    return list(found.values())


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
