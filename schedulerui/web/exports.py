"""Schedules and runs as files: CSV that no spreadsheet takes for formulas, and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from datetime import datetime

from schedulerui.models import Run, Schedule
from schedulerui.operations.audit import snapshot
from schedulerui.presenters import redact
from schedulerui.presenters.blocks import told
from schedulerui.presenters.changes import ChangeRow
from schedulerui.presenters.rules import code_of
from schedulerui.presenters.values import printable

COLUMNS = (
    "name",
    "task",
    "enabled",
    "kind",
    "rule",
    "tz",
    "queue",
    "tags",
    "owner",
    "next_run_at",
    "last_run_at",
    "last_state",
    "error",
)
NEVER = "never"
"""The last state of a schedule that has not run, as the filter has it."""
RUN_COLUMNS = (
    "uuid", "schedule_name", "task", "state", "trigger", "actor", "queue", "due_at", "sent_at", "started_at", "finished_at",
    "runtime", "worker", "attempt", "count", "reason",
)  # fmt: skip
RUN_VALUES = ("args", "kwargs", "result", "exception")
CHANGE_COLUMNS = (
    "at", "who", "via", "address", "what", "schedule", "version", "note", "field", "before", "after",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell may not begin with: spreadsheets would compute it, some the wide forms of the signs too."""
WITHIN = re.compile(r";(?=[=+\-@])")
"""What begins a cell where the language of a spreadsheet parts cells by semicolons."""
VALUES = ("args", "kwargs", "headers", "options", "canvas")
"""Fields that only those may see who may see values."""


def as_csv(schedules: Iterable[Schedule]) -> str:
    """Return a line for each schedule; moments are ISO in UTC. Schedules come loaded with their states."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for schedule in schedules:
        state = getattr(schedule, "state", None)
        cells = [
            schedule.name, schedule.task, _switch(schedule), schedule.kind, code_of(schedule), schedule.tz,
            schedule.queue, schedule.tags.strip(), schedule.owner, schedule.next_run_at,
            state.last_run_at if state else None, (state.last_state if state else "") or NEVER, schedule.error,
        ]  # fmt: skip
        writer.writerow([safe(_cell(cell)) for cell in cells])
    return file.getvalue()


def _switch(schedule: Schedule) -> str:
    if schedule.enabled:
        return "on"
    return "off" if schedule.paused_at is None else "paused"


def as_json(schedules: Iterable[Schedule], *, with_values: bool) -> str:
    """Return a list of objects with all that a person sets; arguments redacted, and left out without the right to see them."""
    rows = []
    for schedule in schedules:
        row = snapshot(schedule)
        for name in VALUES:
            value = row.pop(name, None)
            if with_values:
                row[name] = redact(value)
        rows.append(row)
    return json.dumps(rows, indent=2, default=str)


def runs_as_csv(runs: Iterable[Run]) -> str:
    """Return a line for each run without any value; moments are ISO in UTC."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(RUN_COLUMNS)
    for run in runs:
        writer.writerow([safe(_cell(getattr(run, name))) for name in RUN_COLUMNS])
    return file.getvalue()


def runs_as_json(runs: Iterable[Run], *, with_values: bool) -> str:
    """Return a list of objects; arguments and results redacted, and left out without the right to see them."""
    names = (*RUN_COLUMNS, *RUN_VALUES) if with_values else RUN_COLUMNS
    rows = [{name: getattr(run, name) for name in names} for run in runs]
    for row in rows:
        row["runtime"] = (
            row["runtime"] if math.isfinite(row["runtime"] or 0.0) else None
        )  # JSON knows no infinity
        for name in RUN_VALUES if with_values else ():
            value = row[name]
            row[name] = told(name, value) if isinstance(value, str) else redact(value)
    return json.dumps(rows, indent=2, default=_cell)


def changes_as_csv(changes: Iterable[ChangeRow]) -> str:
    """Return a line for each field that a change moved, one for a change that moved none; moments are ISO in UTC."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(CHANGE_COLUMNS)
    for row in changes:
        moved = [(each.field, each.before, each.after) for each in row.differences] or [("", "", "")]
        head = (
            row.at.isoformat(),
            row.actor,
            row.via,
            row.address,
            row.verb,
            row.schedule_name,
            row.version,
            row.note,
        )
        for difference in moved:
            writer.writerow([safe(printable(_cell(value))) for value in (*head, *difference)])
    return file.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet computes: an apostrophe in front of what looks like a formula."""
    cell = WITHIN.sub(";'", cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell
