"""Calling off what has not gone, and asking workers to give up what has: written to the row first, so that no restart forgets it.

Celery keeps revoked ids in each worker's memory: a worker that is killed forgets them, and a redelivered task runs after all
(measured). Here the row remembers: the guard class asks it before a body begins, every worker reads it with its heartbeat, and the
monitor repeats the order to end a running body until it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from schedulerui import dispatch, remote
from schedulerui.facts import FINISHED, WITH_WORKER, Actor, Overlap, RunState, progress
from schedulerui.models import Part, Run, Schedule
from schedulerui.operations import audit, outcomes, parts
from schedulerui.planning import SUPERSEDED

logger = logging.getLogger(__name__)

ABROAD = (RunState.SENT, *WITH_WORKER)
"""States in which a broker or a worker has the message."""
NOT_BEGUN = (RunState.SENT, RunState.RECEIVED, RunState.RETRYING)
AT_HOME = (RunState.WAITING, RunState.PENDING)
REMEMBERED = timedelta(days=1)
"""For how long workers are told of a wish that nobody has obeyed."""
REPEATED = timedelta(hours=1)
LISTED = 1_000
OF_OVERLAP = "the overlap policy"
Tell = Callable[..., None]
"""``remote.revoke``, or what stands in for it."""
Target = tuple[str, str, str]
"""A task id, the worker that has it and its state."""


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
    orders = _orders(run)
    reason = _("Cancelled by %(name)s.") % {"name": actor.name}
    if call_off(run, by=actor.name, reason=reason, now=now, terminate=terminate):
        audit.record_for_run(run, action="cancel", actor=actor, now=now)
        return _called_off(run, orders, terminate=terminate, tell=tell)
    run.refresh_from_db()
    if RunState(run.state) in FINISHED:
        return Cancelled(changed=False, sentence=_("It has ended already."))
    if not request(run, by=actor.name, terminate=terminate, now=now):
        return Cancelled(changed=False, sentence=_("That was asked for already."))
    audit.record_for_run(run, action="terminate" if terminate else "cancel", actor=actor, now=now)
    try:
        order(run, tell=tell)
    except dispatch.DispatchError as error:
        return _unheard(error)
    if terminate:
        return Cancelled(changed=True, sentence=_("Its worker was told to end it."))
    return Cancelled(changed=True, sentence=_("Workers were told not to begin it; a body that runs goes on."))


def call_off(run: Run, *, by: str, reason: str, now: datetime, terminate: bool = False) -> bool:
    """Cancel a run that was not sent yet; return whether it was still here.

    A claimed one may be on its way in this very moment, and of a canvas some parts may be out: workers are not to begin them,
    and ``terminate`` ends the bodies that have begun.
    """
    with transaction.atomic():
        mine = Run.objects.filter(pk=run.pk)
        changed = _cancel(mine, by=by, reason=reason, now=now, terminate=terminate)
        if changed:
            outcomes.follow(run, RunState.CANCELLED, runtime=None, is_again=False)
            if run.canvas:
                parts.call_off(run.pk, reason=reason, now=now)
    return bool(changed)


def call_off_all(runs: QuerySet[Run], *, by: str, reason: str, now: datetime) -> None:
    """Cancel those of these runs that were not sent yet. What stands beside their schedules stays as it is."""
    with transaction.atomic():
        halves = runs.filter(state=RunState.PENDING).exclude(canvas={})
        canvases = list(halves.values_list("pk", flat=True))
        _cancel(runs, by=by, reason=reason, now=now, terminate=False)
        # One that a beat has marked as sent meanwhile is not called off, and neither are its parts.
        called_off = (
            Run.objects.filter(pk__in=canvases, state=RunState.CANCELLED) if canvases else runs.none()
        )
        for pk in list(called_off.values_list("pk", flat=True)):
            parts.call_off(pk, reason=reason, now=now)


def _cancel(runs: QuerySet[Run], *, by: str, reason: str, now: datetime, terminate: bool) -> int:
    """Do it in one statement: a run that is marked as sent in between would keep the wish and not be cancelled."""
    wish = {"cancel_requested_by": by[:150], "cancel_terminate": terminate, "cancel_requested_at": now}
    in_doubt = Q(publishes__gt=0, cancel_requested_at__isnull=True)
    # The moment last: MariaDB reads what is assigned already.
    wished = {name: Case(When(in_doubt, then=Value(value)), default=F(name)) for name, value in wish.items()}
    return runs.filter(state__in=AT_HOME).update(
        **wished,
        state=RunState.CANCELLED,
        progress=progress(RunState.CANCELLED),
        lease_until=None,
        finished_at=now,
        reason=reason[:500],
    )


def keep_from_beginning(run: Run, *, now: datetime) -> None:
    """Let no worker begin a pending run that is about to be given up, if no two runs of its schedule may go at once.

    Otherwise it would begin beside a newer one, should its message be out after all.
    """
    exclusive = Schedule.objects.filter(pk=run.schedule_id or 0).exclude(overlap=Overlap.ALLOW)
    mine = Run.objects.filter(pk=run.pk, state=RunState.PENDING, cancel_requested_at__isnull=True)
    mine.filter(schedule__in=exclusive).update(cancel_requested_at=now, cancel_requested_by=OF_OVERLAP)


def reason_of(run: Run) -> str:
    """Return why a run is called off whose end was asked for before it was sent."""
    if run.cancel_requested_by == OF_OVERLAP:
        return SUPERSEDED
    return _("Cancelled by %(name)s.") % {"name": run.cancel_requested_by}


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
    _give(_orders(run), terminate=run.cancel_terminate, tell=tell)


def _orders(run: Run) -> list[Target]:
    """Return what of a run may still begin or end; a canvas' parts, if it has any."""
    ids = list(Part.objects.filter(run=run).values_list("task_id", "worker", "state")) if run.canvas else []
    either = ids or [(str(run.task_id), run.worker, run.state)]
    return [(task_id, worker, state) for task_id, worker, state in either if state not in FINISHED]


def _give(orders: Iterable[Target], *, terminate: bool, tell: Tell | None) -> None:
    say = tell or remote.revoke
    for task_id, worker, state in orders:
        ends = terminate and state == RunState.STARTED
        say(task_id, terminate=ends, hostname=worker if ends else "")


def _called_off(run: Run, orders: list[Target], *, terminate: bool, tell: Tell | None) -> Cancelled:
    """Say what has come of calling off a run; workers hear of what may be out."""
    if not run.publishes:
        return Cancelled(changed=True, sentence=_("Cancelled before it was sent."))
    try:
        _give(orders, terminate=terminate, tell=tell)
    except dispatch.DispatchError as error:
        return _unheard(error)
    if run.canvas:
        return Cancelled(
            changed=True, sentence=_("Cancelled; workers were told not to begin the parts that were sent.")
        )
    return Cancelled(
        changed=True, sentence=_("Cancelled; workers were told not to begin it, should it be on its way.")
    )


def _unheard(error: dispatch.DispatchError) -> Cancelled:
    text = _("Noted; the broker could not be reached, so workers hear of it when it is back: %(error)s")
    return Cancelled(changed=True, sentence=text % {"error": error})


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
    rows = list(_undesired(now).values_list("pk", "task_id", "canvas")[:LISTED])
    of_parts = [pk for pk, _task_id, canvas in rows if canvas]
    # What was called off with its run may be out too.
    unbegun = Q(state__in=[RunState.WAITING, *NOT_BEGUN]) | Q(
        state=RunState.REVOKED, received_at__isnull=True
    )
    ids = Part.objects.filter(unbegun, run__in=of_parts).values_list("task_id", flat=True) if of_parts else []
    return [*(str(task_id) for _pk, task_id, canvas in rows if not canvas and task_id), *map(str, ids)]


def _undesired(now: datetime) -> QuerySet[Run]:
    """Return the runs that were to be given up lately and may still begin, the newest wish first."""
    wanted = Q(state__in=[RunState.PENDING, *NOT_BEGUN])
    # Of a canvas that has begun, most parts may not have.
    wanted |= Q(state=RunState.STARTED) & ~Q(canvas={})
    # There may be many of these; a bound on what is due keeps them to a stretch of an index. A canvas is over when what is
    # known of its parts has ended: messages of those that were called off with it may still be out.
    over = Q(state__in=[RunState.UNSENT, RunState.CANCELLED]) | Q(state=RunState.REVOKED) & ~Q(canvas={})
    wanted |= over & Q(due_at__gt=now - 2 * REMEMBERED)
    runs: QuerySet[Run] = Run.objects.filter(wanted, cancel_requested_at__gt=now - REMEMBERED)
    return runs.order_by("-cancel_requested_at")
