"""A line of the audit log with what changed in it; values only for those who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui.models import Change
from schedulerui.operations.admin_history import field_label
from schedulerui.presenters.values import redact

VERBS: tuple[tuple[str, Any], ...] = (
    ("create", gettext_lazy("created")),
    ("edit", gettext_lazy("edited")),
    ("enable", gettext_lazy("switched on")),
    ("disable", gettext_lazy("switched off")),
    ("pause", gettext_lazy("paused")),
    ("resume", gettext_lazy("resumed")),
    ("restore", gettext_lazy("brought back an older version")),
    ("delete", gettext_lazy("deleted")),
    ("run_now", gettext_lazy("run by hand")),
    ("run_custom", gettext_lazy("run with other values")),
    ("cancel", gettext_lazy("cancelled a run")),
    ("terminate", gettext_lazy("had a running body ended")),
    ("run_again", gettext_lazy("run again")),
    ("reset_timer", gettext_lazy("let its interval begin anew")),
    ("resend", gettext_lazy("sent a run again")),
    ("adopt", gettext_lazy("adopted from code")),
    ("rename_app", gettext_lazy("moved to another Celery app")),
    ("skip", gettext_lazy("left out one time")),
    ("unskip", gettext_lazy("put a time back")),
    ("silence", gettext_lazy("silenced alerts")),
    ("unsilence", gettext_lazy("ended a silence")),
    ("try_channels", gettext_lazy("tried the channels of alerts")),
    ("worker_pool_grow", gettext_lazy("added processes to a worker")),
    ("worker_pool_shrink", gettext_lazy("removed processes from a worker")),
    ("worker_autoscale", gettext_lazy("let a worker scale by itself")),
    ("worker_pool_restart", gettext_lazy("restarted a worker's pool")),
    ("worker_add_consumer", gettext_lazy("had a worker take from a queue")),
    ("worker_cancel_consumer", gettext_lazy("had a worker stop taking from a queue")),
    ("worker_rate_limit", gettext_lazy("limited the rate of a task")),
    ("worker_time_limit", gettext_lazy("limited the time of a task")),
    ("worker_revoke", gettext_lazy("had a worker forget a task")),
    ("worker_terminate", gettext_lazy("had a worker end a task")),
    ("worker_shutdown", gettext_lazy("shut a worker down")),
    ("recompute", gettext_lazy("moved by new zone data")),
)
"""What can be done to a schedule, in the words of the log."""
VIAS: tuple[tuple[str, Any], ...] = (
    ("browser", gettext_lazy("browser")),
    ("admin", gettext_lazy("admin")),
    ("command", gettext_lazy("command")),
    ("code", gettext_lazy("code")),
)
"""The ways on which a change comes."""
GUARDED = frozenset({"args", "kwargs", "headers", "options", "canvas"})
SHOWN_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field before and after, as text."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """Who did what, when, from where, to which schedule."""

    pk: int
    at: datetime
    actor: str
    verb: str
    via: str
    address: str
    schedule_id: int | None
    schedule_name: str
    version: int
    note: str
    differences: tuple[Difference, ...]
    is_version: bool
    """The values after it were kept, and can be brought back."""


def change_row(change: Change, *, with_values: bool) -> ChangeRow:
    """Return the line of a change; ``with_values`` is the permission to see arguments."""
    return ChangeRow(
        pk=change.pk,
        at=change.at,
        actor=change.actor,
        verb=str(dict(VERBS).get(change.action, change.action)),
        via=str(dict(VIAS).get(change.via, change.via)),
        address=change.address,
        schedule_id=change.schedule_id,
        schedule_name=change.schedule_name,
        version=change.version,
        note=change.note,
        differences=differences_of(change.diff, with_values=with_values),
        is_version=change.schedule_id is not None and bool(change.version) and change.action != "delete",
    )


def differences_of(diff: Mapping[str, list[Any]], *, with_values: bool) -> tuple[Difference, ...]:
    """Return field to ``[before, after]`` as text; ``with_values`` is the permission to see arguments."""
    return tuple(_difference(name, pair, with_values=with_values) for name, pair in diff.items())


def _difference(name: str, pair: list[Any], *, with_values: bool) -> Difference:
    label = field_label(name)
    if name in GUARDED and not with_values:
        return Difference(field=label, before=_("hidden"), after=_("hidden"))
    before, after = pair
    return Difference(field=label, before=value_text(redact(before)), after=value_text(redact(after)))


def value_text(value: object) -> str:
    """Return a stored value in few words."""
    if value is None or value in ("", [], {}):
        return "—"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = str(value)
    return text if len(text) <= SHOWN_LIMIT else text[:SHOWN_LIMIT] + "…"
