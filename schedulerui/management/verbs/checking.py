"""`check`: ask the rows for broken invariants; for a person after a restore, or a job that looks every night."""

from __future__ import annotations

import json
from datetime import timedelta

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import tables
from schedulerui.operations import scanner
from schedulerui.presenters import findings, moments

SOUND, BROKEN = 0, 1
SAMPLE = 500
"""Schedules whose occurrences are compared with their rows unless all are asked for."""


def show(*, as_json: bool, is_all: bool, hours: float) -> tuple[str, int]:
    """Return the report as text or JSON, and the exit code: BROKEN when something was found."""
    scanned = scanner.scan(
        now=DatabaseClock().now(), limit=None if is_all else SAMPLE, window=timedelta(hours=hours)
    )
    text = json.dumps(_plain(scanned), indent=2) if as_json else _text(scanned)
    return text, BROKEN if scanned.n else SOUND


def _plain(scanned: scanner.Scan) -> dict[str, object]:
    return {
        "at": moments.iso(scanned.at),
        "sound": not scanned.n,
        "a_beat_ticks": scanned.is_beating,
        "schedules_compared": scanned.n_schedules,
        "found": {
            str(each.invariant): {
                "count": each.n,
                "is_lower_bound": each.is_lower_bound,
                "examples": [
                    {
                        "name": example.name,
                        "detail": example.detail,
                        "schedule": example.schedule,
                        "run": example.run or None,
                    }
                    for example in each.examples
                ],
            }
            for each in scanned.found
        },
    }


def _text(scanned: scanner.Scan) -> str:
    rows = [(each.invariant, f"{each.n}{'+' if each.is_lower_bound else ''}") for each in scanned.found]
    parts = [tables.table(("invariant", "broken"), rows)]
    for each in scanned.found:
        if each.n:
            sentence = findings.sentence_of(each.invariant, each.n, is_lower_bound=each.is_lower_bound)
            examples = [tables.one_line(f"  {example.name}  {example.detail}") for example in each.examples]
            parts.append("\n".join([sentence, *examples]))
    if not scanned.is_beating:
        parts.append("No beat ticks: nothing was counted as overdue or past its lease.")
    compared = "1 schedule" if scanned.n_schedules == 1 else f"{scanned.n_schedules} schedules"
    more = "; --all compares all of them" if scanned.next_after else ""
    parts.append(f"The times of {compared} were compared with the rows{more}.")
    return "\n\n".join(parts)
