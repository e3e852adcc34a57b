"""What people did to schedules, told to Django's admin too where the host has it: its "History" then says the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.apps import apps

from schedulerui.models import Change, Schedule

ADMIN = "django.contrib.admin"
ADDITION, CHANGE, DELETION = 1, 2, 3
"""The admin's own flags."""
FLAGS: Mapping[str, int] = {"create": ADDITION, "delete": DELETION}


def write(change: Change, *, schedule_id: int | None) -> None:
    """Write the admin's line beside a line of the audit log, of a person's change; names of fields, and no value.

    In the caller's transaction. Nothing where the host has no admin, or nobody is known who did it, or to which schedule.
    """
    if change.user_id is None or schedule_id is None or not apps.is_installed(ADMIN):
        return
    log: Any = apps.get_model("admin", "LogEntry")
    kinds: Any = apps.get_model("contenttypes", "ContentType")
    log.objects.create(
        action_time=change.at,
        user_id=change.user_id,
        content_type_id=kinds.objects.get_for_model(Schedule).pk,
        object_id=str(schedule_id),
        object_repr=change.schedule_name[:200],
        action_flag=FLAGS.get(change.action, CHANGE),
        change_message=_message(change),
    )


def _message(change: Change) -> str:
    if change.action == "create":
        return json.dumps([{"added": {}}])
    if change.action == "delete":
        return json.dumps([{"deleted": {}}])
    if change.diff:
        return json.dumps([{"changed": {"fields": [field_label(name) for name in change.diff]}}])
    return f"{change.action}: {change.note}" if change.note else change.action


def field_label(name: str) -> str:
    """Return a field's name for people; of a field that is no more, its own."""
    names = {field.name: field for field in Schedule._meta.concrete_fields}  # noqa: SLF001 - Django's documented introspection
    return str(getattr(names.get(name), "verbose_name", name))
