"""The tests that failed, written to a file, so that `tests.run` can tell them again at the end of all stages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

FAILURES = "SCHEDULERUI_FAILED_TESTS"
"""The environment's name for the file; without it nothing is written."""

LONGEST = 300
"""Characters of a line."""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Append a line for each test that failed or could not begin; of two processes the one that hands out does."""
    if hasattr(config, "workerinput"):
        return
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    if (path := os.environ.get(FAILURES)) and reports:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{line_of(report)}\n" for report in reports)


def line_of(report: Any) -> str:
    """Say which test failed and the first line of why."""
    crash = getattr(report.longrepr, "reprcrash", None)
    why = (crash.message if crash else str(report.longrepr)).strip().partition("\n")[0]
    return f"{report.outcome} {report.nodeid}: {why}"[:LONGEST]
