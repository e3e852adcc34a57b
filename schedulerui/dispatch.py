"""The only way out: one run becomes one Celery message. Tests replace ``publish``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, Task
from celery.app.task import extract_exec_options  # type: ignore[attr-defined]  # missing in the stubs
from kombu import Connection, Producer
from kombu.exceptions import OperationalError

from schedulerui import clock, dispatch_canvas, redis_client
from schedulerui.conf import settings
from schedulerui.models import Run

CONNECT_TIMEOUT = 2
"""Seconds to wait for a broker that does not answer: a page or a tick must not hang on it."""
DECLARE_EVERY = 10.0
"""Seconds between two declarations of one queue on one connection."""
SEND_TIMEOUT = 5
"""Seconds to wait for a broker that has stopped reading."""

_declared: WeakKeyDictionary[Producer, dict[str, float]] = WeakKeyDictionary()


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
        opened = celery_app.amqp.Producer(connection, auto_declare=False)
        redis_client.keep_one(opened.channel)
    except _broker_errors(connection) as error:
        connection.release()
        raise BrokerUnavailable(_sentence(error)) from error
    return opened


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
    if run.canvas:
        dispatch_canvas.write_parts(run)
    task = target.tasks.get(run.task)
    try:
        options = message_options(run)
        if run.canvas:
            dispatch_canvas.publish(run, options, producer=producer, celery_app=target)
        elif _is_plain(target, task, options):
            _send_prepared(run, target, task, options, producer)
        elif task is not None:
            task.apply_async(run.args, run.kwargs, task_id=run.task_id, producer=producer, **options)
        else:
            target.send_task(
                run.task, run.args, run.kwargs, task_id=run.task_id, producer=producer, **options
            )
    except _broker_errors(producer.connection) as error:
        raise BrokerUnavailable(_sentence(error)) from error
    except Exception as error:
        # Whatever else goes wrong with one message is that message's own affair: it must not hold up the others.
        raise Unsendable(_sentence(error)) from error


PLAIN_OPTIONS = frozenset(
    {
        "queue", "exchange", "routing_key", "priority", "expires", "soft_time_limit", "time_limit", "ignore_result",
        "headers", "retry", "retry_policy", "serializer", "compression",
    }
)  # fmt: skip
"""Options that the short way knows. Anything else (a countdown, links, stamps) goes through ``apply_async`` itself."""


def _is_plain(target: Celery, task: Any, options: Mapping[str, Any]) -> bool:
    """Return whether the message can be prepared the short way, which must be the same message (a test compares them)."""
    if target.conf.task_always_eager or target.current_worker_task or not options.keys() <= PLAIN_OPTIONS:
        return False
    if task is None:
        return True
    needs_more = getattr(task, "__v2_compat__", False) or getattr(task, "_dump_pydantic_arguments", None)
    has_own_send = type(task).apply_async is not Task.apply_async
    return not (needs_more or has_own_send or task.soft_time_limit or task.time_limit or task.expires)


def _send_prepared(run: Run, target: Celery, task: Any, options: dict[str, Any], producer: Producer) -> None:
    """Do what ``Task.apply_async`` and ``Celery.send_task`` (5.5 to 5.7) do for plain options, and nothing twice.

    They cost a result object and a declaration of the queue for each message; here a queue is declared once a connection.
    """
    shadow = None
    if task is not None:
        if task.typing:
            check = getattr(task, "__header__", None)
            if check is not None:
                check(*run.args, **run.kwargs)
        shadow = task.shadow_name(run.args, run.kwargs, options)
        options = {**extract_exec_options(task), **options}
        options.setdefault("ignore_result", task.ignore_result)
    limits = options.pop("time_limit", None), options.pop("soft_time_limit", None)
    expires, ignore_result = options.pop("expires", None), options.pop("ignore_result", None)
    options = target.amqp.router.route(options, run.task, run.args, run.kwargs, task)
    if expires is not None:
        options["expiration"] = max((expires - target.now()).total_seconds(), 0)
    message = target.amqp.create_task_message(
        run.task_id,
        run.task,
        args=run.args,
        kwargs=run.kwargs,
        expires=expires,
        reply_to=target.thread_oid,
        time_limit=limits[0],
        soft_time_limit=limits[1],
        create_sent_event=target.conf.task_send_sent_event,
        shadow=shadow,
        ignore_result=ignore_result,
        **options,
    )
    if not ignore_result:
        target.backend.on_task_call(producer, str(run.task_id))
    target.amqp.send_task_message(
        producer, run.task, message, declare=_to_declare(options, producer), **options
    )


def _to_declare(options: Mapping[str, Any], producer: Producer) -> list[Any] | None:
    """Return what to declare with this message: None for Celery's own choice, nothing if it was declared a moment ago.

    A queue that somebody deletes under us is there again after DECLARE_EVERY seconds, and at once on a new connection.
    """
    queue = options.get("queue")
    exchange_type = getattr(getattr(queue, "exchange", None), "type", None)
    if queue is None or exchange_type != "direct":
        return None
    declared = _declared.setdefault(producer, {})
    now = clock.monotonic()
    if now - declared.get(queue.name, -DECLARE_EVERY) < DECLARE_EVERY:
        return []
    declared[queue.name] = now
    return None


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
            **_also(run),
        },
    }
    options.setdefault("retry", True)
    options.setdefault("retry_policy", {"max_retries": 1, "interval_start": 0, "interval_step": 0})
    return options


def _also(run: Run) -> dict[str, str]:
    """Return what only some headers say, so that the others stay short."""
    also: dict[str, str] = {}
    if run.previous_nominal_at is not None:
        also["previous_nominal"] = run.previous_nominal_at.isoformat()
    if run.delivery_mode != "at_least_once":
        also["delivery"] = run.delivery_mode
    return also


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
