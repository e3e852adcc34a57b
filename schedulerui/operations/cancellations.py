"""Calling off what has not gone, and asking workers to give up what has: written to the row first, so that no restart forgets it.

Celery keeps revoked ids in each worker's memory: a worker that is killed forgets them, and a redelivered task runs after all
(measured). Here the row remembers: the guard class asks it before a body begins, every worker reads it with its heartbeat, and the
monitor repeats the order to end a running body until it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from schedulerui import dispatch, remote
from schedulerui.facts import FINISHED, Actor, RunState, progress
from schedulerui.models import Part, Run
from schedulerui.operations import audit, outcomes
from schedulerui.planning import SUPERSEDED

logger = logging.getLogger(__name__)

ABROAD = (RunState.SENT, RunState.RECEIVED, RunState.STARTED, RunState.RETRYING)
"""States in which a broker or a worker has the message."""
AT_HOME = (RunState.WAITING, RunState.PENDING)
REMEMBERED = timedelta(days=1)
"""For how long workers are told of a wish that nobody has obeyed."""
REPEATED = timedelta(hours=1)
LISTED = 1_000
OF_OVERLAP = "the overlap policy"
Tell = Callable[..., None]
"""``remote.revoke``, or what stands in for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What came of it: whether anything changed, and a sentence."""

    changed: bool
    sentence: str


def cancel(
    run_id: int, *, terminate: bool, actor: Actor, now: datetime, tell: Tell | None = None
) -> Cancelled:
    """Call a run off, or ask its worker to give it up; ``terminate`` ends the body too if it has begun.

    Must not be called inside a transaction. Raises Run.DoesNotExist.
    """
    run = Run.objects.get(pk=run_id)
    if call_off(run, reason=_("Cancelled by %(name)s.") % {"name": actor.name}, now=now):
        audit.record_for_run(run, action="cancel", actor=actor, now=now)
        return Cancelled(changed=True, sentence=_("Cancelled before it was sent."))
    run.refresh_from_db()
    if RunState(run.state) in FINISHED:
        return Cancelled(changed=False, sentence=_("It has ended already."))
    if not request(run, by=actor.name, terminate=terminate, now=now):
        return Cancelled(changed=False, sentence=_("That was asked for already."))
    audit.record_for_run(run, action="terminate" if terminate else "cancel", actor=actor, now=now)
    try:
        order(run, tell=tell)
    except dispatch.DispatchError as error:
        text = _("Noted; the broker could not be reached, so workers hear of it when it is back: %(error)s")
        return Cancelled(changed=True, sentence=text % {"error": error})
    if terminate:
        return Cancelled(changed=True, sentence=_("Its worker was told to end it."))
    return Cancelled(changed=True, sentence=_("Workers were told not to begin it; a body that runs goes on."))


def call_off(run: Run, *, reason: str, now: datetime) -> bool:
    """Cancel a run that was not sent yet; return whether it was still here."""
    with transaction.atomic():
        changed = Run.objects.filter(pk=run.pk, state__in=AT_HOME).update(
            state=RunState.CANCELLED,
            progress=progress(RunState.CANCELLED),
            lease_until=None,
            finished_at=now,
            reason=reason[:500],
        )
        if changed:
            outcomes.follow(run, RunState.CANCELLED, runtime=None, is_again=False)
    return bool(changed)


def request(run: Run, *, by: str, terminate: bool, now: datetime) -> bool:
    """Write the wish that a sent run be given up; return whether it is new. A wish to terminate outdoes one that was not."""
    asked = Q(cancel_requested_at__isnull=True)
    if terminate:
        asked |= Q(cancel_terminate=False)
    mine = Run.objects.filter(asked, pk=run.pk, state__in=ABROAD)
    changed = mine.update(cancel_requested_at=now, cancel_requested_by=by[:150], cancel_terminate=terminate)
    if changed:
        run.cancel_requested_at, run.cancel_requested_by, run.cancel_terminate = now, by[:150], terminate
    return bool(changed)


def supersede(kept: Mapping[int, str], *, now: datetime) -> None:
    """Make room for the newest run of schedules that cancel the one before; inside the claim that inserts it.

    ``kept``: schedule to the key of the run that is to wait. What is alive is asked to end, what waited before is called off. One
    that another beat holds is asked too and not called off: its message may be out.
    """
    alive = Run.objects.filter(schedule__in=kept, state__in=(RunState.PENDING, *ABROAD))
    alive.filter(cancel_requested_at__isnull=True).update(
        cancel_requested_at=now, cancel_requested_by=OF_OVERLAP, cancel_terminate=True
    )
    Run.objects.filter(schedule__in=kept, state=RunState.WAITING).exclude(key__in=kept.values()).update(
        state=RunState.CANCELLED,
        progress=progress(RunState.CANCELLED),
        finished_at=now,
        reason=SUPERSEDED,
    )


def order(run: Run, *, tell: Tell | None = None) -> None:
    """Tell workers once; raises dispatch.DispatchError."""
    say = tell or remote.revoke
    ids = list(Part.objects.filter(run=run).values_list("task_id", "worker", "state")) if run.canvas else []
    for task_id, worker, state in ids or [(str(run.task_id), run.worker, run.state)]:
        if RunState(state) not in FINISHED:
            ends = run.cancel_terminate and state == RunState.STARTED
            say(task_id, terminate=ends, hostname=worker if ends else "")


def repeat(now: datetime, *, tell: Tell | None = None) -> int:
    """Tell workers again of bodies that were to end and have not; return how many. The monitor's step.

    Raises dispatch.DispatchError when the broker is away: the next round tries again.
    """
    running = Run.objects.filter(
        state=RunState.STARTED, cancel_terminate=True, cancel_requested_at__gt=now - REPEATED
    )
    runs = list(running.order_by("pk")[:LISTED])
    for run in runs:
        order(run, tell=tell)
    return len(runs)


def unwanted(now: datetime) -> list[str]:
    """Return the task ids that no worker is to begin: what a worker reads at its start and with each heartbeat."""
    not_begun = [RunState.SENT, RunState.RECEIVED, RunState.RETRYING]
    # Of a canvas that has begun, most parts may not have.
    either = Q(state__in=not_begun) | (Q(state=RunState.STARTED) & ~Q(canvas={}))
    waiting = Run.objects.filter(either, cancel_requested_at__gt=now - REMEMBERED)
    rows = list(waiting.order_by("-cancel_requested_at").values_list("pk", "task_id", "canvas")[:LISTED])
    of_parts = [pk for pk, _task_id, canvas in rows if canvas]
    kept = Part.objects.filter(run__in=of_parts, state__in=[RunState.WAITING, *not_begun])
    parts = kept.values_list("task_id", flat=True) if of_parts else []
    return [*(str(task_id) for _pk, task_id, canvas in rows if not canvas and task_id), *map(str, parts)]
