"""`import-django-celery-beat`: take the schedules over, and say of every row what became of it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.conf import settings as django_settings
from django.core.management.base import CommandError

from schedulerui import dispatch
from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming, tables
from schedulerui.moving import importing, rows
from schedulerui.moving.draft import Draft, Outcome, Surroundings
from schedulerui.presenters import moments

QUIET = 200
"""Seconds for which the old beat must not have written: while it runs it writes every 180."""


def add_arguments(parser: ArgumentParser) -> None:
    """Give the verb its options."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be done, with the next times, and write nothing",
    )
    parser.add_argument(
        "--since-quiet",
        type=int,
        default=QUIET,
        metavar="N",
        help=f"refuse when its beat sent something in the last N seconds (default: {QUIET})",
    )
    parser.add_argument(
        "--even-if-running",
        action="store_true",
        help="import although its beat seems to run: both would send",
    )


def run(*, dry_run: bool, since_quiet: int, even_if_running: bool) -> str:
    """Import and return a line for each row; raises CommandError without their tables, or while their beat runs."""
    now = DatabaseClock().now()
    around = _surroundings(now)
    try:
        found = rows.read()
    except rows.NoTables:
        raise CommandError(
            "There are no tables of django-celery-beat in this database: nothing to import."
        ) from None
    warning = _why_running(importing.last_written_at(found), now=now, since_quiet=since_quiet)
    if warning and not dry_run and not even_if_running:
        raise CommandError(
            f"{warning} Stop it first: two beats would send everything twice. If it has stopped, say --even-if-running."
        )
    drafts = importing.plan(found, around)
    if not dry_run:
        importing.carry_out(drafts, actor=naming.actor(), now=now)
    lines = [line for draft in drafts for line in _lines(draft, now=now, dry_run=dry_run)]
    if warning:
        lines.append(warning)
    return "\n".join([*lines, _count(drafts, dry_run=dry_run)])


def _surroundings(now: datetime) -> Surroundings:
    try:
        app = dispatch.app()
    except dispatch.NoCeleryApp as error:
        raise CommandError(str(error)) from error
    deadline = app.conf.beat_cron_starting_deadline
    return Surroundings(
        now=now,
        zone=str(getattr(app.timezone, "key", app.timezone)),
        is_zone_of_row=bool(getattr(django_settings, "DJANGO_CELERY_BEAT_TZ_AWARE", True)),
        starting_deadline=None if deadline is None else int(deadline),
        code_names=frozenset(str(name) for name in app.conf.beat_schedule or {}),
    )


def _why_running(last: datetime | None, *, now: datetime, since_quiet: int) -> str:
    if last is None or (now - last).total_seconds() >= since_quiet:
        return ""
    return f"The beat of django-celery-beat seems to run: it sent something at {last:%H:%M:%S} UTC."


def _lines(draft: Draft, *, now: datetime, dry_run: bool) -> Iterator[str]:
    said = ". ".join(draft.said)
    yield tables.one_line(f"{draft.outcome:<8}  {draft.old.name}{f': {said}.' if said else ''}")
    if not dry_run or draft.outcome is Outcome.SKIPPED:
        return
    new = importing.new_times(draft, now=now)
    former = importing.former_times(draft, now=now)
    tz = str(draft.fields["tz"])
    if not importing.is_same(draft, new, former):
        yield f"          next: {_times(new, tz, now)}"
        yield f"        before: {_times(former, tz, now)}  <- differs"
    elif new:
        yield f"          next: {_times(new, tz, now)} (before: the same)"


def _times(times: Sequence[datetime], tz: str, now: datetime) -> str:
    if not times:
        return "none"
    zone = moments.zone_of(tz)
    local = [moment.astimezone(zone) for moment in times]
    texts = [
        "at once" if moment == now else f"{at:%Y-%m-%d %H:%M:%S} {moments.zone_name(at)}"
        for moment, at in zip(times, local, strict=True)
    ]
    return ", ".join(texts)


def _count(drafts: Sequence[Draft], *, dry_run: bool) -> str:
    counts = Counter(draft.outcome for draft in drafts)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    is_empty = dry_run or counts[Outcome.SKIPPED] == len(drafts)
    ending = "nothing was written" if is_empty else "written"
    return f"{len(drafts)} rows: {told}; {ending}." if len(drafts) != 1 else f"1 row: {told}; {ending}."
