"""Processes that a test starts: each in a session of its own, its output in a log, ended with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.waiting import eventually

REPOSITORY = Path(__file__).resolve().parent.parent
TAIL_LINES = 40


class Process:
    """One command with its log file; as a context manager it is ended, with its descendants, at the end."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path = REPOSITORY,
        owner: tuple[int, int] | None = None,
        name: str = "",
    ) -> None:
        """Start `command` with `env` added to this environment, as `owner` (uid, gid) if given."""
        self.command = [str(part) for part in command]
        self.name = name or Path(self.command[0]).name
        self.log = log
        uid, gid = owner or (None, None)
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if owner is None else [],
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def returncode(self) -> int | None:
        return self.popen.poll()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, *, lines: int = TAIL_LINES) -> str:
        """The end of the log, with a heading, for messages of failures."""
        text = "\n".join(self.output().splitlines()[-lines:])
        state = "running" if self.is_running else f"ended with {self.returncode}"
        return f"--- {self.name} (pid {self.pid}, {state}), end of its log ---\n{text}\n---"

    def wait_for(self, text: str, *, within: float = 90) -> None:
        """Wait until `text` stands in the log; fail at once when the process ends before."""
        eventually(
            lambda: text in self.output() or not self.is_running,
            within=within,
            describe=lambda: f"{text!r} in the log\n{self.tail()}",
        )
        assert text in self.output(), f"{self.name} ended before it wrote {text!r}\n{self.tail()}"

    def wait(self, *, within: float = 90) -> int:
        """Wait until the process has ended by itself and return its exit code."""
        try:
            return self.popen.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {within:g} s\n{self.tail()}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone, as a supervisor would."""
        if self.is_running:
            os.kill(self.pid, number)

    def terminate(self, *, within: float = 90) -> int:
        """Ask the process to end (SIGTERM) and wait until it has."""
        self.signal(signal.SIGTERM)
        return self.wait(within=within)

    def kill9(self, *, within: float = 60) -> None:
        """Kill the process and all its descendants without asking, as a power cut would."""
        family = descendants(self.pid)
        _kill_group(self.pid)
        _kill_family(family)
        self.popen.wait(timeout=within)
        eventually(
            lambda: not any(lives(pid, born) for pid, born in family.items()),
            within=within,
            describe=f"the end of the processes {list(family)} that {self.name} had started",
        )

    def close(self, *, within: float = 20) -> None:
        """End the process in order if it does so in time, by force otherwise; nothing of it is left."""
        family = descendants(self.pid)
        try:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(timeout=within)
        finally:
            self.kill9()
            _kill_family(family)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            print(self.tail())
        self.close()


def descendants(pid: int) -> dict[int, str]:
    """All processes below `pid`, also those that left its group, each with its start time; empty without /proc."""
    stats = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
    found: dict[int, str] = {}
    frontier = {pid}
    while frontier:
        frontier = {child for child, stat in stats.items() if stat and int(stat[1]) in frontier}
        found.update({child: stats[child][19] for child in frontier})
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, ... start time (number 19); empty when it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def lives(pid: int, born: str) -> bool:
    """Whether this very process lives: a number that was given to another process since does not count."""
    stat = _stat(pid)
    return bool(stat) and stat[0] != "Z" and stat[19] == born


def _kill_family(family: Mapping[int, str]) -> None:
    for pid, born in family.items():
        if lives(pid, born):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
