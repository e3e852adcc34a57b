"""A site whose migrations were forgotten, or not all run: every page says so, on each database, in its own words."""

from __future__ import annotations

import json
import sys
import uuid

import pymysql
import pytest

from tests.processes import Process
from tests.service.conftest import created

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]
NEVER_READS = {"/complete/?of=schedules&q=task:"}
"""What asks only for what the first migration has made."""
FOR_MACHINES = {"/readyz", "/metrics", "/health.json"}


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def fresh(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    server, name = request.getfixturevalue(request.param), f"fresh_{uuid.uuid4().hex[:8]}"
    if request.param == "postgres":
        return created(server, name)
    with (
        pymysql.connect(host="127.0.0.1", port=server.port, user="root") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return f"{server.url.rpartition('/')[0]}/{name}"


def test_it_says_which_command_to_run_on_every_page(fresh, tmp_path):
    command = [sys.executable, "-m", "tests.service.unmigrated"]
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_DATABASE_URL": fresh}
    with Process(command, log=tmp_path / "asked.log", env=env) as process:
        code = process.wait(within=240)
    assert code == 0, process.tail()
    told = json.loads(process.output().splitlines()[-1])
    behind = {address: answer for address, answer in told["behind"].items() if address not in NEVER_READS}
    for address, (status, text) in [*told["without"].items(), *behind.items()]:
        assert status == 503, address
        if address not in FOR_MACHINES:
            assert "The tables of the database are not those of this version" in text, address
            assert "This is missing: schedulerui_" in text, address
            assert "python manage.py migrate" in text, address
    assert (
        "This is missing: schedulerui_schedule." in behind["/timeline/"][1] + behind["/schedules/1/edit/"][1]
    )
