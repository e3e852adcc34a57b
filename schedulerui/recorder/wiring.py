"""Connects the recorder to Celery's signals: cheap, once per process, and without effect where no worker starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import signals
from django.db import DEFAULT_DB_ALIAS, connections

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.recorder import identity, receivers, writer
from schedulerui.recorder.connection import prepare_connection

if TYPE_CHECKING:
    from schedulerui.recorder.heart import Heart

_hearts: dict[int, Heart] = {}
"""The beating heart by the id of its process: a fork inherits the entry, not the thread."""


def connect() -> None:
    """Connect every receiver; connecting twice is the same as once."""
    wired = {
        signals.worker_init: on_worker_init,
        signals.worker_ready: on_worker_ready,
        signals.worker_shutdown: on_worker_shutdown,
        signals.worker_process_shutdown: on_process_shutdown,
        signals.task_received: receivers.on_received,
        signals.task_prerun: receivers.on_prerun,
        signals.task_success: receivers.on_success,
        signals.task_retry: receivers.on_retry,
        signals.task_failure: receivers.on_failure,
        signals.task_internal_error: receivers.on_internal_error,
        signals.task_postrun: receivers.on_postrun,
        signals.task_revoked: receivers.on_revoked,
        signals.task_unknown: receivers.on_unknown,
        signals.task_rejected: receivers.on_rejected,
    }
    for signal, receiver in wired.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"schedulerui.{receiver.__name__}")


@receivers.guarded
def on_worker_init(*, sender: Any, **_: Any) -> None:
    identity.begin(str(sender.hostname), now=clock.now())
    # Here and not above: it loads Celery's worker, which web and beat do without.
    from schedulerui.recorder.heart import forget_unwanted  # noqa: PLC0415 - only a worker needs it

    prepare_connection()
    forget_unwanted(clock.now())  # before the first message: what was cancelled while no worker was there
    connections[DEFAULT_DB_ALIAS].close()  # a pool must not inherit it


@receivers.guarded
def on_worker_ready(*, sender: Any, **_: Any) -> None:
    # Here and not above: it loads Celery's worker, which web and beat do without.
    from schedulerui.recorder.heart import Heart  # noqa: PLC0415 - only a worker needs it

    present = identity.present()
    if present is not None and present.pid not in _hearts:
        _hearts[present.pid] = Heart(present, sender)
        _hearts[present.pid].start()


@receivers.guarded
def on_worker_shutdown(**_: Any) -> None:
    """Say goodbye at the very end: until then a stopping worker still finishes its tasks."""
    writer.close()
    present = identity.present()
    beating = _hearts.pop(present.pid, None) if present is not None else None
    if beating is not None:
        beating.stop(within=2 * settings().RECORDER_PATIENCE)


@receivers.guarded
def on_process_shutdown(**_: Any) -> None:
    writer.close()
