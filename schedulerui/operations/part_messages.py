"""Where the messages of a canvas' parts are: what ``pickup`` tells of a run, for each task of it that was sent.

How many messages were sent after one is not counted here, so a part is called lost only when its queue is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from schedulerui.canvas import Leaf, entries, is_sound, leaves
from schedulerui.conf import settings
from schedulerui.facts import WITH_WORKER, RunState
from schedulerui.models import Part, Run
from schedulerui.operations import pickup
from schedulerui.operations.pickup import Pickup, QueueOf, View

LOOK_BATCH = 200
"""Most runs looked at in one round, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A part that was sent and that no worker has received; ``as_run`` says what a plain run in its place would say."""

    part: Part
    as_run: Run


def sent_parts(run: Run) -> list[Message]:
    """Return the parts of a sent run whose messages are on their way; one query."""
    by_path = {part.path: part for part in Part.objects.filter(run=run).defer("result", "traceback")}
    return list(_sent(run, by_path))


def begun(*, sent_before: datetime) -> QuerySet[Run]:
    """Return the canvases that were sent before the moment and of which something may still be on its way."""
    states = [RunState.SENT, *WITH_WORKER]
    return Run.objects.filter(state__in=states, sent_at__lt=sent_before).exclude(canvas={})


def may_be_resent(run: Run) -> bool:
    """Return whether a part waits that sending the run again would send."""
    waiting = Part.objects.filter(run=run, state=RunState.WAITING, path__in=entries(run.canvas))
    return run.state in WITH_WORKER and waiting.exists()


def is_first(run: Run, part: Part) -> bool:
    """Return whether sending the run again can send this part: a later one is given what the one before it returned."""
    return part.path in entries(run.canvas)


def locate(
    run: Run, *, queue_of: QueueOf, redelivery: timedelta, now: datetime
) -> tuple[Message, Pickup] | None:
    """Return the first part of a sent run that nobody picks up in time, and where it is; None when there is none."""
    messages = [message for message in sent_parts(run) if pickup.is_overdue(message.as_run, now)]
    if not messages:
        return None
    view = View.read(now, redelivery=redelivery)
    return next(((message, found) for message, found in _located(messages, view, queue_of)), None)


def note(now: datetime, *, queue_of: QueueOf, redelivery: timedelta, limit: int = LOOK_BATCH) -> int:
    """Write as the reason of parts that nobody picks up what is known, and take it back; return how many the broker has lost.

    A run of which no part has been received says it too.
    """
    runs = list(
        begun(sent_before=now - timedelta(seconds=settings().PICKUP_GRACE)).order_by("-sent_at", "-id")[
            :limit
        ]
    )
    view = View.read(now, redelivery=redelivery) if runs else None
    n_gone = 0
    for run in runs:
        messages = [message for message in sent_parts(run) if pickup.is_overdue(message.as_run, now)]
        for message, found in _located(messages, view, queue_of):
            n_gone += found.where is pickup.Whereabouts.GONE
            _write(message, pickup.words(found))
    return n_gone


def _located(
    messages: list[Message], view: View | None, queue_of: QueueOf
) -> Iterator[tuple[Message, Pickup]]:
    for message in messages:
        queue = queue_of(message.as_run)
        if view is not None and queue:
            yield message, view.locate(message.as_run, queue=queue, n_newer=0)


def _write(message: Message, words: str) -> None:
    part = message.part
    if words != part.reason and (words or pickup.is_ours(part.reason)):
        Part.objects.filter(pk=part.pk, state=RunState.WAITING).update(reason=words)
        Run.objects.filter(pk=part.run_id, state=RunState.SENT).update(reason=words)


def _sent(run: Run, by_path: dict[str, Part]) -> Iterator[Message]:
    for leaf in leaves(run.canvas) if is_sound(run.canvas) else []:
        part, before = by_path.get(leaf.path), [by_path.get(path) for path in leaf.after]
        ends = [each.finished_at for each in before if each is not None and each.state == RunState.SUCCEEDED]
        moments = [moment for moment in (run.sent_at, *ends) if moment is not None]
        if part is not None and part.state == RunState.WAITING and moments and len(ends) == len(before):
            yield Message(part=part, as_run=_as_run(run, part, leaf, sent_at=max(moments)))


def _as_run(run: Run, part: Part, leaf: Leaf, *, sent_at: datetime) -> Run:
    own = dict(leaf.node["options"])
    return Run(
        state=RunState.SENT,
        sent_at=sent_at,
        task=part.task,
        task_id=part.task_id,
        trigger=run.trigger,
        queue=str(own.pop("queue", "") or run.queue),
        options={**run.options, **own},
    )
