"""Verbs on single runs: run now, and what becomes of one that could not be sent."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Model
from django.utils.translation import gettext as _

from schedulerui import dispatch
from schedulerui.conf import settings
from schedulerui.crash import crash_point
from schedulerui.facts import Actor, Overlap, RunState, Trigger, progress
from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.operations import audit, bulk_sql, outcomes, parts, tokens
from schedulerui.operations.store_port import Blocker

logger = logging.getLogger(__name__)

Publish = Callable[[Run], None]
"""Hands one run to the broker; raises dispatch.DispatchError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """The run that was asked for; ``created`` is False when the same click had made it before."""

    run: Run
    created: bool
    sent: bool
    reason: str = ""
    """Why it was not sent at once, in a sentence; beat tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked for a run, when (UTC) and how."""

    action: str
    """What the audit row says."""
    actor: Actor
    now: datetime
    waits: bool = True
    """If runs of its schedule must not overlap and one is active, beat sends it after that one's end."""


def run_now(
    schedule_id: int,
    *,
    token: str,
    actor: Actor,
    now: datetime,
    publish: Publish | None = None,
    even_if_running: bool = False,
) -> Queued:
    """Run a schedule once, at once, whether it is enabled or not; its next run does not move.

    A schedule whose runs must not overlap lets it wait for the end of the one that is active, unless ``even_if_running``.

    The run is committed first and published after that, so that a broker that is down loses nothing: beat sends it as soon
    as it can, for MANUAL_SEND_WITHIN seconds. ``token`` names the click: the same token is the same run. Must not be called
    inside a transaction. Raises Schedule.DoesNotExist.
    """
    schedule = Schedule.objects.get(pk=schedule_id)
    run = manual_run(schedule, token=token, actor=actor, now=now)
    asked = Asked(action="run_now", actor=actor, now=now, waits=not even_if_running)
    return start(run, schedule=schedule, asked=asked, publish=publish)


def is_known(of: object, *, token: str) -> bool:
    """Tell whether the click that ``token`` names has made its run already; ``of``: the schedule's key, or ``again:`` and a run's."""
    return Run.objects.filter(key=_key(of, token)).exists()


def _key(of: object, token: str) -> str:
    return f"m:{of}:{token}"[:120]


def start(
    run: Run,
    *,
    schedule: Schedule | None,
    asked: Asked,
    publish: Publish | None = None,
) -> Queued:
    """Commit a run that a person asked for, with its audit row, and publish it after that; the same key is the same run.

    Must not be called inside a transaction. Raises Schedule.DoesNotExist.
    """
    action, actor, now = asked.action, asked.actor, asked.now
    try:
        with transaction.atomic():
            if schedule is not None:
                # The write comes first: on every database that is a lock, which claims, promotions and a deletion take too.
                if not Schedule.objects.filter(pk=schedule.pk).update(version=F("version")):
                    raise Schedule.DoesNotExist
                if asked.waits and _is_held(schedule, now=now):
                    wait(run)
            run.save(force_insert=True)
            note_last_run(run)
            if schedule is not None:
                audit.record(schedule, action=action, actor=actor, now=now, note=f"run {run.uuid}")
            else:
                audit.record_for_run(run, action=action, actor=actor, now=now)
    except IntegrityError:
        earlier = Run.objects.filter(key=run.key).first()
        if earlier is None:
            raise
        return Queued(run=earlier, created=False, sent=earlier.sent_at is not None, reason=earlier.reason)
    crash_point("run_now.committed")
    if run.state == RunState.WAITING:
        return Queued(run=run, created=True, sent=False, reason=run.reason)
    return _publish(run, publish or publish_from_here, now=now)


def wait(run: Run) -> None:
    """Let a run that is not saved yet wait: beat sends it when nothing of its schedule is active any more."""
    run.state, run.progress = RunState.WAITING, progress(RunState.WAITING)
    run.owner, run.lease_until, run.publishes = "", None, 0
    run.reason = _("It waits until the run before it has ended.")


def _is_held(schedule: Schedule, *, now: datetime) -> bool:
    """Tell whether something of a schedule that is locked is active, and its runs must not overlap."""
    if schedule.overlap == Overlap.ALLOW:
        return False
    queued_since = now - timedelta(seconds=settings().STALE_QUEUED_AFTER)
    found = Run.objects.filter(schedule=schedule).in_the_way(queued_since=queued_since)
    grace = schedule.cancel_grace
    return not all(
        Blocker(run_id=pk, state=state, cancel_requested_at=asked_at, cancel_grace=grace).is_let_go(now)
        for pk, state, asked_at in found.values_list("pk", "state", "cancel_requested_at")
    )


def publish_from_here(run: Run) -> None:
    """Publish one run on a connection of its own, within a few seconds; raises dispatch.DispatchError."""
    celery_app = dispatch.app()
    with dispatch.producer(celery_app) as producer:
        dispatch.publish(run, producer=producer, celery_app=celery_app)


def snapshot_of(schedule: Schedule, *, now: datetime) -> dict[str, object]:
    """Return the run's copy of what to send: an edit after this cannot change a re-send."""
    options: dict[str, object] = dict(schedule.options)
    for name in ("exchange", "routing_key", "priority", "soft_time_limit", "time_limit", "ignore_result"):
        value = getattr(schedule, name)
        if value not in {None, ""}:
            options[name] = value
    if schedule.expires_after:
        options["expires"] = (now + timedelta(seconds=schedule.expires_after)).isoformat()
    if not isinstance(schedule.headers, Mapping):
        message = "the headers are not a JSON object"
        raise TypeError(message)
    return {
        "schedule_id": schedule.pk,
        "schedule_name": schedule.name,
        "schedule_version": schedule.version,
        "delivery_mode": schedule.delivery,
        "task": schedule.task,
        "args": schedule.args,
        "kwargs": schedule.kwargs,
        "headers": dict(schedule.headers),
        "options": options,
        "queue": schedule.queue,
        "canvas": schedule.canvas,
        "created_at": now,
    }


def note_last_run(run: Run) -> None:
    """Write the run into its schedule's state row, in the caller's transaction."""
    ScheduleState.objects.filter(schedule=run.schedule_id).update(
        last_run_id=run.pk, last_run_at=run.due_at, last_state=run.state
    )


def mark_unsent(run: Run, *, reason: str, now: datetime) -> bool:
    """Give a run up that is still pending; returns whether it was."""
    with transaction.atomic():
        changed = Run.objects.filter(pk=run.pk, state=RunState.PENDING).update(
            state=RunState.UNSENT,
            progress=progress(RunState.UNSENT),
            lease_until=None,
            finished_at=now,
            reason=reason[:500],
        )
        if changed:
            outcomes.follow(run, RunState.UNSENT, runtime=None, is_again=False)
    return bool(changed)


def manual_run(schedule: Schedule, *, token: str, actor: Actor, now: datetime) -> Run:
    """Return the run of one click on a schedule, not saved yet."""
    run = Run(
        key=_key(schedule.pk, token), **of_click(actor=actor, now=now), **snapshot_of(schedule, now=now)
    )
    tokens.fill(run)
    return run


def of_click(*, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return the columns of a run that somebody asks for: due at once, and about to be published by whoever asks."""
    return {
        "trigger": Trigger.MANUAL,
        "actor": actor.name[:150],
        "due_at": now,
        "task_id": str(uuid.uuid4()),
        "state": RunState.PENDING,
        "progress": progress(RunState.PENDING),
        "publishes": 1,
        "owner": f"{actor.via}:{actor.name}"[:120],
        "lease_until": now + timedelta(seconds=settings().DISPATCH_LEASE),
    }


def _publish(run: Run, publish: Publish, *, now: datetime) -> Queued:
    try:
        publish(run)
    except dispatch.Unsendable as error:
        mark_unsent(run, reason=str(error), now=now)
        run.refresh_from_db()
        return Queued(run=run, created=True, sent=False, reason=str(error))
    except dispatch.DispatchError as error:
        reason = _("Queued for dispatch: %(error)s") % {"error": error}
        logger.warning(
            "run %s waits for the broker", run.uuid, extra={"action": "run_now_waits", "run": str(run.uuid)}
        )
        Run.objects.filter(pk=run.pk, state=RunState.PENDING).update(lease_until=now, reason=reason[:500])
        run.refresh_from_db()
        return Queued(run=run, created=True, sent=False, reason=str(error))
    mark_sent([run], sent_at=now)
    run.refresh_from_db()
    return Queued(run=run, created=True, sent=True)


MARK_RUNS = (
    "UPDATE {table} SET state = CASE WHEN progress < %s THEN %s ELSE state END, "
    "reason = CASE WHEN progress < %s THEN '' ELSE reason END, "
    "progress = CASE WHEN progress < %s THEN %s ELSE progress END, "
    "sent_at = COALESCE(sent_at, %s), lease_until = NULL WHERE id IN %s"
)
MARK_STATES = (
    "UPDATE {beside} SET last_state = %s WHERE last_state = %s AND schedule_id IN %s AND last_run_id IN %s"
)
MARK_BOTH = f"WITH noted AS ({MARK_STATES}) {MARK_RUNS}"
"""For PostgreSQL, one commit for both; it writes the runs first, as everybody does who writes a run and what is beside its schedule."""


def mark_sent(runs: Iterable[Run], *, sent_at: datetime) -> int:
    """Mark runs as sent, in one statement or two for any number; a worker that was faster keeps its later state."""
    sent = list(runs)
    ids = [run.pk for run in sent]
    if not ids:
        return 0
    # Written out: Django would look at each id singly, twice. Column by column the order matters, because MySQL and MariaDB
    # read already assigned columns in the later ones.
    reached = progress(RunState.SENT)
    of_runs = [reached, str(RunState.SENT), reached, reached, reached, sent_at, ids]
    of_schedules = list({run.schedule_id for run in sent if run.schedule_id is not None})
    of_states = [str(RunState.SENT), str(RunState.PENDING), of_schedules, ids]
    is_in_one = bool(of_schedules) and bulk_sql.can_write_two()
    tables: dict[str, type[Model]] = {"table": Run, "beside": ScheduleState}
    if is_in_one:
        marked = bulk_sql.execute(MARK_BOTH, [*of_states, *of_runs], tables=tables)
    else:
        marked = bulk_sql.execute(MARK_RUNS, of_runs, tables=tables)
        if of_schedules:
            bulk_sql.execute(MARK_STATES, of_states, tables=tables)
    for run in sent:
        if run.canvas:
            parts.catch_up(run.pk)  # its parts may have told of themselves before it was marked
    return marked
