"""The processes of the tests leave nothing behind, and say why they ended."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.processes import Process, descendants, lives
from tests.servers import needs
from tests.servers.base import ServerMissingError, find_program

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('child', flush=True); input()"], stdin=subprocess.PIPE,
                         start_new_session=True)
print("parent", flush=True)
child.wait()
"""
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)


@pytest.fixture
def start(tmp_path):
    started: list[Process] = []

    def start(source):
        started.append(
            Process([sys.executable, "-c", source], log=tmp_path / f"{len(started)}.log", name="sample")
        )
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_it_kills_the_children_that_left_the_group_too(start):
    process = start(PARENT)
    process.wait_for("child")
    family = descendants(process.pid)
    assert [lives(pid, born) for pid, born in family.items()] == [True]
    process.kill9()
    assert process.returncode == -signal.SIGKILL
    assert not any(lives(pid, born) for pid, born in family.items())


def test_it_ends_by_force_when_it_does_not_end_when_asked(start):
    process = start(STUBBORN)
    process.wait_for("ready")
    process.close(within=0.1)
    assert process.returncode == -signal.SIGKILL


def test_it_returns_the_exit_code_when_it_is_asked_to_end(start):
    process = start("import signal; print('ready', flush=True); signal.pause()")
    process.wait_for("ready")
    assert process.terminate() == -signal.SIGTERM


def test_it_shows_the_log_when_the_process_ends_too_early(start):
    process = start("print('no such table'); raise SystemExit(3)")
    with pytest.raises(
        AssertionError, match=r"(?s)ended before it wrote 'ready'.*ended with 3.*no such table"
    ):
        process.wait_for("ready")


def test_it_skips_with_the_reason_when_a_server_is_missing(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs PostgreSQL: no initdb"):
        needs.missing("PostgreSQL", why="no initdb")


def test_it_fails_when_a_server_is_missing_and_ci_is_true(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs PostgreSQL: no initdb"):
        needs.missing("PostgreSQL", why="no initdb")


def test_it_names_the_program_that_is_not_installed():
    with pytest.raises(ServerMissingError, match="the program no-such-server is not installed"):
        find_program("no-such-server")
