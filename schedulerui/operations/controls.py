"""What a person makes a worker do: each command named, checked, sent to one known worker, and audited with its outcome."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from schedulerui import dispatch, remote
from schedulerui.error_text import storable
from schedulerui.facts import Actor
from schedulerui.models import Worker
from schedulerui.operations import audit
from schedulerui.operations.masking import masked
from schedulerui.operations.workers import state_of

MOST_PROCESSES = 1_000
MOST_SECONDS = 31_536_000
RATE = re.compile(r"\d{1,9}(\.\d{1,6})?(/[smh])?")
"""A rate limit as Celery reads it: a number, by second unless it says minute or hour."""
QUEUE = re.compile(r"[^\x00-\x20\x7f]{1,200}")


class InvalidCommand(ValueError):
    """The command cannot be given so; ``field`` names the argument, the text says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotAlive(Exception):
    """The worker does not live, so there is nobody to command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a command: whether it was obeyed, and a sentence."""

    obeyed: bool
    sentence: str


Arguments = Mapping[str, str]
Prepare = Callable[[Arguments], dict[str, Any]]


def control(instance: UUID, verb: str, arguments: Arguments, *, actor: Actor, now: datetime) -> Outcome:
    """Have one worker instance obey ``verb``; its end asks for its name as ``confirm``. Raises InvalidCommand, NotAlive, Worker.DoesNotExist.

    A broker that is away and a worker that is silent are outcomes, not errors: they stand in the audit log too.
    """
    worker = Worker.objects.get(instance=instance)
    if verb not in COMMANDS:
        raise InvalidCommand("verb", _("There is no such command."))
    if verb == "shutdown" and arguments.get("confirm", "").strip() != worker.hostname:
        raise InvalidCommand("confirm", _("Type the worker's name, so that it is the right one."))
    prepared = COMMANDS[verb](arguments)
    if state_of(worker, now) not in {"online", "stale"}:
        raise NotAlive(_("This worker does not live any more."))
    outcome = _send(worker, verb, prepared)
    _audit(worker, verb, prepared, outcome, actor=actor, now=now)
    return outcome


def _send(worker: Worker, verb: str, arguments: Mapping[str, Any]) -> Outcome:
    try:
        if verb == "shutdown":
            remote.tell(worker.hostname, verb, arguments)
            return Outcome(obeyed=True, sentence=_("It was told to end when its tasks have."))
        return Outcome(
            obeyed=True, sentence=remote.command(worker.hostname, REMOTE_NAMES.get(verb, verb), arguments)
        )
    except remote.Silent:
        text = _("It did not answer within %(n)g s; it may do it all the same.") % {"n": remote.DEADLINE}
        return Outcome(obeyed=False, sentence=text)
    except remote.Refused as error:
        return Outcome(obeyed=False, sentence=_("It refused: %(error)s") % {"error": error})
    except dispatch.DispatchError as error:
        return Outcome(
            obeyed=False,
            sentence=_("The broker could not be reached: %(error)s") % {"error": masked(str(error))},
        )


def _audit(
    worker: Worker, verb: str, arguments: Mapping[str, Any], outcome: Outcome, *, actor: Actor, now: datetime
) -> None:
    said = ", ".join(f"{name} {value}" for name, value in arguments.items())
    note = storable(f"{worker.hostname} ({worker.instance}): {said}: {outcome.sentence}")
    audit.write(f"worker_{verb}", actor=actor, now=now, note=note)


def _whole(arguments: Arguments, field: str, *, least: int, most: int) -> int:
    text = arguments.get(field, "").strip()
    if not (
        text.isascii() and text.isdecimal() and len(text) < len(str(most)) + 1 and least <= int(text) <= most
    ):
        raise InvalidCommand(
            field, _("A whole number from %(least)d to %(most)d.") % {"least": least, "most": most}
        )
    return int(text)


def _text(arguments: Arguments, field: str, *, like: re.Pattern[str], otherwise: str) -> str:
    text = arguments.get(field, "").strip()
    if not like.fullmatch(text):
        raise InvalidCommand(field, otherwise)
    return text


def _count(arguments: Arguments) -> dict[str, Any]:
    return {"n": _whole(arguments, "n", least=1, most=MOST_PROCESSES)}


def _autoscale(arguments: Arguments) -> dict[str, Any]:
    most = _whole(arguments, "max", least=1, most=MOST_PROCESSES)
    return {"max": most, "min": _whole(arguments, "min", least=0, most=most)}


def _queue(arguments: Arguments) -> dict[str, Any]:
    return {"queue": _text(arguments, "queue", like=QUEUE, otherwise=_("Name a queue, without spaces."))}


def _rate(arguments: Arguments) -> dict[str, Any]:
    otherwise = _("A number, or one by second, minute or hour: 10, 10/s, 100/m, 1000/h. 0 lifts the limit.")
    return {
        "task_name": _task(arguments),
        "rate_limit": _text(arguments, "rate_limit", like=RATE, otherwise=otherwise),
    }


def _times(arguments: Arguments) -> dict[str, Any]:
    limits: dict[str, Any] = {"task_name": _task(arguments), "soft": None, "hard": None}
    for field in ("soft", "hard"):
        if arguments.get(field, "").strip():
            limits[field] = _whole(arguments, field, least=1, most=MOST_SECONDS)
    if limits["soft"] and limits["hard"] and limits["soft"] >= limits["hard"]:
        raise InvalidCommand("soft", _("The soft limit must be shorter than the hard one."))
    return limits


def _task(arguments: Arguments) -> str:
    return _text(arguments, "task_name", like=QUEUE, otherwise=_("Name a task."))


def _nothing(_arguments: Arguments) -> dict[str, Any]:
    return {}


def _revoked(arguments: Arguments) -> dict[str, Any]:
    return {"task_id": _task_id(arguments), "terminate": False}


def _terminated(arguments: Arguments) -> dict[str, Any]:
    return {"task_id": _task_id(arguments), "terminate": True, "signal": "SIGTERM"}


def _task_id(arguments: Arguments) -> str:
    return _text(arguments, "task_id", like=QUEUE, otherwise=_("Give the task's id."))


COMMANDS: Mapping[str, Prepare] = {
    "pool_grow": _count,
    "pool_shrink": _count,
    "autoscale": _autoscale,
    "pool_restart": _nothing,
    "add_consumer": _queue,
    "cancel_consumer": _queue,
    "rate_limit": _rate,
    "time_limit": _times,
    "revoke": _revoked,
    "terminate": _terminated,
    "shutdown": _nothing,
}
"""What a page offers, each with what checks its arguments; a name of Celery's remote control, or one of ``REMOTE_NAMES``."""
REMOTE_NAMES: Mapping[str, str] = {"terminate": "revoke"}
