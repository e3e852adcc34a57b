"""The processes of the bundled site and the supervisor that keeps them: its configuration and its remote control."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy, Transport

from celery.utils.nodenames import host_format

from schedulerui.site.environment import Home

WORKER_PROCESSES = 2
WEB_THREADS = 8
CONTROL_WITHIN = 3.0
"""Seconds in which supervisord must answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One supervised process. Started in ascending order of ``place``, stopped in descending order, one after another."""

    name: str
    command: Sequence[str]
    place: int
    stop_within: int
    """Seconds between the stop signal and SIGKILL for its whole process group."""
    settled_after: int = 5
    """Seconds that it must live to count as started; ending sooner counts towards giving up."""
    stop_signal: str = "TERM"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the programs of one start have to know."""

    home: Home
    bind: str
    port: int
    flower_port: int
    flower_auth: str
    """Flower's ``user:password``; reaches it by its environment, never by its command line."""
    broker_binary: str | None
    """The embedded broker's binary, or None when a running broker is used."""

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}/flower/"

    @property
    def web_host(self) -> str:
        """The address under which this machine reaches the web server, as it stands in a URL."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104 - compared, not bound
        return f"[{host}]" if ":" in host else host

    @property
    def web_url(self) -> str:
        return f"http://{self.web_host}:{self.port}/"

    @property
    def worker_node(self) -> str:
        """The worker's node name; with the port where several homes may share one broker."""
        name = "worker" if self.broker_binary else f"worker-{self.port}"
        return str(host_format(f"{name}@%h"))


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _celery(*arguments: str) -> tuple[str, ...]:
    return _python("celery", "-A", "schedulerui.site", *arguments)


def programs(site: Site) -> list[Program]:
    """Return the processes of the site; stopped from the end: beat, worker, flower, monitor, web, broker."""
    bind = f"[{site.bind}]" if ":" in site.bind else site.bind
    found = [
        Program(
            name="web",
            command=_python(
                *("gunicorn", "schedulerui.site.wsgi:application", "--bind", f"{bind}:{site.port}"),
                *("--worker-class", "gthread", "--threads", str(WEB_THREADS), "--graceful-timeout", "2"),
                *("--no-control-socket", "--access-logfile", "-"),
            ),
            place=20,
            stop_within=3,
        ),
        Program(name="monitor", command=_python("django", "schedulerui", "monitor"), place=30, stop_within=2),
        Program(
            name="flower",
            command=_celery(
                *("flower", "--address=127.0.0.1", f"--port={site.flower_port}"),
                *("--url_prefix=flower", "--max_tasks=10000"),
            ),
            place=40,
            stop_within=1,
            environment={"FLOWER_BASIC_AUTH": site.flower_auth},
        ),
        Program(
            name="worker",
            command=_celery(
                "worker", "-c", str(WORKER_PROCESSES), "-E", "-n", site.worker_node, "-l", "INFO"
            ),
            place=50,
            # QUIT lets running tasks go on for worker_soft_shutdown_timeout; TERM would wait for their end.
            stop_signal="QUIT",
            stop_within=5,
        ),
        Program(
            name="beat",
            command=_celery("beat", "-S", "schedulerui", "--pidfile=", "-l", "INFO"),
            place=60,
            stop_within=2,
        ),
    ]
    if site.broker_binary:
        found.insert(0, _broker(site))
    return found


def _broker(site: Site) -> Program:
    return Program(
        name="broker",
        command=(
            *(site.broker_binary or "", "--port", "0", "--unixsocket", str(site.home.broker_socket)),
            *(
                "--unixsocketperm",
                "700",
                "--dir",
                str(site.home.broker_data),
                "--save",
                "",
                "--appendonly",
                "yes",
            ),
        ),
        place=10,
        stop_within=2,
        settled_after=1,
    )


def configuration(site: Site) -> str:
    """Return supervisord's configuration file; it holds Flower's password, so it must be private."""
    home = site.home
    head: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": home.supervisor_socket, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "umask": "077",
            "logfile": home.logs / "supervisord.log",
            "logfile_maxbytes": "1MB",
            "logfile_backups": 1,
            "pidfile": home.root / "supervisord.pid",
            "childlogdir": home.logs,
        },
    }
    sections: dict[str, Mapping[str, object]] = {**head}
    for program in programs(site):
        sections[f"program:{program.name}"] = _section(program, logs=home.logs)
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={_escaped(value)}\n" for key, value in options.items())
        for name, options in sections.items()
    )


def _section(program: Program, *, logs: Path) -> dict[str, object]:
    options: dict[str, object] = {
        "command": shlex.join(program.command),
        "priority": program.place,
        "autostart": "true",
        "autorestart": "true",
        "startsecs": program.settled_after,
        "startretries": 3,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_within,
        # The signal is for the parent alone, which ends its children in order; a kill is for all of them.
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": logs / f"{program.name}.log",
        "stdout_logfile_maxbytes": "5MB",
        "stdout_logfile_backups": 2,
    }
    if program.environment:
        options["environment"] = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
    return options


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What the supervisor says about one process."""

    name: str
    state: str
    """STARTING, RUNNING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL or UNKNOWN."""
    pid: int


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CONTROL_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CONTROL_WITHIN)
        self.sock.connect(str(self._path))


class _UnixTransport(Transport):
    """xmlrpc over a unix socket, with a deadline that supervisor's own transport lacks."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: object) -> HTTPConnection:
        return _UnixConnection(self._path)


class Supervisor:
    """The remote control of a running supervisord, over its private socket."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.pids: dict[str, int] = {}
        """The process ids last seen, by name."""

    def _server(self) -> Any:
        return ServerProxy(
            "http://localhost", transport=_UnixTransport(self._home.supervisor_socket)
        ).supervisor

    def children(self) -> dict[str, Child]:
        """Return the processes by name; raises OSError or xmlrpc's Error while supervisord does not answer."""
        infos = self._server().getAllProcessInfo()
        self.pids.update({info["name"]: info["pid"] for info in infos if info["pid"]})
        return {
            info["name"]: Child(name=info["name"], state=info["statename"], pid=info["pid"]) for info in infos
        }

    def start(self, name: str) -> None:
        """Start a process that was given up; raises OSError or xmlrpc's Error when it cannot be asked."""
        self._server().startProcess(name, False)  # noqa: FBT003 - a remote call has no keywords

    def shut_down(self) -> None:
        """Ask supervisord to end everything; raises OSError or xmlrpc's Error when it cannot be asked."""
        self._server().shutdown()
