"""Which queue a run's message goes to, and how long its broker keeps what a dead worker held: as the app's settings say."""

from __future__ import annotations

from datetime import timedelta

from celery import Celery

from schedulerui.models import Run
from schedulerui.operations.outages import Addressed

RESTORING = ("redis", "rediss", "valkey", "sentinel", "sqs")
"""Transports that hand a dead worker's messages over again only after the visibility time-out."""
VISIBILITY_DEFAULT = 3600.0
SWEEP_DEFAULT = 10.0
"""For both of kombu's settings that say together how often a worker looks in Redis for what a dead one held, in seconds."""


def queue_of(run: Run, celery_app: Celery) -> str:
    """Return the queue's name; empty when the run names an exchange or the app's routes cannot be asked."""
    options = run.options if isinstance(run.options, dict) else {}
    is_keyed = bool(options.get("exchange") or options.get("routing_key"))
    return queue_for(Addressed(run.task, str(run.queue), is_keyed), celery_app)


def queue_for(asked: Addressed, celery_app: Celery) -> str:
    """Return the queue that a message so addressed goes to; empty when it cannot be told."""
    if asked.queue:
        return asked.queue
    if asked.is_keyed:
        return ""
    try:
        route = celery_app.amqp.router.route({}, asked.task, (), {})
    except Exception:  # noqa: BLE001 - a router is the host's own code
        return ""
    routed = route.get("queue")
    return str(getattr(routed, "name", routed) or celery_app.conf.task_default_queue)


def redelivery_of(celery_app: Celery) -> timedelta:
    """Return after how long at most the broker hands over again what a dead worker had not acknowledged; zero: at once."""
    url = str(celery_app.conf.broker_read_url or celery_app.conf.broker_url or "")
    if not url.startswith(RESTORING):
        return timedelta(0)
    options = celery_app.conf.broker_transport_options or {}
    visibility = float(options.get("visibility_timeout") or VISIBILITY_DEFAULT)
    if url.startswith("sqs"):
        return timedelta(seconds=visibility)
    interval = float(options.get("unacked_restore_interval") or SWEEP_DEFAULT)
    throttle = float(options.get("unacked_restore_throttle") or SWEEP_DEFAULT)
    return timedelta(seconds=visibility + interval * throttle)
