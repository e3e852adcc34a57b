"""One line of the audit log for every change, written in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schedulerui.facts import Actor
from schedulerui.models import Change, Run, Schedule
from schedulerui.operations import admin_history

EDITABLE: tuple[str, ...] = tuple(
    field.name
    for field in Schedule._meta.concrete_fields  # noqa: SLF001 - Django's documented introspection
    if field.editable and field.name not in {"id", "source", "source_key"}
)
"""Fields that a person decides about; beat's and the workers' own columns are not among them."""


def plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):  # SQLite keeps what it is given, also in a column of text
        return value.decode(errors="backslashreplace")
    return value


def snapshot(schedule: Schedule) -> dict[str, object]:
    """Return all editable values of a schedule as JSON can hold them."""
    return {name: plain(getattr(schedule, name)) for name in EDITABLE}


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, list[object]]:
    """Return field to ``[before, after]`` for the values that differ."""
    return {name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]}


def write(action: str, *, actor: Actor, now: datetime, note: str = "", **subject: Any) -> Change:
    """Write one line: who did what and when; ``subject`` are the columns about what it was done to, if to a schedule."""
    return Change.objects.create(
        at=now,
        action=action[:24],
        user_id=actor.user_id,
        actor=actor.name[:150],
        via=actor.via,
        address=actor.address[:45],
        note=note[:500],
        **subject,
    )


def record(
    schedule: Schedule,
    *,
    action: str,
    actor: Actor,
    now: datetime,
    before: Mapping[str, object] | None = None,
    note: str = "",
) -> Change:
    """Write the audit row of a change to ``schedule``, whose values are those after the change."""
    after = snapshot(schedule)
    change = write(
        action,
        actor=actor,
        now=now,
        note=note,
        schedule=schedule if schedule.pk else None,
        schedule_uuid=schedule.uuid,
        schedule_name=schedule.name,
        version=schedule.version,
        diff=difference(before, after) if before is not None else {},
        snapshot=after,
    )
    admin_history.write(change, schedule_id=schedule.pk)
    return change


def record_for_run(run: Run, *, action: str, actor: Actor, now: datetime) -> Change:
    """Write the audit row of something done to one run, also when its schedule is deleted or it never had one."""
    change = write(
        action,
        actor=actor,
        now=now,
        note=f"run {run.uuid}",
        schedule_id=run.schedule_id,
        schedule_uuid=run.schedule.uuid if run.schedule is not None else None,
        schedule_name=run.schedule_name,
        version=run.schedule_version,
    )
    admin_history.write(change, schedule_id=run.schedule_id)
    return change
