"""After an update of the zone data: compute the next runs anew, and say which moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import audit, schedules

BATCH = 500
"""Schedules read at once, so that memory stays flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A schedule whose next run is another than the stored one; moments in UTC, None for no further run."""

    schedule: Schedule
    before: datetime | None
    after: datetime | None
    error: str = ""


def recompute(*, actor: Actor, now: datetime, dry_run: bool = False) -> Iterator[Moved]:
    """Compute the next run of every enabled schedule anew and yield those that moved, as they are written.

    A schedule that is due is left to beat, and one that beat or an editor changes meanwhile is not touched: both compute
    with the new data anyway. ``dry_run`` writes nothing.
    """
    last_pk = 0
    while True:
        rows = Schedule.objects.enabled().filter(pk__gt=last_pk, next_run_at__gt=now).order_by("pk")
        batch = list(rows[:BATCH])
        for schedule in batch:
            moved = _one(schedule, actor=actor, now=now, dry_run=dry_run)
            if moved is not None:
                yield moved
        if len(batch) < BATCH:
            return
        last_pk = batch[-1].pk


def _one(schedule: Schedule, *, actor: Actor, now: datetime, dry_run: bool) -> Moved | None:
    seen_run_at, seen_nominal_at = schedule.next_run_at, schedule.next_nominal_at
    schedules.set_next(schedule, now=now)
    if (schedule.next_run_at, schedule.next_nominal_at) == (seen_run_at, seen_nominal_at):
        return None
    moved = Moved(schedule=schedule, before=seen_run_at, after=schedule.next_run_at, error=schedule.error)
    if dry_run:
        return moved
    with transaction.atomic():
        unchanged = Schedule.objects.filter(
            pk=schedule.pk, version=schedule.version, next_run_at=seen_run_at, enabled=True
        )
        won = unchanged.update(
            next_nominal_at=schedule.next_nominal_at,
            next_run_at=schedule.next_run_at,
            error=schedule.error,
            updated_at=now,
        )
        if not won:
            return None
        note = f"next run: {_text(moved.before)} -> {_text(moved.after)}"
        audit.record(schedule, action="recompute", actor=actor, now=now, note=note)
    return moved


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "none"
