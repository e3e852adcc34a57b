"""Reports on this machine's disk while the database is away: append-only lines, replayed by whoever can write again.

Each process appends to a file of its own, named for its host and itself, so that containers may share a folder. A replay first
takes the file away by renaming it, so that nobody waits for a replay, and holds a lock on it, so that two replays do not work on
one. Replaying twice does no harm: history takes a report once. A line that is no report, or that the database refuses, is set
aside in ``damaged``.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import platform
import re
import stat
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

from schedulerui.conf import settings
from schedulerui.operations.reports import Report

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError)
"""Errors that mean "not now"; after any other the report is dropped, with a line in the log."""
DAMAGED = "damaged"
"""File with the lines that could not be taken, for a person to look at."""
DAMAGED_MAX = 1024 * 1024
"""Most bytes of it; what comes after is only logged."""
FILE_MAX = 64 * 1024 * 1024
"""Most bytes that one process keeps; what comes after is dropped, with a line in the log."""


class SpoolError(Exception):
    """The spool's folder cannot be used: somebody else owns it, or others may write to it."""


class Spool:
    """The reports that wait in one folder; the folder is made when the first one comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}

    def append(self, report: Report) -> None:
        """Add one report; raises OSError or SpoolError when the folder cannot be used."""
        self._make_private()
        line = (report.encode() + "\n").encode()
        with (
            self._lock,
            _opened(self.folder / self._own_name(), os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd,
        ):
            if os.fstat(fd).st_size + len(line) > FILE_MAX:
                message = f"the spool file of process {os.getpid()} is full"
                raise SpoolError(message)
            os.write(fd, line)

    def is_empty(self) -> bool:
        """Return whether nothing waits; a folder that cannot be read counts as empty."""
        return not self._files()

    def replay(self, apply: Callable[[Report], object]) -> int:
        """Hand every waiting report to ``apply``; return how many it took.

        Raises the database's error when it is away again; what was not taken by then still waits.
        """
        taken = 0
        for path in self._files():
            with _claimed(self._put_aside(path)) as claimed:
                if claimed is not None:
                    taken += self._replay_file(claimed, apply)
        return taken

    def _files(self) -> list[Path]:
        """Return the files in which reports wait, those of an interrupted replay first."""
        try:
            names = sorted(os.listdir(self.folder))  # noqa: PTH208 - iterdir raises later, while it is iterated
        except OSError:
            return []
        aside = [name for name in names if name.endswith(".replay")]
        return [self.folder / name for name in (*aside, *(name for name in names if name.endswith(".jsonl")))]

    def _put_aside(self, path: Path) -> Path:
        if path.suffix == ".replay":
            return path
        aside = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.replay")
        try:
            with _opened(path, os.O_RDONLY):
                path.rename(aside)
        except FileNotFoundError:
            return path  # another replay was first
        return aside

    def _own_name(self) -> str:
        """Return this process's file: a process id alone is the same in many containers, and a fork inherits this object."""
        pid = os.getpid()
        if pid not in self._names:
            host = re.sub(r"[^A-Za-z0-9_-]", "-", platform.node())[:60] or "host"
            self._names[pid] = f"{host}-{pid}-{uuid.uuid4().hex[:12]}.jsonl"
        return self._names[pid]

    def _replay_file(self, path: Path, apply: Callable[[Report], object]) -> int:
        lines = path.read_bytes().splitlines()
        n_damaged = 0
        for n_taken, line in enumerate(lines):
            try:
                apply(Report.decode(line.decode("utf-8", "replace")))
            except AWAY:
                path.write_bytes(b"".join(rest + b"\n" for rest in lines[n_taken:]))
                raise
            except Exception:
                # One line that was torn by a crash, or that the database refuses, must not hold up the others.
                logger.exception("a spooled report is set aside", extra={"action": "spool_damaged"})
                self._set_aside(line)
                n_damaged += 1
        path.unlink()
        return len(lines) - n_damaged

    def _set_aside(self, line: bytes) -> None:
        path = self.folder / DAMAGED
        try:
            with _opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd:
                if os.fstat(fd).st_size + len(line) < DAMAGED_MAX:
                    os.write(fd, line + b"\n")
        except OSError:
            logger.exception("%s cannot be written", path, extra={"action": "spool_error"})

    def _make_private(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            message = f"{self.folder} is not a folder that only we can write to"
            raise SpoolError(message)


def default() -> Spool:
    """Return the spool of this machine for the project's database: others, and other databases, have their own."""
    configured = settings().SPOOL_DIR
    root = Path(configured) if configured else Path(tempfile.gettempdir()) / f"schedulerui-{os.getuid()}"
    wanted = connections[DEFAULT_DB_ALIAS].settings_dict
    identity = "|".join(str(wanted.get(key, "")) for key in ("ENGINE", "HOST", "PORT", "NAME"))
    return Spool(root / hashlib.sha256(identity.encode()).hexdigest()[:16])


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Open with an exclusive lock, held only for moments; the file is the one that bears the name now."""
    while True:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _bears(path, fd):
            break
        os.close(fd)  # renamed by a replay between open and lock
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _claimed(path: Path) -> Iterator[Path | None]:
    """Hold the file for a replay; None when another replay has it or is through with it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path if path.suffix == ".replay" and _bears(path, fd) else None
    except BlockingIOError:
        yield None
    finally:
        os.close(fd)


def _bears(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False
