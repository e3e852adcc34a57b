"""What `tests.run` says again at its end: each test that failed, and why, in a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.failures import FAILURES, LONGEST

TESTS = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no server")

def test_good(): pass
def test_bad(): assert 1 == 2, "one is not two\\nand more"
def test_early(broken): pass
def test_long(): raise ValueError("x" * 5000)
"""


def lines_of(folder: Path, *arguments: str) -> list[str]:
    told = folder / "told"
    (folder / "test_it.py").write_text(TESTS)
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)),
            *("-p", "tests.failures", "-p", "no:randomly", "-p", "no:django", "-p", "no:cacheprovider"),
            *(*arguments, str(folder)),
        ],
        env={**os.environ, FAILURES: str(told)},
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return sorted(told.read_text().splitlines()) if told.exists() else []


def test_each_test_that_failed_or_could_not_begin_is_a_line(tmp_path):
    bad, early, long = lines_of(tmp_path)

    assert bad.startswith("failed test_it.py::test_bad: AssertionError: one is not two")
    assert early == "failed test_it.py::test_early: RuntimeError: no server"
    assert long.startswith("failed test_it.py::test_long: ValueError: xxx")
    assert len(long) == LONGEST


def test_two_processes_tell_each_once(tmp_path):
    assert len(lines_of(tmp_path, "-n", "2")) == 3


def test_nothing_is_told_when_all_passed(tmp_path):
    assert lines_of(tmp_path, "-k", "good") == []
