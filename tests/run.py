"""Run the gates and the tests in order of speed, each stage timed: `python -m tests.run [stage ...]`.

Without arguments all stages run, also after one has failed, and the failed ones are listed at the end, with the tests that
failed in them. FAST=1 in the environment stops after the fast tests. `lint`, `format`, `bench`, `simulate` and `soak` are the words that `make` uses.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.failures import FAILURES

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest"]
TWO_AT_A_TIME = [*PYTEST, "-n", "2", "--dist", "loadgroup"]
COVERAGE = [PYTHON, "-m", "coverage"]
TEMPLATES = sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "templates").rglob("*.html"))
LAST_FAST = "fast"
FAULTS = "tests/service/test_fault_*.py"

Command = list[str]


def tool(name: str, *arguments: str) -> Command:
    """A program of this virtual environment."""
    return [str(BIN / name), *arguments]


def faults() -> list[str]:
    """The fault suite: beats and servers that are killed, frozen and starved."""
    return sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob(FAULTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    name: str
    what: str
    commands: list[Command]


STAGES = [
    Stage(
        name="style",
        what="format and lint",
        commands=[tool("ruff", "format", "--check", "."), tool("ruff", "check", ".")],
    ),
    Stage(name="imports", what="rooms import downwards only", commands=[tool("lint-imports")]),
    Stage(
        name="templates",
        what="format and lint of templates",
        commands=[
            tool("djade", "--target-version", "5.2", "--check", *TEMPLATES),
            tool("djhtml", "--check", "-t", "2", *TEMPLATES),
            tool("djlint", "--lint", "--quiet", "templates"),
        ],
    ),
    Stage(name="types", what="mypy strict", commands=[tool("mypy")]),
    Stage(
        name="migrations",
        what="no migration is missing",
        commands=[
            [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run", "--settings=tests.settings"]
        ],
    ),
    Stage(
        name="fast",
        what="tests without servers and browser, with coverage",
        commands=[
            [*COVERAGE, "erase"],
            [
                *COVERAGE,
                "run",
                "-m",
                "pytest",
                "-n",
                "2",
                "-m",
                "not (service or browser or package or benchmark)",
            ],
            [*COVERAGE, "combine", "--quiet"],
            [*COVERAGE, "report", "--skip-covered", "--skip-empty"],
        ],
    ),
    Stage(
        name="docs",
        what="Sphinx, every warning an error",
        commands=[tool("sphinx-build", "-W", "-n", "--keep-going", "-q", "docs", "docs/_build/html")],
    ),
    Stage(
        name="package",
        what="the wheel in a foreign project",
        commands=[[*PYTEST, "tests/package", "-m", "package"]],
    ),
    Stage(
        name="service",
        what="real servers and processes",
        commands=[
            # Two at a time, since most of them wait; what measures how late something was has no busy neighbours.
            [*TWO_AT_A_TIME, "tests/service", "-m", "service and not lateness"],
            [*TWO_AT_A_TIME, "tests/service", "-m", "service and lateness"],
        ],
    ),
    Stage(
        name="browser",
        what="a real Chromium",
        commands=[[*TWO_AT_A_TIME, "tests/browser"]],
    ),
]
OTHER_STAGES = [
    Stage(
        name="format",
        what="rewrite in the house's format",
        commands=[
            tool("ruff", "check", "--select", "I", "--fix", "."),
            tool("ruff", "format", "."),
            tool("djade", "--target-version", "5.2", *TEMPLATES),
            tool("djhtml", "-t", "2", *TEMPLATES),
        ],
    ),
    Stage(
        name="bench",
        what="costs on this machine",
        commands=[[*PYTEST, "tests/benchmarks", "-m", "benchmark", "-p", "no:randomly", "-q", "-s"]],
    ),
    Stage(
        name="simulate",
        what="random rules and simulated schedules in large numbers",
        commands=[
            [
                *("env", "SCHEDULERUI_SIMULATE=1"),
                *PYTEST,
                "tests/unit/recurrence",
                "tests/simulation",
                "-n",
                "2",
                "--timeout=3600",
                "-q",
            ],
            [
                *("env", "SCHEDULERUI_SIMULATE=1"),
                *PYTEST,
                *("tests/operations/test_long_outage.py", "-k", "many_schedules", "-n", "0", "-q", "-s"),
            ],
        ],
    ),
    Stage(
        name="soak",
        what="the fault suite with more kills and longer outages",
        commands=[
            [
                *("env", "SCHEDULERUI_SOAK=1"),
                *PYTEST,
                *faults(),
                "--timeout=3600",
                "-q",
                "-s",
            ]
        ],
    ),
]
GROUPS = {"lint": ["style", "imports", "templates", "types", "migrations"]}


def chosen(words: list[str]) -> list[Stage]:
    """The stages that were asked for; raises SystemExit with the known words for an unknown one."""
    if not words:
        names = [stage.name for stage in STAGES]
        if os.environ.get("FAST", "") not in {"", "0"}:
            names = names[: names.index(LAST_FAST) + 1]
    else:
        names = [name for word in words for name in GROUPS.get(word, [word])]
    known = {stage.name: stage for stage in [*STAGES, *OTHER_STAGES]}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join([*GROUPS, *known])}")
    return [known[name] for name in names]


def passes(stage: Stage, *, failures: Path) -> bool:
    """Run each command of the stage, also after a failed one; what they say goes straight to the terminal."""
    environment = {**os.environ, FAILURES: str(failures)}
    # A list, not a generator: the report of coverage is wanted also when a test failed.
    codes = [
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode
        for command in stage.commands
    ]
    return not any(codes)


def main() -> int:
    """Run the chosen stages; 0 when all passed."""
    stages = chosen(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        return run(stages, failures=Path(folder, "failures"))


def run(stages: list[Stage], *, failures: Path) -> int:
    """Run these stages and say how each went; the tests that failed stand last, where a log that was cut still has them."""
    began = time.monotonic()
    results: list[tuple[Stage, bool, float]] = []
    for number, stage in enumerate(stages, 1):
        print(f"\n== {number}/{len(stages)} {stage.name}: {stage.what}", flush=True)
        start = time.monotonic()
        is_good = passes(stage, failures=failures)
        took = time.monotonic() - start
        results.append((stage, is_good, took))
        print(f"-- {stage.name} {'passed' if is_good else 'FAILED'} in {took:.1f} s", flush=True)
    print()
    for stage, is_good, took in results:
        print(f"{'passed' if is_good else 'FAILED'}  {took:7.1f} s  {stage.name}")
    failed = [stage.name for stage, is_good, _ in results if not is_good]
    total = time.monotonic() - began
    verdict = f"failed: {', '.join(failed)}" if failed else "all stages passed"
    print(f"{verdict} ({total:.0f} s)")
    if failures.exists():
        print(failures.read_text(encoding="utf-8"), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
