"""A private RabbitMQ with a port mapper of its own, so that nothing else on the machine is seen or touched."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from kombu import Connection

from tests.processes import Process
from tests.servers.base import Server, find_program, free_port, owner_unless_root

# Debian's /usr/sbin/rabbitmq-server changes to the system's user and directories; the real one stands here.
FOLDERS = [Path("/usr/lib/rabbitmq/bin"), *sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin"))]


class RabbitmqServer(Server):
    name = "rabbitmq"

    def find(self) -> None:
        in_folders = [
            folder / "rabbitmq-server" for folder in FOLDERS if (folder / "rabbitmq-server").is_file()
        ]
        self.server = in_folders[0] if in_folders else find_program("rabbitmq-server")
        self.epmd_program = find_program("epmd")
        self.owner = owner_unless_root("rabbitmq")
        self.epmd: Process | None = None
        self.epmd_port = free_port()
        self.distribution_port = free_port()

    def prepare(self) -> None:
        settings = [
            "disk_free_limit.absolute = 1MB",
            "vm_memory_high_watermark.relative = 0.9",
            "log.console = true",
        ]
        for name, text in {
            "rabbitmq.conf": "\n".join(settings) + "\n",
            "enabled_plugins": "[].\n",
            "rabbitmq-env.conf": "",
        }.items():
            self.home.joinpath(name).write_text(text)

    def environment(self) -> dict[str, str]:
        home = str(self.home)
        return {
            "RABBITMQ_NODENAME": f"sui{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/rabbitmq-env.conf",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self) -> list[str]:
        return [str(self.server)]

    def start(self) -> Self:
        # Started by us in the foreground: a node that finds no port mapper starts one that outlives it.
        if self.epmd is None or not self.epmd.is_running:
            self.epmd = Process(
                [self.epmd_program, "-port", str(self.epmd_port), "-address", "127.0.0.1"],
                log=self.home / "epmd.log",
                owner=self.owner,
                cwd=self.home,
            )
        return super().start()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill9()  # an end in order takes seconds, and everything it wrote goes anyway
            self.process = None
        if self.epmd is not None:
            self.epmd.kill9()
            self.epmd = None
        super().stop()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def answers(self) -> bool:
        with Connection(self.url, connect_timeout=2, heartbeat=0) as connection:
            connection.connect()
            return bool(connection.connected)
