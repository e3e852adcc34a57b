"""The wheel in a clean environment, in a Django project that knows nothing of this repository and mounts it under a prefix."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from tests.package.environments import REPOSITORY, done, make_environment

pytestmark = [pytest.mark.package, pytest.mark.timeout(300)]

HOST = Path(__file__).parent / "host"


def names_below(folder):
    """Every file's name as Django looks for it: "schedulerui/..."."""
    root = REPOSITORY / folder
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of a new environment with the wheel."""
    return make_environment(tmp_path_factory.mktemp("environment"), wheel)


@pytest.fixture(scope="module")
def host(python, tmp_path_factory):
    """A foreign project: only APP_DIRS, SQLite, the dashboard below ops/schedules/; migrated."""
    folder = tmp_path_factory.mktemp("project")
    for source in HOST.glob("*.py.txt"):
        (folder / source.name.removesuffix(".txt")).write_text(source.read_text())
    done(python, "manage.py", "migrate", "--verbosity=0", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def seen(python, host):
    """What the foreign project found: asked once, in one process."""
    names = {"templates": names_below("templates"), "static": names_below("static")}
    (host / "names.json").write_text(json.dumps(names))
    return json.loads(done(python, "-W", "error", "look.py", cwd=host))


def test_it_holds_the_package_and_nothing_of_the_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"schedulerui"}
    assert "schedulerui/py.typed" in names
    assert any(re.fullmatch(r"schedulerui/migrations/0001_\w+\.py", name) for name in names)


def test_the_project_runs_the_wheel_and_not_this_checkout(python, seen):
    for place in (seen["package"], seen["distribution"]):
        assert Path(place).is_relative_to(python.parent.parent)
        assert not Path(place).is_relative_to(REPOSITORY)


def test_every_template_is_found_with_app_dirs_alone(seen):
    assert seen["templates_missing"] == {}
    assert names_below("templates")


def test_every_static_file_is_found(seen):
    assert seen["static_missing"] == []
    assert "schedulerui/css/schedulerui.css" in names_below("static")


def test_every_page_renders_below_the_prefix(seen):
    others = {page: status for page, status in seen["pages"].items() if status != 200}
    assert others == {"/ops/schedules/health.json": 503}  # it says that no beat ticks, and none does
    assert len(seen["pages"]) >= 9


def test_every_link_of_the_pages_stays_below_the_prefix_or_is_the_hosts(seen):
    assert seen["links"]
    strange = [
        link
        for link in seen["links"]
        if not link.startswith(("/ops/schedules/", "/static/", "/admin/", "#", "?"))
    ]
    assert strange == []


def test_every_file_that_a_page_asks_for_is_found(seen):
    assert seen["files_missing"] == []
    assert seen["n_files"] >= 3


def test_flower_that_is_not_set_up_is_a_sentence_and_not_an_error(seen):
    assert seen["flower"] == [503, True]


def test_a_page_of_the_project_says_how_the_schedules_stand_to_those_who_may_look(seen):
    told, untold = seen["start"]
    assert '<a href="/ops/schedules/">Schedules</a>: No beat is running' in told
    assert 'href="/ops/schedules/alerts/">no alert is open</a>' in told
    assert untold == "<main> </main>"


def test_the_system_checks_find_nothing(python, host):
    assert "no issues" in done(python, "manage.py", "check", "--fail-level", "WARNING", cwd=host)


def test_no_migration_is_missing_in_the_project(python, host):
    done(python, "manage.py", "makemigrations", "--check", "--dry-run", cwd=host)


def test_celery_finds_the_scheduler_by_its_entry_point(seen):
    assert seen["scheduler"] == "schedulerui.beat.scheduler.DatabaseScheduler"


@pytest.mark.usefixtures("seen")  # it makes the schedule that is listed
def test_the_commands_run(python, host):
    assert "Seen" in done(python, "manage.py", "schedulerui", "list", cwd=host)
    assert "status" in done(python.parent / "schedulerui", "--help", cwd=host)
