"""A private MariaDB, fast and not durable."""

from __future__ import annotations

import pymysql

from tests.servers.base import Server, find_program, owner_unless_root


class MariadbServer(Server):
    name = "mariadb"

    def find(self) -> None:
        self.server = find_program("mariadbd")
        self.install = find_program("mariadb-install-db")
        self.owner = owner_unless_root("mysql")

    def prepare(self) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-log-bin"]
        self.run([self.install, "--no-defaults", f"--datadir={self.home}/data", *options])

    def command(self) -> list[str]:
        return [
            str(self.server),
            "--no-defaults",
            f"--datadir={self.home}/data",
            f"--socket={self.home}/socket",
            f"--pid-file={self.home}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=2",  # the data may go with the machine, but not with a killed process
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=64M",
        ]

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/schedulerui"

    def answers(self) -> bool:
        with (
            pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=2) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("CREATE DATABASE IF NOT EXISTS schedulerui CHARACTER SET utf8mb4")
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
