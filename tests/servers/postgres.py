"""A private PostgreSQL, fast and not durable."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from tests.servers.base import Server, find_program, owner_unless_root


def _debian_folders() -> list[Path]:
    """Debian keeps each version's programs outside PATH; the newest first."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(
        found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True
    )


class PostgresServer(Server):
    name = "postgres"

    def find(self) -> None:
        self.server = find_program("postgres", also_in=_debian_folders())
        self.initdb = find_program("initdb", also_in=_debian_folders())
        self.owner = owner_unless_root("postgres")  # initdb and postgres refuse root

    def prepare(self) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self.run([self.initdb, f"--pgdata={self.home}/data", *options])

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.home),
            "fsync": "off",  # the data may go with the machine, but not with a killed process
            "full_page_writes": "off",
            "max_connections": "100",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        given = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self.server), "-D", f"{self.home}/data", "-p", str(self.port), *given]

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def answers(self) -> bool:
        with psycopg.connect(self.url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
