"""What all private servers share: a directory, a port, an owner, starting, killing, coming back at the same address."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import Process
from tests.waiting import eventually

START_WITHIN = 120  # seconds: the slowest (RabbitMQ) needs about 8 on two busy cores
LOWEST_PORT = 11_000
USUAL_FIRST_OF_CALLERS = 32_768


class ServerMissingError(Exception):
    """A program that a server needs is not installed here."""


def find_program(name: str, *, also_in: Iterable[Path] = ()) -> Path:
    """Find a program in PATH, in the system folders or in `also_in`; raise ServerMissingError with its name."""
    folders = [
        *os.environ.get("PATH", "").split(os.pathsep),
        "/usr/sbin",
        "/usr/local/sbin",
        *map(str, also_in),
    ]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise ServerMissingError(f"the program {name} is not installed")
    return Path(found)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment, and that the system gives to nobody who only calls out.

    A server that is killed comes back at its port: until then no client on its way elsewhere may have been given it.
    """
    while True:
        port = LOWEST_PORT + secrets.randbelow(_first_of_callers() - LOWEST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _first_of_callers() -> int:
    """The lowest port that the system gives to outgoing connections."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        first = USUAL_FIRST_OF_CALLERS
    return first if first > LOWEST_PORT else USUAL_FIRST_OF_CALLERS


def owner_unless_root(*names: str) -> tuple[int, int] | None:
    """The (uid, gid) of the first of these users that exists, where this process is root; else None (ourselves)."""
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise ServerMissingError(
        f"none of the users {', '.join(names)} and nobody exists, and the server refuses root"
    )


class Server(ABC):
    """A server that keeps its address and data over `restart` and leaves nothing behind after `stop`."""

    name = ""
    owner: tuple[int, int] | None = None

    def __init__(self) -> None:
        """Look for the programs (raising ServerMissingError); nothing is started yet."""
        self.find()
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix=f"sui-{self.name}-"))  # short: sockets allow 107 bytes
        if self.owner is not None:
            os.chown(self.home, *self.owner)
        self.process: Process | None = None

    @abstractmethod
    def find(self) -> None:
        """Find the programs."""

    @abstractmethod
    def prepare(self) -> None:
        """Create the data, once."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The address in the form that dj-database-url or Celery reads."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask the server something real; raises any exception while it does not answer."""

    def environment(self) -> dict[str, str]:
        """What the server needs in its environment beside ours."""
        return {}

    def run(self, command: Sequence[str | Path]) -> None:
        """Run one command of preparation as the owner of the server, to its end."""
        uid, gid = self.owner or (None, None)
        done = subprocess.run(
            [str(part) for part in command],
            user=uid,
            group=gid,
            extra_groups=None if self.owner is None else [],
            cwd=self.home,
            env={**os.environ, "HOME": str(self.home), **self.environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_WITHIN,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{self.name}: {command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}"
            )

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        self.process = Process(
            self.command(),
            log=self.home.with_suffix(".log"),
            env={"HOME": str(self.home), **self.environment()},
            cwd=self.home,
            owner=self.owner,
            name=self.name,
        )
        process = self.process
        eventually(
            lambda: not process.is_running or self.answers(),
            within=START_WITHIN,
            ignoring=Exception,
            describe=lambda: f"an answer of {self.name}\n{process.tail()}",
        )
        if not process.is_running:
            raise RuntimeError(f"{self.name} ended while it started\n{process.tail()}")
        return self

    def kill(self) -> None:
        """Kill the server and its children at once (SIGKILL); its data and its address stay."""
        if self.process is not None:
            self.process.kill9()

    def restart(self) -> None:
        """Start the server again at the same address; it is stopped in order before, if it runs."""
        if self.process is not None:
            self.process.close()
        self.start()

    def stop(self) -> None:
        """End the server and remove everything it wrote."""
        if self.process is not None:
            self.process.close()
            self.process = None
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.with_suffix(".log").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
