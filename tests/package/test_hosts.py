"""The integrations in the hosts that they are for: each installed from the package index, into an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.package.environments import done, install_host, make_environment

pytestmark = [pytest.mark.package, pytest.mark.timeout(400)]

HOSTS = Path(__file__).parent / "hosts"


class Project:
    """A foreign project of one host, migrated."""

    def __init__(self, name, wheel, folder):
        self.folder = folder / "project"
        self.folder.mkdir()
        self.python = make_environment(folder / "environment", wheel)
        install_host(self.python, name)
        (self.folder / "templates").mkdir()
        for source in [*HOSTS.glob("*.txt"), *(HOSTS / name).glob("*.txt")]:
            inside = "templates/" if source.name.endswith(".html.txt") else ""
            (self.folder / f"{inside}{source.name.removesuffix('.txt')}").write_text(source.read_text())
        self.manage("migrate", "--run-syncdb", "--verbosity=0")

    def manage(self, *words):
        return done(self.python, "manage.py", *words, cwd=self.folder)

    def look(self):
        """What the project's own look.py saw."""
        return json.loads(done(self.python, "look.py", cwd=self.folder))


@pytest.fixture(scope="module")
def wagtail(wheel, tmp_path_factory):
    return Project("wagtail", wheel, tmp_path_factory.mktemp("wagtail"))


@pytest.fixture(scope="module")
def seen_in_wagtail(wagtail):
    return wagtail.look()


def test_wagtails_own_checks_find_nothing(wagtail):
    assert "no issues" in wagtail.manage("check", "--fail-level", "WARNING")


def test_wagtail_shows_menu_and_panel_to_those_who_may_look(seen_in_wagtail):
    for name in ("reader", "operator", "root"):
        home = seen_in_wagtail["home"][name]
        assert {"/ops/schedules/", "/ops/schedules/runs/"} <= set(home["menu"])
        assert home["panel"]
        assert (home["status"], home["dashboard"]) == (200, 200)


def test_wagtail_shows_nothing_of_it_to_an_editor_who_may_not_look(seen_in_wagtail):
    home = seen_in_wagtail["home"]["editor"]
    assert (home["status"], home["dashboard"]) == (200, 403)
    assert home["menu"] == []
    assert not home["panel"]


def test_wagtail_sends_nobody_to_its_login(seen_in_wagtail):
    status, address = seen_in_wagtail["anonymous"]
    assert status == 302
    assert address.startswith("/cms/login/")


def test_wagtails_home_says_what_needs_attention_and_escapes_it(seen_in_wagtail):
    home = seen_in_wagtail["home"]["reader"]
    assert home["names_the_failing"]
    assert not home["raw"]
    for words in ("No beat is running", "1 schedule fails", "failed 3 times in a row", "no worker is online"):
        assert words in home["words"]


def test_wagtails_search_leads_to_the_schedules_that_match(seen_in_wagtail):
    assert seen_in_wagtail["home"]["root"]["search"]
    assert "Nightly" in seen_in_wagtail["found"]


def test_the_dashboard_leads_back_to_wagtails_home(seen_in_wagtail):
    assert seen_in_wagtail["leads_back"]


def test_wagtails_group_editor_offers_every_permission(seen_in_wagtail):
    assert seen_in_wagtail["offered"] == seen_in_wagtail["verbs"]


def test_wagtails_home_stands_when_our_tables_are_missing(seen_in_wagtail):
    home = seen_in_wagtail["unmigrated"]
    assert home["status"] == 200
    assert home["panel"]
    assert "migrations are to be run" in home["words"]


@pytest.fixture(scope="module")
def djangocms(wheel, tmp_path_factory):
    return Project("djangocms", wheel, tmp_path_factory.mktemp("djangocms"))


@pytest.fixture(scope="module")
def seen_in_djangocms(djangocms):
    return djangocms.look()


def test_django_cmss_own_checks_find_nothing(djangocms):
    assert "no issues" in djangocms.manage("check", "--fail-level", "WARNING")


def test_django_cmss_toolbar_opens_our_pages_beside_the_page(seen_in_djangocms):
    for name in ("reader", "operator", "root"):
        page = seen_in_djangocms[name]
        assert {"/ops/schedules/", "/ops/schedules/schedules/", "/ops/schedules/runs/"} <= set(page["links"])
        assert page["in_sideframe"]
        assert (page["status"], page["dashboard"]) == (200, 200)


def test_the_dashboard_lets_the_hosts_own_pages_frame_it(seen_in_djangocms):
    page = seen_in_djangocms["reader"]
    assert page["framing"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in page["policy"]


def test_django_cmss_toolbar_shows_nothing_of_it_to_those_who_may_not_look(seen_in_djangocms):
    assert seen_in_djangocms["editor"]["toolbar"]
    for name in ("anonymous", "visitor", "editor"):
        assert seen_in_djangocms[name]["status"] == 200
        assert seen_in_djangocms[name]["links"] == []
    assert [seen_in_djangocms[name]["dashboard"] for name in ("anonymous", "editor")] == [302, 403]


def test_django_cmss_toolbar_has_a_button_while_a_schedule_fails(seen_in_djangocms):
    failing = "/ops/schedules/schedules/?state=failing&amp;on=on"
    assert failing in seen_in_djangocms["reader"]["links"]
    assert "Schedules: 1 failing" in seen_in_djangocms["reader"]["words"]
    assert "Schedules (1 failing)" in seen_in_djangocms["reader"]["words"]
    assert failing not in seen_in_djangocms["calm"]["links"]
    assert "failing" not in seen_in_djangocms["calm"]["words"]


def test_django_cmss_page_stands_when_our_tables_are_missing(seen_in_djangocms):
    page = seen_in_djangocms["unmigrated"]
    assert page["status"] == 200
    assert "/ops/schedules/" in page["links"]
    assert "failing" not in page["words"]


@pytest.fixture(scope="module")
def unfold(wheel, tmp_path_factory):
    return Project("unfold", wheel, tmp_path_factory.mktemp("unfold"))


@pytest.fixture(scope="module")
def seen_in_unfold(unfold):
    return unfold.look()


def test_unfolds_own_checks_find_nothing(unfold):
    assert "no issues" in unfold.manage("check", "--fail-level", "WARNING")


def test_unfolds_sidebar_leads_to_our_pages(seen_in_unfold):
    for name in ("reader", "operator", "root", "UNFOLD_BY_NAME", "UNFOLD_AS_A_LIST"):
        page = seen_in_unfold[name]
        assert {"/ops/schedules/", "/ops/schedules/schedules/", "/ops/schedules/runs/"} <= set(page["links"])
        assert (page["status"], page["dashboard"], page["rows"]) == (200, 200, 200)


def test_unfolds_sidebar_shows_a_person_what_they_may_open(seen_in_unfold):
    assert "/ops/schedules/audit/" in seen_in_unfold["root"]["links"]
    assert "/ops/schedules/audit/" not in seen_in_unfold["reader"]["links"]
    assert seen_in_unfold["editor"]["sidebar"]
    assert seen_in_unfold["editor"]["links"] == {}
    assert seen_in_unfold["anonymous"]["status"] == 302


def test_unfolds_sidebar_says_how_many_schedules_fail(seen_in_unfold):
    said = {name: seen_in_unfold[name]["links"]["/ops/schedules/schedules/"] for name in ("calm", "reader")}
    assert said == {"calm": "schedule Schedules", "reader": "schedule Schedules 1"}
    assert seen_in_unfold["UNFOLD_BY_NAME"]["links"]["/ops/schedules/schedules/"].endswith(" 1")


def test_unfolds_pages_stand_when_our_tables_are_missing(seen_in_unfold):
    assert seen_in_unfold["unmigrated"] == [200, True]
