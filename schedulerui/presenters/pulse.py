"""What stays the same while nobody has told anything new and none has fallen silent: one query."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, Count, IntegerField, Max, Model, Q, QuerySet, Subquery, Sum, Value

from schedulerui.conf import settings
from schedulerui.models import Alert, Beat, Change, Finding, Notification, Queue, Worker
from schedulerui.presenters.alerts import LOOKED_BACK
from schedulerui.presenters.findings import OLD_AFTER
from schedulerui.presenters.values import digest

NEVER = Q(pk=0)
"""No row: what an aggregate over it has of a moment is null, in the type of its column."""


def pulse(*, now: datetime) -> str:
    """Return a digest of when workers, beats and queues were last heard of, how many of them are late, and the last change."""
    option = settings()
    last_change = Change.objects.order_by("-pk").values("pk")[:1]
    arms = [
        _arm(
            Worker.objects.all(),
            late=_since("seen_at", now, option.WORKER_STALE_AFTER),
            gone=_since("seen_at", now, option.WORKER_OFFLINE_AFTER),
            moments=("seen_at", "stopped_at", "died_at"),
            total="active",
        ),
        _arm(
            Beat.objects.all(),
            late=_since("seen_at", now, option.BEAT_STALE_AFTER),
            moments=("seen_at",),
            total="dispatched",
        ),
        _arm(
            Queue.objects.all(),
            late=_since("measured_at", now, 3 * option.MONITOR_EVERY),
            moments=("measured_at",),
            total="depth",
        ),
        _arm(Change.objects.filter(pk=Subquery(last_change)), moments=("at",), total="pk"),
    ]
    return digest(sorted(map(repr, arms[0].union(*arms[1:], all=True))))


def pulse_of_alerts(
    alerts: QuerySet[Alert], messages: QuerySet[Notification], *, now: datetime
) -> tuple[str, bool]:
    """Return a digest of what stands, has recovered and was told of late, and whether a monitor looks.

    What happened longer ago than ``LOOKED_BACK`` does not change any more.
    """
    lately = now - LOOKED_BACK
    scanned = Finding.objects.filter(checked_at__gte=now - OLD_AFTER)
    arms = [
        _arm(alerts.exclude(state="ok"), name="standing", moments=("since", "told_at"), total="version"),
        _arm(alerts.filter(state="ok", since__gte=lately), name="over", moments=("since",), total="version"),
        _arm(
            messages.filter(created_at__gte=lately),
            late=Q(state="failed"),
            gone=Q(state="sent"),
            moments=("sent_at", "created_at"),
            total="tries",
        ),
        _arm(scanned, name="scanned", moments=("checked_at",), total="pk"),
    ]
    told = list(arms[0].union(*arms[1:], all=True))
    is_monitored = any(row[0] == "scanned" and row[2] for row in told)
    return digest(sorted(repr(row) for row in told if row[0] != "scanned"), is_monitored), is_monitored


def _since(column: str, now: datetime, seconds: float) -> Q:
    return Q(**{f"{column}__lt": now - timedelta(seconds=seconds)})


def _arm(
    rows: QuerySet[Any],
    *,
    moments: tuple[str, ...],
    total: str,
    late: Q = NEVER,
    gone: Q = NEVER,
    name: str = "",
) -> QuerySet[Any, Any]:
    """Return the query of one kind: its name, the newest row, how many are late and gone, a sum, three newest moments."""
    model: type[Model] = rows.model
    named = Value(name or model.__name__, output_field=CharField())
    asked = dict.fromkeys(("first", "second", "third"), (moments[0], NEVER))
    asked |= {name: (column, Q()) for name, column in zip(asked, moments, strict=False)}
    newest = {name: Max(column, filter=condition) for name, (column, condition) in asked.items()}
    numbers = {
        "newest": Max("pk", output_field=IntegerField()),
        "n": Count("pk"),
        "n_late": Count("pk", filter=late),
        "n_gone": Count("pk", filter=gone),
        "total": Sum(total),
    }
    known = rows.order_by().annotate(told_of=named).values("told_of")
    told: QuerySet[Any, Any] = known.annotate(**numbers, **newest).values_list("told_of", *numbers, *newest)
    return told
