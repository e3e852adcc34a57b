"""`make run` with real processes: one command, one line, one end."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import psycopg
import pytest

from tests import pace
from tests.bundled_site import START_WITHIN, Start
from tests.processes import descendants
from tests.servers.base import free_port
from tests.waiting import eventually

pytestmark = [
    pytest.mark.service,
    pytest.mark.long,
    pytest.mark.timeout(900),
]

STOP_WITHIN = 10


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def fetch(url: str) -> tuple[int, str, str]:
    """Status, Location and body, without following a redirect."""
    try:
        with urllib.request.build_opener(_NoRedirect).open(url, timeout=10) as answer:
            return answer.status, "", answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers.get("Location", ""), ""


def answers(url: str) -> bool:
    """Whether somebody listens there and says that all is well."""
    try:
        return fetch(url) == (200, "", "ok")
    except OSError:
        return False


def logged_in(start: Start, password: str) -> urllib.request.OpenerDirector:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := CookieJar()))
    opener.open(start.url("/login/"), timeout=10).close()
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token, "next": "/"}
    opener.open(start.url("/login/"), urllib.parse.urlencode(form).encode(), timeout=10).close()
    return opener


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="su-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def running():
    with (
        tempfile.TemporaryDirectory(prefix="su-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        Start(Path(folder) / "home", log=Path(folder) / "run.log") as start,
    ):
        yield start.ready()


def test_it_prints_one_line_and_runs_a_demo_task_that_beat_sent(running):
    assert running.process.output().count("\n") == running.process.output().count("schedulerui: ") + 1
    eventually(lambda: running.runs("state = 'succeeded' AND \"trigger\" = 'schedule'"), within=90)
    opener = logged_in(running, running.line["password"])
    with opener.open(running.url("/"), timeout=10) as answer:
        assert answer.status == 200
        assert "Heartbeat" in answer.read().decode()


def test_healthz_is_open_and_everything_else_asks_for_a_login(running):
    assert fetch(running.url("/healthz")) == (200, "", "ok")
    for path in ("/", "/admin/", "/flower/"):
        status, location, _body = fetch(running.url(path))
        assert status == 302, path
        assert "login" in location


def test_secrets_are_private_and_in_no_command_line(running):
    secrets = [
        running.home / name for name in ("admin.password", "flower.auth", "secret.key", "supervisord.conf")
    ]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    flower = (running.home / "flower.auth").read_text().partition(":")[2]
    commands = [
        Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in descendants(running.process.pid)
    ]
    assert len(commands) >= 8
    assert not any(flower in command for command in commands)


def test_a_second_start_on_the_home_is_refused_with_a_sentence(running, tmp_path):
    with Start(running.home, log=tmp_path / "second.log") as second:
        assert second.process.wait(within=90) == 1
        assert second.process.output() == (
            f"schedulerui: The home {running.home} is in use by another start (process {running.process.pid}); "
            "stop that one or name another home in SCHEDULERUI_HOME.\n"
        )


@pytest.mark.parametrize("name", ["beat", "worker", "web", "flower", "monitor", "broker"])
def test_a_killed_process_is_restarted(running, name):
    first = eventually(lambda: running.pid_of(name), within=60)
    os.kill(first, signal.SIGKILL)
    second = eventually(lambda: (pid := running.pid_of(name)) != first and pid, within=90)
    eventually(
        lambda: f"{name} ended and was restarted (process {first}, now " in running.process.output(),
        within=90,
    )
    assert not is_gone(second)
    if name == "web":
        eventually(lambda: answers(running.url("/healthz")), within=90)
    if name in {"beat", "worker", "broker"}:
        n_before = running.runs("state = 'succeeded'")
        eventually(lambda: running.runs("state = 'succeeded'") > n_before, within=120)


def test_a_port_in_use_is_refused_with_a_sentence(home, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with Start(home, log=tmp_path / "run.log", port=port) as start:
            assert start.process.wait(within=90) == 1
            assert start.process.output().startswith(f"schedulerui: Port {port} on 127.0.0.1 is in use;")


def test_a_database_and_a_broker_that_do_not_answer_are_named_without_their_passwords(home, tmp_path):
    port = free_port()
    given = {
        "DATABASE_URL": f"postgres://su:dbsecret@127.0.0.1:{port}/su",
        "CELERY_BROKER_URL": f"redis://:brokersecret@127.0.0.1:{port}/0",
    }
    for number, (name, words) in enumerate(
        [("DATABASE_URL", "The database su on"), ("CELERY_BROKER_URL", "The broker redis://")]
    ):
        with Start(home, log=tmp_path / f"{number}.log", env={name: given[name]}) as start:
            assert start.process.wait(within=90) == 1
            output = start.process.output()
            assert output.startswith(f"schedulerui: {words}"), output
            assert output.count("\n") == 1
            assert "secret" not in output


def test_it_ends_everything_in_time_and_starts_again_over_what_was_left(home, tmp_path):
    with Start(home, log=tmp_path / "first.log", env={"SCHEDULERUI_ADMIN_PASSWORD": "given-by-me"}) as first:
        first.process.wait_for("schedulerui is ready:", within=START_WITHIN)
        assert "given-by-me" not in first.process.output()
        family = descendants(first.process.pid)
        limit = STOP_WITHIN * pace.slowness(first.process.pid)
        assert first.process.terminate(within=limit) == 0
        assert [pid for pid in family if not is_gone(pid)] == []
    (home / "broker.sock").unlink(missing_ok=True)  # there when the broker had to be killed
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home / "broker.sock"))
    with Start(home, log=tmp_path / "second.log") as second:
        second.process.wait_for("schedulerui is ready:", within=START_WITHIN)
        family = descendants(second.process.pid)
        os.kill(second.process.pid, signal.SIGKILL)  # not even the launcher's end leaves a process behind
        eventually(lambda: all(is_gone(pid) for pid in family), within=60)


def test_a_home_whose_path_is_too_long_for_a_socket_works(tmp_path):
    with tempfile.TemporaryDirectory(prefix="su-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        long_home = Path(folder) / ("x" * 110) / "home"
        with Start(long_home, log=tmp_path / "run.log") as start:
            start.ready()
            runtime = Path((long_home / "runtime.path").read_text())
            assert (runtime / "broker.sock").exists()
            assert (
                start.process.terminate() == 0
            )  # in order, however long it takes here: what is killed leaves its files
        assert not (runtime / "broker.sock").exists()
        runtime.rmdir()


def test_two_variables_move_it_to_postgresql_and_redis(home, tmp_path, postgres, redis_server):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS makerun WITH (FORCE)")
        connection.execute("CREATE DATABASE makerun")
    url = postgres.url.rpartition("/")[0] + "/makerun"
    with Start(
        home, log=tmp_path / "run.log", env={"DATABASE_URL": url, "CELERY_BROKER_URL": redis_server.url}
    ) as start:
        start.ready()
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT count(*) FROM schedulerui_run WHERE state = 'succeeded'"
            eventually(lambda: (connection.execute(query).fetchone() or (0,))[0], within=90)
        assert not start.pid_of("broker")
        assert not (home / "db.sqlite3").exists()
        assert start.process.terminate() == 0
