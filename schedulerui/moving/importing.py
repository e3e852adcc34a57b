"""The import itself: a draft for every row, and all of them in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.moving import old_times, rows
from schedulerui.moving.draft import Draft, Outcome, Surroundings
from schedulerui.moving.drafting import draft_of
from schedulerui.moving.rows import OldTask
from schedulerui.operations import schedules, validation
from schedulerui.operations.errors import InvalidSchedule
from schedulerui.recurrence import RuleError

AHEAD = 3
"""How many next times are compared."""
ROUNDED = timedelta(seconds=1)
"""Times nearer to each other than this are the same: Celery's are not whole seconds."""
_ROUNDED_SUN = timedelta(minutes=1)


def last_written_at(found: Sequence[OldTask]) -> datetime | None:
    """Return when the old beat last said that it ran something."""
    return max((old.last_run_at for old in found if old.last_run_at), default=None)


def plan(found: Sequence[OldTask], around: Surroundings) -> list[Draft]:
    """Return what becomes of each row; reads, and writes nothing."""
    imported = dict(
        Schedule.objects.filter(source="import", source_key__startswith=rows.KEY).values_list(
            "source_key", "name"
        )
    )
    taken: set[str] = set()
    drafts: list[Draft] = []
    for old in found:
        if old.key in imported:
            drafts.append(Draft(old=old, skipped=_already(imported[old.key], old)))
            continue
        draft = draft_of(old, around, taken=taken)
        taken.add(str(draft.fields.get("name", "")))
        drafts.append(draft)
    return drafts


def carry_out(drafts: Sequence[Draft], *, actor: Actor, now: datetime) -> None:
    """Make the schedules of a plan in one transaction; their first run is the first one after ``now``.

    A name that somebody takes meanwhile skips its row, and nothing else does: any other fault leaves nothing behind.
    """
    with transaction.atomic():
        # A write comes first: SQLite refuses a transaction that reads, and writes when somebody wrote in between.
        Schedule.objects.filter(pk=0).update(version=F("version"))
        for draft in drafts:
            if draft.outcome is Outcome.SKIPPED:
                continue
            try:
                schedules.create(draft.fields, actor=actor, now=now, note=_note(draft))
            except InvalidSchedule as error:
                draft.skipped = f"It cannot be kept: {error}"


def new_times(draft: Draft, *, now: datetime) -> list[datetime]:
    """Return when the schedule of a draft would run next; nothing when it is off."""
    if draft.skipped or not draft.fields["enabled"]:
        return []
    schedule = Schedule()
    validation.apply(schedule, draft.fields, now=now)
    try:
        coming = itertools.islice(schedule.timetable().after(now), schedule.max_runs or AHEAD)
        return [occurrence.due_at for occurrence in itertools.islice(coming, AHEAD)]
    except RuleError:
        return []


def former_times(draft: Draft, *, now: datetime) -> list[datetime]:
    """Return when Celery would run the row next, by its own rules."""
    zone = str(draft.fields.get("tz") or "UTC")
    return old_times.coming(draft.old, now=now, zone=zone, n=AHEAD)


def is_same(draft: Draft, new: Sequence[datetime], former: Sequence[datetime]) -> bool:
    """Return whether both say the same, as far as Celery's times are exact."""
    most = _ROUNDED_SUN if draft.fields.get("kind") == "solar" else ROUNDED
    return len(new) == len(former) and all(abs(a - b) < most for a, b in zip(new, former, strict=True))


def _already(name: str, old: OldTask) -> str:
    return "It was imported before" if name == old.name else f"It was imported before, and is {name!r} here"


def _note(draft: Draft) -> str:
    old = draft.old
    last = f", last at {old.last_run_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if old.last_run_at else ""
    told = "".join(f" {sentence}." for sentence in draft.said)
    return f"Imported from row {old.pk} of django-celery-beat, sent {old.total_run_count} times there{last}.{told}"
