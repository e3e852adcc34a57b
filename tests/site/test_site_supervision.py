"""The supervisor's configuration: what is started, in which order it ends, and what nobody may read."""

from __future__ import annotations

import configparser
import shlex
import socket
from pathlib import Path

import pytest

from schedulerui.site.environment import Home
from schedulerui.site.supervision import Site, configuration, programs


def make_site(**overrides) -> Site:
    values = {
        "home": Home(root=Path("/srv/100% home")),
        "bind": "127.0.0.1",
        "port": 8000,
        "flower_port": 5999,
        "flower_auth": "schedulerui:s3cret",
        "broker_binary": "/opt/valkey-server",
    }
    return Site(**{**values, **overrides})


def parsed(site: Site) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(configuration(site))
    return parser


def test_processes_end_in_the_order_beat_worker_flower_monitor_web_broker():
    ordered = sorted(programs(make_site()), key=lambda program: -program.place)
    assert [program.name for program in ordered] == ["beat", "worker", "flower", "monitor", "web", "broker"]


def test_there_is_no_broker_process_when_a_running_broker_is_used():
    assert "broker" not in {program.name for program in programs(make_site(broker_binary=None))}


def test_the_flower_password_is_in_no_command_line():
    site = make_site()
    assert not any("s3cret" in word for program in programs(site) for word in program.command)
    assert parsed(site)["program:flower"]["environment"] == 'FLOWER_BASIC_AUTH="schedulerui:s3cret"'


def test_percent_signs_and_spaces_of_the_home_survive_the_configuration():
    section = parsed(make_site())["program:broker"]
    words = shlex.split(section["command"].replace("%%", "%"))
    assert words[words.index("--dir") + 1] == "/srv/100% home/broker"
    assert words[words.index("--save") + 1] == ""
    assert section["stdout_logfile"] == "/srv/100%% home/logs/broker.log"


def test_every_process_is_restarted_and_killed_with_its_children():
    parser = parsed(make_site())
    sections = [parser[name] for name in parser.sections() if name.startswith("program:")]
    assert len(sections) == 6
    for section in sections:
        assert section["autorestart"] == "true"
        assert section["killasgroup"] == "true"
        assert section["stdout_logfile_maxbytes"] == "5MB"


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("10.1.2.3", "http://10.1.2.3:8000/"),
    ],
)
def test_the_printed_address_is_one_that_can_be_opened(bind, url):
    assert make_site(bind=bind).web_url == url


def test_workers_of_several_homes_on_one_broker_have_names_of_their_own():
    host = socket.gethostname()
    assert make_site().worker_node == f"worker@{host}"
    assert make_site(broker_binary=None, port=8123).worker_node == f"worker-8123@{host}"
