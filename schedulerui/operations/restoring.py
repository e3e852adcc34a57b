"""Bring a schedule back to what it was after one of its changes: an edit to the values that the audit row kept."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError

from schedulerui.facts import Actor
from schedulerui.models import Change, Schedule
from schedulerui.operations import audit, schedules, validation
from schedulerui.operations.errors import CodeManaged, InvalidSchedule, VersionConflict

VALUES = frozenset({"args", "kwargs", "headers", "options", "canvas"})
"""Fields that stay as they are when somebody restores who may not see them."""
LEFT_ALONE = frozenset({"enabled"})
"""Whether it is on is no part of a version: restoring starts and stops nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What bringing back a version would do."""

    differences: Mapping[str, list[object]]
    """Field to ``[now, then]``, as JSON can hold them."""
    errors: Mapping[str, list[str]]
    """Why it cannot be done today, field to sentences; empty when it can."""


def restoration(schedule: Schedule, change: Change, *, now: datetime, with_values: bool) -> Restoration:
    """Return what restoring the version after ``change`` would do to ``schedule``; writes nothing.

    Fields that the product has no more are left out, and those that came later stay as they are.
    """
    candidate = copy(schedule)
    errors = _bring_back(candidate, change, now=now, with_values=with_values)
    found = audit.difference(audit.snapshot(schedule), audit.snapshot(candidate))
    return Restoration(differences=found, errors=errors or (validation.errors_of(candidate) if found else {}))


def restore(
    schedule_id: int, change_id: int, *, version: int, actor: Actor, now: datetime, with_values: bool = True
) -> Schedule:
    """Change a schedule that is still at ``version`` to its values after a change; already so: nothing is written.

    Without ``with_values`` arguments and their like stay as they are. Raises InvalidSchedule for values that are wrong today,
    VersionConflict, CodeManaged, Schedule.DoesNotExist, and Change.DoesNotExist for what is no version of this schedule.
    """
    schedule = Schedule.objects.get(pk=schedule_id)
    change = version_of(schedule, change_id)
    if schedule.source == "code" and actor.via != "code":
        raise CodeManaged(schedule)
    if schedule.version != version:
        raise VersionConflict(schedule)
    before = audit.snapshot(schedule)
    errors = _bring_back(schedule, change, now=now, with_values=with_values)
    errors = errors or validation.errors_of(schedule)
    if errors:
        raise InvalidSchedule(errors)
    note = f"version {change.version}"
    return schedules.rewrite(schedule, before=before, actor=actor, now=now, action="restore", note=note)


def version_of(schedule: Schedule, change_id: int) -> Change:
    """Return the change after which a version of this schedule stood; raises Change.DoesNotExist."""
    change = Change.objects.get(pk=change_id, schedule=schedule)
    if not is_version(change):
        raise Change.DoesNotExist
    return change


def is_version(change: Change) -> bool:
    """Tell whether the values after a change were kept with it."""
    return isinstance(change.snapshot, dict) and bool(change.snapshot)


def _bring_back(
    schedule: Schedule, change: Change, *, now: datetime, with_values: bool
) -> dict[str, list[str]]:
    """Set the version's values on the object and return those that are no longer any, field to sentences."""
    left_alone = LEFT_ALONE if with_values else LEFT_ALONE | VALUES
    fields: dict[str, object] = {}
    errors: dict[str, list[str]] = {}
    for name, value in change.snapshot.items():
        if name not in audit.EDITABLE or name in left_alone:
            continue
        try:
            fields[name] = _read(name, value)
        except ValidationError as error:
            errors[name] = list(error.messages)
    if not errors:
        validation.apply(schedule, fields, now=now)
    return errors


def _read(name: str, value: object) -> object:
    """Return what JSON kept of a column as its Python value; raises ValidationError."""
    field = Schedule._meta.get_field(name)  # noqa: SLF001 - Django's documented introspection
    read: object = field.to_python(value)  # type: ignore[union-attr] # names of EDITABLE are concrete fields
    return read
