"""The bundled site as `make run` starts it: one supervisor with everything below it, on a home of its own."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
import urllib.parse
from pathlib import Path

from tests.processes import Process
from tests.servers.base import free_port

READY = re.compile(
    r"^schedulerui is ready: (?P<url>\S+)  login: admin  password: (?P<password>\S+)$", re.MULTILINE
)
OURS = ("SCHEDULERUI_", "CELERY_", "FLOWER_")
START_WITHIN = 120


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Start:
    """One start of the bundled site on a home."""

    def __init__(self, home: Path, *, log: Path, port: int = 0, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = port or free_port()
        blank = {name: "" for name in os.environ if name.startswith(OURS) or name == "DATABASE_URL"}
        self.process = Process(
            [sys.executable, "-m", "schedulerui.site"],
            log=log,
            env={**blank, "SCHEDULERUI_HOME": str(home), "PORT": str(self.port), **(env or {})},
            name="make run",
        )

    def __enter__(self) -> Start:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind:
            for log in sorted((self.home / "logs").glob("*.log")):
                print(
                    f"--- end of {log.name} ---",
                    *log.read_text(errors="replace").splitlines()[-15:],
                    sep="\n",
                )
        self.process.__exit__(kind, *rest)

    def ready(self) -> Start:
        self.process.wait_for("schedulerui is ready:", within=START_WITHIN)
        return self

    @property
    def line(self) -> re.Match[str]:
        found = READY.search(self.process.output())
        assert found, self.process.tail()
        return found

    def url(self, path: str) -> str:
        return urllib.parse.urljoin(self.line["url"], path)

    def pid_of(self, name: str) -> int:
        """The process that the supervisor started under this name; 0 when there is none now."""
        word = {
            "web": "gunicorn",
            "beat": "beat",
            "worker": "worker",
            "monitor": "monitor",
            "flower": "flower",
            "broker": "valkey-server",
        }[name]
        (supervisor,) = children_of(self.process.pid)
        for pid in children_of(supervisor):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                # Valkey writes its title over its arguments, spaces and all.
                if word in command or Path(command[0].partition(" ")[0]).name == word:
                    return pid
        return 0

    def runs(self, where: str) -> int:
        with contextlib.closing(sqlite3.connect(self.home / "db.sqlite3", timeout=20)) as database:
            return int(database.execute(f"SELECT count(*) FROM schedulerui_run WHERE {where}").fetchone()[0])
