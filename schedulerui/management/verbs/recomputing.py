"""`recompute`: after an update of the zone data, compute the next runs anew and list those that moved."""

from __future__ import annotations

from datetime import datetime

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming, tables
from schedulerui.operations import recompute
from schedulerui.presenters import moments


def show(*, dry_run: bool) -> str:
    """Compute anew and return the list of what moved; ``dry_run`` writes nothing."""
    now = DatabaseClock().now()
    moved = list(recompute.recompute(actor=naming.actor(), now=now, dry_run=dry_run))
    if not moved:
        return "No next run moved."
    rows = [
        (
            each.schedule.name,
            _text(each.before, each.schedule.tz),
            each.error or _text(each.after, each.schedule.tz),
        )
        for each in moved
    ]
    ending = "nothing was written" if dry_run else "written"
    count = "1 next run moved" if len(moved) == 1 else f"{len(moved)} next runs moved"
    return f"{tables.table(('name', 'before', 'now'), rows)}\n{count}; {ending}."


def _text(moment: datetime | None, tz: str) -> str:
    if moment is None:
        return "no further run"
    local = moment.astimezone(moments.zone_of(tz))
    return f"{local:%Y-%m-%d %H:%M:%S} {moments.zone_name(local)}"
