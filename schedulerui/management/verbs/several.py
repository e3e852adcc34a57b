"""`bulk ACTION FILTER`: one action for all schedules that match a filter, however many; the web stops at a thousand."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming, tables
from schedulerui.models import Schedule
from schedulerui.operations import bulk
from schedulerui.web.bulk import ACTIONS, matching_text, wrong_with

VERBS = ("enable", "disable", "pause", "resume", "run", "queue", "tag", "untag", "delete")
NAMED = 10
"""Schedules that a trial names."""
MOST_FAILURES = 50
"""Failures that are written out."""


def add_arguments(parser: ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("action", choices=VERBS, help="what to do with each")
    parser.add_argument(
        "filter", help="which, as the list's text field takes it: 'tag:billing -state:failing'; '' for all"
    )
    parser.add_argument("--queue", default="", help="for `queue`; empty: the queue of the task")
    parser.add_argument("--tag", default="", help="for `tag` and `untag`")
    parser.add_argument(
        "--until", default="", help="for `pause`: ISO moment, in the site's zone unless it says its own"
    )
    parser.add_argument("--reason", default="", help="for `pause`: why, for the page and the history")
    parser.add_argument("--dry-run", action="store_true", help="say how many they are and do nothing")
    parser.add_argument("--yes", action="store_true", help="for `delete`: really")


def run(options: Mapping[str, Any]) -> tuple[str, int]:
    """Do it and return (what became of it, exit code: 1 when it could not be done to some).

    Raises CommandError for a filter or a value that makes no sense.
    """
    action, now = str(options["action"]), DatabaseClock().now()
    keys = _matching(str(options["filter"]), now=now)
    if options["dry_run"]:
        return _trial(keys), 0
    if action == "delete" and not options["yes"]:
        raise CommandError(f"{_n(len(keys))} would be gone for good. Add --yes to delete them.")
    with _verb(action, options, now=now) as verb:
        outcome = bulk.apply(Schedule.objects.all(), keys, verb, allowed=lambda _row: True)
    return _told(action, outcome), 1 if outcome.failures else 0


def _matching(text: str, *, now: datetime) -> list[int]:
    rows, problems = matching_text(text, now=now)
    if problems:
        raise CommandError(" ".join(problems))
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _verb(action: str, options: Mapping[str, Any], *, now: datetime) -> AbstractContextManager[bulk.Verb]:
    by: bulk.By = {"actor": naming.actor(), "now": now}
    if action == "run":
        return bulk.running(token=uuid.uuid4(), **by)
    queue, tag = _checked(action, options, now=now)
    until = _moment(str(options["until"])) if options["until"] else None
    reason = str(options["reason"])
    verbs: dict[str, Callable[[], bulk.Verb]] = {
        "enable": lambda: bulk.switching(enabled=True, **by),
        "disable": lambda: bulk.switching(enabled=False, **by),
        "pause": lambda: bulk.pausing(until=until, reason=reason, **by),
        "resume": lambda: bulk.resuming(**by),
        "queue": lambda: bulk.routing(queue, **by),
        "tag": lambda: bulk.tagging(tag, **by),
        "untag": lambda: bulk.tagging(tag, removes=True, **by),
        "delete": lambda: bulk.deleting(**by),
    }
    return nullcontext(verbs[action]())


def _checked(action: str, options: Mapping[str, Any], *, now: datetime) -> tuple[str, str]:
    """Return queue and tag as the form on the page would take them; raises CommandError."""
    if ACTIONS[action].field in {"queue", "tag"}:
        given = {"queue": str(options["queue"]), "tag": str(options["tag"])}
        problems = wrong_with(ACTIONS[action], given, now=now)
        if problems:
            raise CommandError(" ".join(problems))
    return str(options["queue"]).strip(), str(options["tag"]).strip()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_current_timezone())


def _trial(keys: list[int]) -> str:
    names = Schedule.objects.filter(pk__in=keys[:NAMED]).order_by("name").values_list("name", flat=True)
    lines = [
        f"{_n(len(keys))} would be asked for; nothing was done.",
        *(f"  {tables.one_line(name)}" for name in names),
    ]
    if len(keys) > NAMED:
        lines.append(f"  and {len(keys) - NAMED} more")
    return "\n".join(lines)


def _told(action: str, outcome: bulk.Outcome) -> str:
    lines = [f"{action}: done for {_n(outcome.n_done)}."]
    if outcome.n_unchanged:
        lines[0] += f" {_n(outcome.n_unchanged)} as wanted already."
    if outcome.n_held:
        lines.append(
            f"{outcome.n_held} queued for dispatch: beat sends them as soon as it can. {outcome.why_held}"
        )
    if outcome.failures:
        lines.append(f"Not done for {_n(len(outcome.failures))}:")
        lines += [
            tables.one_line(f"  {each.name}: {each.reason}") for each in outcome.failures[:MOST_FAILURES]
        ]
    if len(outcome.failures) > MOST_FAILURES:
        lines.append(f"  and {len(outcome.failures) - MOST_FAILURES} more")
    return "\n".join(lines)


def _n(n: int) -> str:
    return f"{n} schedule" if n == 1 else f"{n} schedules"
