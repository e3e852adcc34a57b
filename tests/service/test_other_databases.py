"""The verbs and the edges on the databases of production: the same tests as on SQLite, none of them skipped."""

from __future__ import annotations

import re
import sys

import pytest

from tests.processes import Process

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]
ROOMS = ["tests/operations", "tests/edges"]


@pytest.mark.long
@pytest.mark.parametrize("database", ["postgres", "mariadb"])
def test_the_verbs_work_on_another_database(database, request, tmp_path):
    server = request.getfixturevalue(database)
    command = ["-m", "pytest", *ROOMS, "-m", "not service", "-q", "--color=no", "-p", "no:cacheprovider"]
    with Process(
        [sys.executable, *command],
        log=tmp_path / "pytest.log",
        env={"TEST_DATABASE_URL": server.url},
    ) as run:
        code = run.wait(within=840)
    said = run.output()
    assert code == 0, said[-8000:]
    assert re.search(r"\b\d+ passed", said), said[-2000:]
    assert not re.search(r"\b\d+ (skipped|xfailed)", said), said[-2000:]
