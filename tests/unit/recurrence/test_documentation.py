"""The worked nights in the explanation of time are computed, so that they cannot drift from the code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schedulerui.recurrence import notices, parse_rule, upcoming

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "time.md"
HEADING = "## Nights on which clocks change, worked\n"
CELLS = 5


def rows():
    section = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def rule_of(text, tz):
    """Return the rule of a cell: a crontab, `once <wall time>`, or `every <n> <period> from <UTC>`."""
    if once := re.fullmatch(r"once (\S+ \S+)", text):
        return parse_rule({"kind": "clocked", "tz": tz, "fields": {"at_local": once[1]}})
    if every := re.fullmatch(r"every (\d+) (\w+) from (\S+ \S+)", text):
        fields = {"every": int(every[1]), "period": every[2], "anchor": every[3] + "Z"}
        return parse_rule({"kind": "interval", "tz": tz, "fields": fields})
    return parse_rule({"kind": "crontab", "tz": tz, "expression": text})


def moments(text):
    """Return the moments of a cell; a time without a date is on the date before it."""
    found: list[datetime] = []
    for part in text.split(", "):
        date = f"{found[-1]:%Y-%m-%d} " if ":" in part[:3] else ""
        found.append(datetime.strptime(date + part, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
    return found


def test_the_table_has_both_changes_and_each_column():
    table = rows()
    assert len(table) >= 15
    assert {len(row) for row in table} == {CELLS}
    said = " ".join(row[4] for row in table)
    for word in ("runs at", "runs once, at", "left out", "both times", "the first time only"):
        assert word in said


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_a_worked_night_is_right(row):
    text, tz, after, fires, said = row
    rule, moment = rule_of(text, tz), moments(after)[0]
    wanted = moments(fires)
    assert upcoming(rule, moment, len(wanted)) == wanted
    near = [
        notice for notice in notices(rule, moment) if notice.at and notice.at - moment < timedelta(days=2)
    ]
    assert "; ".join(notice.text for notice in near) == said
