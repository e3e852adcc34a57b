"""The only way out: one run becomes one Celery message. Tests replace ``publish``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakSet

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import OperationalError

from schedulerui import dispatch_canvas, messages, redis_client
from schedulerui.conf import settings
from schedulerui.error_text import error_text
from schedulerui.messages import message_options
from schedulerui.models import Run

CONNECT_TIMEOUT = 2
"""Seconds to wait for a broker that does not answer: a page or a tick must not hang on it."""
SEND_TIMEOUT = 5
"""Seconds to wait for a broker that has stopped reading."""

_outboxes: WeakKeyDictionary[Producer, redis_client.Outbox] = WeakKeyDictionary()


class DispatchError(Exception):
    """A message was not handed to the broker."""


class BrokerUnavailable(DispatchError):
    """The broker does not answer. Whether the message arrived is not known."""


class NotAllTaken(BrokerUnavailable):
    """The broker did not take a whole batch. ``refused`` and ``in_doubt`` are places in the order of collecting.

    What is in neither was taken; what is refused was not.
    """

    def __init__(self, message: str, *, refused: Collection[int], in_doubt: Collection[int]) -> None:
        super().__init__(message)
        self.refused, self.in_doubt = frozenset(refused), frozenset(in_doubt)


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
    _import_tasks(known)
    return sorted(str(name) for name in known.tasks if not str(name).startswith("celery."))


def registered_task(name: str) -> Callable[..., object] | None:
    """Return the function of a task that this process knows, None for another; the name is looked up and never imported.

    Raises NoCeleryApp.
    """
    known = app()
    _import_tasks(known)
    task = known.tasks.get(name)
    return None if task is None else task.run


_imported: WeakSet[Celery] = WeakSet()


def _import_tasks(celery_app: Celery) -> None:
    """Import the modules with the app's tasks, once: each time Celery has Django check all of its models, which takes long."""
    if celery_app not in _imported:
        celery_app.loader.import_default_modules()
        _imported.add(celery_app)


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
        outbox = redis_client.keep_one(opened.channel)
    except _broker_errors(connection) as error:
        connection.release()
        raise BrokerUnavailable(error_text(error, limit=400)) from error
    if outbox is not None:
        _outboxes[opened] = outbox
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


def collect(run: Run, *, producer: Producer, celery_app: Celery | None = None) -> bool:
    """Prepare the run's message for the next ``flush``; returns False when it is out already, as transports without batches do.

    Celery's publish signals fire now. Raises as ``publish`` does, and then nothing of this run is kept.
    """
    outbox = _outboxes.get(producer)
    if outbox is None:
        publish(run, producer=producer, celery_app=celery_app)
        return False
    outbox.collect()
    try:
        _publish(run, producer=producer, celery_app=celery_app, is_batched=True)
    except BaseException:
        outbox.drop_message()
        raise
    return outbox.end_message()


def flush(producer: Producer) -> None:
    """Hand what was collected to the broker in one round trip; raises NotAllTaken. Nothing is sent a second time here."""
    outbox = _outboxes.get(producer)
    if outbox is None:
        return
    try:
        outbox.flush()
    except redis_client.NotAllTaken as error:
        raise NotAllTaken(
            error_text(error.cause, limit=400), refused=error.refused, in_doubt=error.in_doubt
        ) from error.cause


def forget(producer: Producer) -> None:
    """Drop what was collected and not sent."""
    outbox = _outboxes.get(producer)
    if outbox is not None:
        outbox.forget()


def publish(run: Run, *, producer: Producer, celery_app: Celery | None = None) -> None:
    """Hand the run's message to the broker under its own task id.

    Raises BrokerUnavailable when the broker does not take it, Unsendable when this run can never be sent.
    """
    _publish(run, producer=producer, celery_app=celery_app)


def _publish(
    run: Run, *, producer: Producer, celery_app: Celery | None = None, is_batched: bool = False
) -> None:
    target = celery_app or app()
    if run.canvas:
        dispatch_canvas.write_parts(run)
    try:
        options = message_options(run)
        if is_batched:
            # A batch is sent once, by us: kombu's own second try would be of a message that has not left yet.
            options["retry"] = False
        if run.canvas:
            dispatch_canvas.publish(run, options, producer=producer, celery_app=target)
            return
        way = messages.way_of(producer, target)
        task = target.tasks.get(run.task)
        if way.is_plain(task, options):
            way.send(run, task, options)
        elif task is not None:
            task.apply_async(run.args, run.kwargs, task_id=run.task_id, producer=producer, **options)
        else:
            target.send_task(
                run.task, run.args, run.kwargs, task_id=run.task_id, producer=producer, **options
            )
    except _broker_errors(producer.connection) as error:
        raise BrokerUnavailable(error_text(error, limit=400)) from error
    except Exception as error:
        # Whatever else goes wrong with one message is that message's own affair: it must not hold up the others.
        raise Unsendable(error_text(error, limit=400)) from error


def _timeouts(celery_app: Celery) -> dict[str, float]:
    url = celery_app.conf.broker_write_url or celery_app.conf.broker_url
    return redis_client.timeouts(url, connect=CONNECT_TIMEOUT, answer=SEND_TIMEOUT)


def _broker_errors(connection: Connection | None) -> tuple[type[BaseException], ...]:
    known: tuple[type[BaseException], ...] = (OperationalError, ConnectionError, TimeoutError, OSError)
    if connection is None:
        return known
    return (*known, *connection.connection_errors, *connection.channel_errors)
