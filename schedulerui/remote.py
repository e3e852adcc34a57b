"""Asking and commanding workers over the broker, each time within a deadline and on a connection of its own.

A destination is always named: Celery takes an empty list for *all workers*. A fresh connection for each call, and one more try:
after a crash of the broker the pooled connection of a process that only asks now and then is a broken pipe (measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery

from schedulerui import dispatch
from schedulerui.error_text import error_text

DEADLINE = 1.0
"""Seconds in which a worker answers, or counts as silent."""
INSPECTIONS = ("stats", "active", "reserved", "scheduled", "conf")
"""What the page about a worker asks for; of ``conf``, which may hold passwords, it shows some names and never the rest."""


class Silent(Exception):
    """The worker did not answer within the deadline."""


class Refused(Exception):
    """The worker answered that it will not; the text is the worker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A worker's answers; what it did not answer in time is missing."""

    answers: Mapping[str, Any]

    @property
    def is_silent(self) -> bool:
        """Whether it answered nothing at all."""
        return not self.answers


def inspect(hostname: str, *, celery_app: Celery | None = None) -> Told:
    """Ask one worker what it does; raises dispatch.BrokerUnavailable.

    The first question that stays without an answer ends it: the deadline is for all of them.
    """
    target = celery_app or dispatch.app()
    answers: dict[str, Any] = {}
    for question in INSPECTIONS:
        try:
            answers[question] = _ask(target, question, {}, hostname)
        except Silent:
            break
    return Told(answers=answers)


def command(
    hostname: str, name: str, arguments: Mapping[str, Any], *, celery_app: Celery | None = None
) -> str:
    """Have one worker do something and return its sentence; raises Silent, Refused and dispatch.BrokerUnavailable."""
    answer = _ask(celery_app or dispatch.app(), name, arguments, hostname)
    if isinstance(answer, Mapping):
        if "error" in answer:
            raise Refused(str(answer["error"])[:500])
        return str(answer.get("ok", answer))[:500]
    return str(answer)[:500]


def tell(hostname: str, name: str, arguments: Mapping[str, Any], *, celery_app: Celery | None = None) -> None:
    """Send one worker a command that it cannot answer, such as its own end; raises dispatch.BrokerUnavailable."""
    _broadcast(celery_app or dispatch.app(), name, arguments, _destination(hostname), reply=False)


def revoke(task_id: str, *, terminate: bool, hostname: str = "", celery_app: Celery | None = None) -> None:
    """Have workers forget a task, and end its process when ``terminate``; raises dispatch.BrokerUnavailable.

    Without a worker's name all of them hear it: nobody knows yet which one will get the message. Then nothing is terminated.
    """
    arguments = {"task_id": task_id, "terminate": bool(terminate and hostname), "signal": "SIGTERM"}
    destination = _destination(hostname) if hostname else None
    _broadcast(celery_app or dispatch.app(), "revoke", arguments, destination, reply=False)


def _ask(target: Celery, name: str, arguments: Mapping[str, Any], hostname: str) -> Any:
    for reply in _broadcast(target, name, arguments, _destination(hostname), reply=True) or []:
        if hostname in reply:
            return reply[hostname]
    raise Silent


def _destination(hostname: str) -> list[str]:
    if not hostname:
        message = "A worker must be named: an empty destination would be all of them."
        raise ValueError(message)
    return [hostname]


def _broadcast(
    target: Celery, name: str, arguments: Mapping[str, Any], destination: list[str] | None, *, reply: bool
) -> list[dict[str, Any]] | None:
    try:
        return _broadcast_once(target, name, arguments, destination, reply=reply)
    except dispatch.BrokerUnavailable:
        return _broadcast_once(target, name, arguments, destination, reply=reply)


def _broadcast_once(
    target: Celery, name: str, arguments: Mapping[str, Any], destination: list[str] | None, *, reply: bool
) -> list[dict[str, Any]] | None:
    with dispatch.producer(target) as producer:
        connection = producer.connection
        broken: Any = ()  # kombu's stubs do not say that these are classes of exceptions
        if connection is not None:
            broken = (*connection.connection_errors, *connection.channel_errors)
        try:
            answers: list[dict[str, Any]] | None = target.control.broadcast(
                name,
                arguments=dict(arguments),
                destination=destination,
                connection=connection,
                reply=reply,
                timeout=DEADLINE,
                limit=1 if reply else None,
            )
        except (OSError, *broken) as error:
            raise dispatch.BrokerUnavailable(error_text(error, limit=400)) from error
    return answers
