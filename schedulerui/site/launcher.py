"""`make run`: prepare the home, start the supervisor, say when all is ready, end all of it together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn
from xmlrpc.client import Error as RpcError

import django

from schedulerui import clock
from schedulerui.site import ground
from schedulerui.site.environment import broker_url, home_of, is_on
from schedulerui.site.refusal import StartError
from schedulerui.site.supervision import Child, Site, Supervisor, configuration

READY_WITHIN = 90.0
"""Seconds that all processes have to answer at the start."""
STOP_WITHIN = 9.0
"""Seconds that the supervisor has to end everything; then it is killed."""
STARTS_AT_MOST = 4
"""Process ids that one program may go through before the start is given up."""
RETRY_AFTER = 15.0
"""Seconds after which a program that the supervisor has given up is started again."""


class StopAsked(BaseException):
    """Somebody asked the launcher to stop: Ctrl-C, SIGTERM, or a closed terminal."""


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def complain(sentence: str) -> None:
    sys.stderr.write(f"schedulerui: {sentence}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the bundled site until it is asked to stop; return the exit code, 1 when it could not be started."""
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ask_to_stop)
    try:
        _run(dict(os.environ))
    except StartError as error:
        complain(str(error))
        return 1
    except StopAsked:
        return 0


def _ask_to_stop(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end is under way and takes at most STOP_WITHIN
    raise StopAsked


def _run(environ: Mapping[str, str]) -> NoReturn:
    home = home_of(environ)
    port = ground.port_of(environ)
    ground.make_home(home)
    with ground.lock_home(home):
        supervisor = Supervisor(home)
        ground.place_sockets(home)
        ground.end_leftovers(home, supervisor=supervisor)
        bind = environ.get("SCHEDULERUI_BIND") or "127.0.0.1"
        ground.check_port(bind, port)
        site = Site(
            home=home,
            bind=bind,
            port=port,
            flower_port=ground.free_port(),
            flower_auth=f"schedulerui:{ground.new_secret()}",
            broker_binary=None if environ.get("CELERY_BROKER_URL") else ground.broker_binary(),
        )
        ground.write_private(home.flower_auth, site.flower_auth)
        ground.write_private(home.supervisor_conf, configuration(site))
        password = _stock(site, environ)
        with _supervisord(site) as process:
            try:
                _await_ready(site, supervisor, process)
                say(f"schedulerui is ready: {site.web_url}  login: admin  password: {password}")
                _watch(supervisor, process, logs=str(home.logs))
            finally:
                _stop(process, supervisor)


def _stock(site: Site, environ: Mapping[str, str]) -> str:
    """Put tables, static files, user and demonstration in place; return the words about the password."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "schedulerui.site.settings"
    os.environ["SCHEDULERUI_HOME"] = str(site.home.root)
    os.environ["SCHEDULERUI_FLOWER_URL"] = site.flower_url
    if not environ.get("SCHEDULERUI_SECRET_KEY"):
        ground.kept_secret(site.home.secret_key, n_bytes=64)
    try:
        django.setup()
    except ValueError as error:  # dj-database-url's errors
        message = f"DATABASE_URL cannot be used: {' '.join(str(error).split())}"
        raise StartError(message) from error

    from schedulerui.site import stock  # noqa: PLC0415 - models can be imported only now

    stock.check_database()
    if not site.broker_binary:
        stock.check_broker(broker_url(environ, site.home))
    stock.migrate()
    stock.collect_static(site.home)
    password = stock.make_admin(site.home, environ=environ)
    if is_on(environ, "SCHEDULERUI_DEMO", default=True):
        for sentence in stock.load_demo(clock.now()):
            complain(sentence)
    return password


def _supervisord(site: Site) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name != "SCHEDULERUI_ADMIN_PASSWORD"}
    environ["PYTHONUNBUFFERED"] = "1"
    return subprocess.Popen(  # noqa: S603 - our own interpreter with our own module
        [
            sys.executable,
            "-m",
            "schedulerui.site.keeper",
            str(os.getpid()),
            "-c",
            str(site.home.supervisor_conf),
        ],
        env=environ,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches the launcher alone, which ends the others in order
    )


def _children(supervisor: Supervisor, process: subprocess.Popen[bytes]) -> Mapping[str, Child]:
    """Return what the supervisor says, nothing while it is busy; raises StartError when it is dead."""
    if process.poll() is not None:
        message = "The supervisor has ended unexpectedly; see logs/supervisord.log in the home."
        raise StartError(message)
    try:
        return supervisor.children()
    except (OSError, RpcError):
        return {}


def _await_ready(site: Site, supervisor: Supervisor, process: subprocess.Popen[bytes]) -> None:
    from schedulerui.site.readiness import waiting_for  # noqa: PLC0415 - it imports models

    deadline = clock.monotonic() + READY_WITHIN
    since = clock.now()
    pids: dict[str, set[int]] = {}
    ready: set[str] = set()
    while True:
        children = _children(supervisor, process)
        for child in children.values():
            seen = pids.setdefault(child.name, set())
            seen |= {child.pid} - {0}
            if child.state == "FATAL" or len(seen) >= STARTS_AT_MOST:
                message = f"The process {child.name} cannot be started; its log is {site.home.logs / child.name}.log."
                raise StartError(message)
        missing = waiting_for(site, children, ready=ready, since=since)
        ready |= children.keys() - missing
        if children and not missing:
            return
        if clock.monotonic() > deadline:
            first = min(missing, default="supervisord")
            message = f"The process {first} did not answer within {READY_WITHIN:.0f} s; its log is {site.home.logs / first}.log."
            raise StartError(message)
        time.sleep(0.1)


def _watch(supervisor: Supervisor, process: subprocess.Popen[bytes], *, logs: str) -> NoReturn:
    """Tell of every process that ended and came back; start again what the supervisor has given up."""
    known: dict[str, int] = {}
    retry_at: dict[str, float] = {}
    while True:
        for name, child in _children(supervisor, process).items():
            if child.state == "FATAL" and clock.monotonic() >= retry_at.get(name, 0):
                complain(f"{name} does not stay up and is tried again; its log is {logs}/{name}.log.")
                retry_at[name] = clock.monotonic() + RETRY_AFTER
                with contextlib.suppress(OSError, RpcError):
                    supervisor.start(name)
            elif child.pid and known.setdefault(name, child.pid) != child.pid:
                end_group(known[name])  # the pool of a killed worker would go on without it
                complain(
                    f"{name} ended and was restarted (process {known[name]}, now {child.pid}); its log is {logs}/{name}.log."
                )
                known[name] = child.pid
        time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes], supervisor: Supervisor) -> None:
    """End the supervisor and all it started within STOP_WITHIN seconds, by force what does not end by itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if process.poll() is None:
        process.terminate()
        deadline = clock.monotonic() + STOP_WITHIN
        while clock.monotonic() < deadline:
            # The answer does not matter: each question wakes supervisord, which otherwise looks once a second.
            with contextlib.suppress(OSError, RpcError):
                supervisor.children()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
                return
        process.kill()
    # It was killed, or did not manage: then nobody else ends its processes.
    for pid in supervisor.pids.values():
        end_group(pid)


def end_group(pid: int) -> None:
    """Kill what is left of the process group that a supervised process led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
