"""The only way out: one run becomes one Celery message. Tests replace ``publish``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import EncodeError, OperationalError

from schedulerui.conf import settings
from schedulerui.models import Run

CONNECT_TIMEOUT = 2
"""Seconds to wait for a broker that does not answer: a page or a tick must not hang on it."""
SEND_TIMEOUT = 5
"""Seconds to wait for a broker that has stopped reading."""


class DispatchError(Exception):
    """A message was not handed to the broker."""


class BrokerUnavailable(DispatchError):
    """The broker does not answer. Whether the message arrived is not known."""


class Unsendable(DispatchError):
    """This run can never be sent as it is: its values or options are not valid for Celery."""


class NoCeleryApp(DispatchError):
    """SCHEDULERUI["CELERY_APP"] does not name the project's Celery application."""


def app() -> Celery:
    """Return the host's Celery application; raises NoCeleryApp with a sentence when the setting does not lead to one."""
    path = settings().CELERY_APP
    module_name, _, attribute = path.rpartition(".")
    if not module_name:
        message = 'Set SCHEDULERUI["CELERY_APP"] to the dotted path of your Celery application, like "project.celery.app".'
        raise NoCeleryApp(message)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        message = f'SCHEDULERUI["CELERY_APP"] names {path!r}, which cannot be imported: {error}'
        raise NoCeleryApp(message) from error
    if not isinstance(found, Celery):
        message = f'SCHEDULERUI["CELERY_APP"] names {path!r}, which is a {type(found).__name__} and no Celery application.'
        raise NoCeleryApp(message)
    return found


def registered_tasks(celery_app: Celery | None = None) -> list[str]:
    """Return the names of the tasks that this process knows, without Celery's own; raises NoCeleryApp."""
    known = celery_app or app()
    known.loader.import_default_modules()
    return sorted(str(name) for name in known.tasks if not str(name).startswith("celery."))


@contextmanager
def producer(celery_app: Celery | None = None) -> Iterator[Producer]:
    """Give a producer on a connection of its own, closed at the end; raises BrokerUnavailable within a few seconds."""
    opened = open_producer(celery_app or app())
    try:
        yield opened
    finally:
        close_producer(opened)


def open_producer(celery_app: Celery) -> Producer:
    """Return a connected producer; the caller closes it. Raises BrokerUnavailable instead of retrying for minutes."""
    connection = celery_app.connection_for_write(
        connect_timeout=CONNECT_TIMEOUT, transport_options=_timeouts(celery_app)
    )
    try:
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, timeout=CONNECT_TIMEOUT
        )
        return celery_app.amqp.Producer(connection, auto_declare=False)
    except _broker_errors(connection) as error:
        connection.release()
        raise BrokerUnavailable(_sentence(error)) from error


def close_producer(opened: Producer) -> None:
    """Release the producer's connection; a broken one is dropped silently."""
    connection = opened.connection
    try:
        opened.release()
        if connection is not None:
            connection.release()
    except Exception:  # noqa: BLE001, S110 - closing what is already broken has nothing to tell
        pass


def publish(run: Run, *, producer: Producer, celery_app: Celery | None = None) -> None:
    """Hand the run's message to the broker under its own task id.

    Raises BrokerUnavailable when the broker does not take it, Unsendable when this run can never be sent.
    """
    target = celery_app or app()
    options = message_options(run)
    task = target.tasks.get(run.task)
    send = task.apply_async if task is not None else None
    try:
        if send is not None:
            send(run.args, run.kwargs, task_id=run.task_id, producer=producer, **options)
        else:
            target.send_task(
                run.task, run.args, run.kwargs, task_id=run.task_id, producer=producer, **options
            )
    except _broker_errors(producer.connection) as error:
        raise BrokerUnavailable(_sentence(error)) from error
    except (EncodeError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise Unsendable(_sentence(error)) from error


def message_options(run: Run) -> dict[str, Any]:
    """Return the keyword arguments of ``apply_async`` for a run, with a fresh headers dictionary (Celery writes into it)."""
    options: dict[str, Any] = dict(run.options)
    expires = options.get("expires")
    if isinstance(expires, str):
        options["expires"] = datetime.fromisoformat(expires)
    if run.queue:
        options["queue"] = run.queue
    options["headers"] = {
        **run.headers,
        "periodic_task_name": run.schedule_name,
        "schedulerui": {
            "run": str(run.uuid),
            "schedule": run.schedule_name,
            "nominal": run.nominal_at.isoformat() if run.nominal_at else None,
            "version": run.schedule_version,
        },
    }
    options.setdefault("retry", True)
    options.setdefault("retry_policy", {"max_retries": 1, "interval_start": 0, "interval_step": 0})
    return options


def _timeouts(celery_app: Celery) -> dict[str, Any]:
    """Return socket time-outs for kombu's Redis transport, which has none by default; other transports have their own."""
    url = str(celery_app.conf.broker_write_url or celery_app.conf.broker_url or "")
    if not url.startswith(("redis", "rediss", "valkey")):
        return {}
    return {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": SEND_TIMEOUT}


def _broker_errors(connection: Connection | None) -> tuple[type[BaseException], ...]:
    known: tuple[type[BaseException], ...] = (OperationalError, ConnectionError, TimeoutError, OSError)
    if connection is None:
        return known
    return (*known, *connection.connection_errors, *connection.channel_errors)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())[:400]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
