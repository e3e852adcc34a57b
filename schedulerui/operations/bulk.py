"""One verb for many schedules or runs: each in its own transaction, so that one that cannot does not keep the others from it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypedDict, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from schedulerui import dispatch
from schedulerui.facts import Actor, RunState
from schedulerui.models import Run, Schedule
from schedulerui.models.damaged import UNREADABLE, read_schedule
from schedulerui.operations import pauses, runs, schedules
from schedulerui.operations.errors import OperationError, VersionConflict

CHUNK = 100
"""Rows read at once."""
EDIT_TRIES = 3
"""How often an edit is tried again when somebody else changes the schedule at the same time."""

Row = TypeVar("Row", bound=Model)
Did: TypeAlias = "bool | Held"
Verb = Callable[[Schedule], Did]
"""Does one thing to one schedule; returns whether that changed anything."""


class By(TypedDict):
    """Who does it, and when."""

    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One row to which it could not be done, and why, in a sentence."""

    key: str
    """What names it in an address: the key of a schedule, the uuid of a run."""
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a verb returns for a row to which it was done and whose message the broker did not take, and why."""

    reason: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a bulk action."""

    n_done: int = 0
    n_held: int = 0
    """How many of these beat has to send, for the broker did not take their messages."""
    why_held: str = ""
    n_unchanged: int = 0
    """Those that were as wanted already."""
    failures: list[Failure] = field(default_factory=list)


def apply(
    rows: QuerySet[Row],
    ids: Sequence[int],
    verb: Callable[[Row], Did],
    *,
    allowed: Callable[[Row], bool],
    refusal: str = "",
) -> Outcome:
    """Do ``verb`` to each row that ``allowed`` lets pass; those that are gone count as failures.

    ``refusal``: the sentence for one that is not allowed.
    """
    outcome = Outcome()
    for start in range(0, len(ids), CHUNK):
        wanted = ids[start : start + CHUNK]
        found = _read(rows, wanted)
        for pk in wanted:
            _one(outcome, pk, found.get(pk), verb=verb, allowed=allowed, refusal=refusal)
    return outcome


def _read(rows: QuerySet[Row], wanted: Sequence[int]) -> dict[int, Row | None]:
    """Return the rows by their keys, each read by itself where one of them cannot be: then that one has its defaults."""
    try:
        return dict(rows.in_bulk(wanted))
    except UNREADABLE:
        found = [_read_alone(rows, pk) for pk in wanted]
        return dict(zip(wanted, found, strict=True))


def _read_alone(rows: QuerySet[Row], pk: int) -> Row | None:
    try:
        return rows.filter(pk=pk).first()
    except UNREADABLE:
        if rows.model is Schedule:
            # A verb reads its schedule anew: none but a deletion does anything with one that cannot be read.
            return read_schedule(pk)  # type: ignore[return-value] # it is a row of this model
        return rows.select_related(None).filter(pk=pk).first()


def _one(
    outcome: Outcome,
    pk: int,
    row: Row | None,
    *,
    verb: Callable[[Row], Did],
    allowed: Callable[[Row], bool],
    refusal: str,
) -> None:
    if row is None:
        outcome.failures.append(Failure(key="", name=f"#{pk}", reason=_("It was deleted meanwhile.")))
        return
    key, name, reason = str(row.uuid if isinstance(row, Run) else pk), str(row), ""
    did: Did = False
    try:
        if allowed(row):
            did = verb(row)
        else:
            reason = refusal
    except ObjectDoesNotExist:
        reason = _("It was deleted meanwhile.")
    except (OperationError, dispatch.DispatchError, DatabaseError, *UNREADABLE) as error:
        reason = str(error) or type(error).__name__
    if reason:
        outcome.failures.append(Failure(key=key, name=name, reason=reason))
    elif did:
        outcome.n_done += 1
        if isinstance(did, Held):
            outcome.n_held, outcome.why_held = outcome.n_held + 1, did.reason
    else:
        outcome.n_unchanged += 1


def switching(*, enabled: bool, actor: Actor, now: datetime) -> Verb:
    """Return the verb that switches a schedule on or off."""
    switch = schedules.enable if enabled else schedules.disable
    return lambda schedule: switch(schedule.pk, actor=actor, now=now).changed


def pausing(*, until: datetime | None, reason: str, actor: Actor, now: datetime) -> Verb:
    """Return the verb that pauses a schedule for a reason, until a moment (UTC) or until somebody resumes it."""
    return lambda schedule: (
        pauses.pause(schedule.pk, until=until, reason=reason, actor=actor, now=now).changed
    )


def resuming(*, actor: Actor, now: datetime) -> Verb:
    """Return the verb that ends a schedule's pause; one that is off without a pause stays off."""

    def resume(schedule: Schedule) -> bool:
        return schedule.paused_at is not None and pauses.resume(schedule.pk, actor=actor, now=now).changed

    return resume


def deleting(*, actor: Actor, now: datetime) -> Verb:
    """Return the verb that deletes a schedule."""

    def delete(schedule: Schedule) -> bool:
        schedules.delete(schedule.pk, actor=actor, now=now)
        return True

    return delete


def routing(queue: str, *, actor: Actor, now: datetime) -> Verb:
    """Return the verb that sends a schedule's runs to a queue; empty: to the task's own."""
    return lambda schedule: _edit(schedule, lambda _current: {"queue": queue}, actor=actor, now=now)


def tagging(tag: str, *, removes: bool = False, actor: Actor, now: datetime) -> Verb:
    """Return the verb that gives a schedule a tag, or takes it away."""

    def tagged(current: Schedule) -> Mapping[str, object]:
        others = [word for word in current.tags.split() if word != tag]
        return {"tags": written_tags(others if removes else [*others, tag])}

    def verb(schedule: Schedule) -> bool:
        if (tag in schedule.tags.split()) != removes:
            return False
        return _edit(schedule, tagged, actor=actor, now=now)

    return verb


def written_tags(words: Iterable[str]) -> str:
    """Return tags as the column holds them: between single spaces, one before the first and one after the last."""
    kept = sorted(set(words))
    return f" {' '.join(kept)} " if kept else ""


@contextmanager
def running(
    *, token: uuid.UUID, actor: Actor, now: datetime, even_if_running: bool = False
) -> Iterator[Verb]:
    """Give the verb that runs a schedule once; ``token`` names the click, so that the same form runs nothing twice.

    Where runs must not overlap each waits for an active one, unless ``even_if_running``.

    All messages go over one connection. A broker that is down is no failure: beat sends what is queued.
    """
    with publishing() as publish:
        yield _run_verb(publish, token=token, actor=actor, now=now, even_if_running=even_if_running)


@contextmanager
def publishing() -> Iterator[runs.Publish]:
    """Give what hands runs to the broker over one connection. A broker that is away is asked once, and not for each of them."""
    away: list[dispatch.BrokerUnavailable] = []
    with ExitStack() as stack:
        producer, celery_app = None, dispatch.app()
        try:
            producer = stack.enter_context(dispatch.producer(celery_app))
        except dispatch.BrokerUnavailable as error:
            away.append(error)

        def publish(run: Run) -> None:
            if away or producer is None:
                raise away[0]
            try:
                dispatch.publish(run, producer=producer, celery_app=celery_app)
            except dispatch.BrokerUnavailable as error:
                away.append(error)
                raise

        yield publish


def did_of(queued: runs.Queued) -> Did:
    """Return what a verb that starts a run returns for it; raises dispatch.Unsendable for one that can never be sent."""
    if queued.run.state == RunState.UNSENT and queued.created:
        raise dispatch.Unsendable(queued.reason)
    if queued.created and queued.run.state == RunState.PENDING and not queued.sent:
        return Held(reason=queued.reason)
    return queued.created


def _run_verb(
    publish: runs.Publish, *, token: uuid.UUID, actor: Actor, now: datetime, even_if_running: bool
) -> Verb:
    def run(schedule: Schedule) -> Did:
        key = str(uuid.uuid5(token, str(schedule.pk)))
        queued = runs.run_now(
            schedule.pk, token=key, actor=actor, now=now, publish=publish, even_if_running=even_if_running
        )
        return did_of(queued)

    return run


def _edit(
    schedule: Schedule,
    fields: Callable[[Schedule], Mapping[str, object]],
    *,
    actor: Actor,
    now: datetime,
) -> bool:
    """Change one thing on a schedule, whatever else somebody changes at the same time; returns whether it changed."""
    current = schedule
    for _again in range(EDIT_TRIES):
        seen = current.version
        try:
            return (
                schedules.edit(current.pk, fields(current), version=seen, actor=actor, now=now).version
                != seen
            )
        except VersionConflict as conflict:
            current = conflict.current
    raise VersionConflict(current)
