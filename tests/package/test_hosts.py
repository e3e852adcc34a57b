"""The integrations in the hosts that they are for: each installed from the package index, into an environment of its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.package.environments import done, install_host, make_environment
from tests.package.projects import lay_out

pytestmark = [pytest.mark.package, pytest.mark.timeout(400)]

NAMES = ("wagtail", "djangocms", "unfold")


def look_around(name, wheel, folder):
    """Make a foreign project of the host, and return what its own look.py saw there as several people."""
    project = folder / "project"
    lay_out(name, project)
    python = make_environment(folder / "environment", wheel)
    install_host(python, name)
    return json.loads(done(python, "look.py", cwd=project))


@pytest.fixture(scope="module")
def looks(wheel, tmp_path_factory, request):
    """Looks around in the hosts that the chosen tests ask for, at the same time: most of it is waiting for the package index."""
    wanted = [
        name for name in NAMES if any(f"in_{name}" in item.fixturenames for item in request.session.items)
    ]
    with ThreadPoolExecutor(len(NAMES)) as pool:
        yield {name: pool.submit(look_around, name, wheel, tmp_path_factory.mktemp(name)) for name in wanted}


@pytest.fixture(scope="module")
def in_wagtail(looks):
    return looks["wagtail"].result()


@pytest.fixture(scope="module")
def in_djangocms(looks):
    return looks["djangocms"].result()


@pytest.fixture(scope="module")
def in_unfold(looks):
    return looks["unfold"].result()


def test_wagtails_own_checks_find_nothing(in_wagtail):
    assert in_wagtail["checks"] == ["no issues"]


def test_wagtail_shows_menu_and_panel_to_those_who_may_look(in_wagtail):
    for name in ("reader", "operator", "root"):
        home = in_wagtail["home"][name]
        assert {"/ops/schedules/", "/ops/schedules/runs/"} <= set(home["menu"])
        assert home["panel"]
        assert (home["status"], home["dashboard"]) == (200, 200)


def test_wagtail_shows_nothing_of_it_to_an_editor_who_may_not_look(in_wagtail):
    home = in_wagtail["home"]["editor"]
    assert (home["status"], home["dashboard"]) == (200, 403)
    assert home["menu"] == []
    assert not home["panel"]


def test_wagtail_sends_nobody_to_its_login(in_wagtail):
    status, address = in_wagtail["anonymous"]
    assert status == 302
    assert address.startswith("/cms/login/")


def test_wagtails_home_says_what_needs_attention_and_escapes_it(in_wagtail):
    home = in_wagtail["home"]["reader"]
    assert home["names_the_failing"]
    assert not home["raw"]
    for words in ("No beat is running", "1 schedule fails", "failed 3 times in a row", "no worker is online"):
        assert words in home["words"]


def test_wagtails_search_leads_to_the_schedules_that_match(in_wagtail):
    assert in_wagtail["home"]["root"]["search"]
    assert "Nightly" in in_wagtail["found"]


def test_the_dashboard_leads_back_to_wagtails_home(in_wagtail):
    assert in_wagtail["leads_back"]


def test_wagtails_group_editor_offers_every_permission(in_wagtail):
    assert in_wagtail["offered"] == in_wagtail["verbs"]


def test_wagtails_home_stands_when_our_tables_are_missing(in_wagtail):
    home = in_wagtail["unmigrated"]
    assert home["status"] == 200
    assert home["panel"]
    assert "migrations are to be run" in home["words"]


def test_django_cmss_own_checks_find_nothing(in_djangocms):
    assert in_djangocms["checks"] == ["no issues"]


def test_django_cmss_toolbar_opens_our_pages_beside_the_page(in_djangocms):
    for name in ("reader", "operator", "root"):
        page = in_djangocms[name]
        assert {"/ops/schedules/", "/ops/schedules/schedules/", "/ops/schedules/runs/"} <= set(page["links"])
        assert page["in_sideframe"]
        assert (page["status"], page["dashboard"]) == (200, 200)


def test_the_dashboard_lets_the_hosts_own_pages_frame_it(in_djangocms):
    page = in_djangocms["reader"]
    assert page["framing"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in page["policy"]


def test_django_cmss_toolbar_shows_nothing_of_it_to_those_who_may_not_look(in_djangocms):
    assert in_djangocms["editor"]["toolbar"]
    for name in ("anonymous", "visitor", "editor"):
        assert in_djangocms[name]["status"] == 200
        assert in_djangocms[name]["links"] == []
    assert [in_djangocms[name]["dashboard"] for name in ("anonymous", "editor")] == [302, 403]


def test_django_cmss_toolbar_has_a_button_while_a_schedule_fails(in_djangocms):
    failing = "/ops/schedules/schedules/?state=failing&amp;on=on"
    assert failing in in_djangocms["reader"]["links"]
    assert "Schedules: 1 failing" in in_djangocms["reader"]["words"]
    assert "Schedules (1 failing)" in in_djangocms["reader"]["words"]
    assert failing not in in_djangocms["calm"]["links"]
    assert "failing" not in in_djangocms["calm"]["words"]


def test_django_cmss_page_stands_when_our_tables_are_missing(in_djangocms):
    page = in_djangocms["unmigrated"]
    assert page["status"] == 200
    assert "/ops/schedules/" in page["links"]
    assert "failing" not in page["words"]


def test_unfolds_own_checks_find_nothing(in_unfold):
    assert in_unfold["checks"] == ["no issues"]


def test_unfolds_sidebar_leads_to_our_pages(in_unfold):
    for name in ("reader", "operator", "root", "UNFOLD_BY_NAME", "UNFOLD_AS_A_LIST"):
        page = in_unfold[name]
        assert {"/ops/schedules/", "/ops/schedules/schedules/", "/ops/schedules/runs/"} <= set(page["links"])
        assert (page["status"], page["dashboard"], page["rows"]) == (200, 200, 200)


def test_unfolds_sidebar_shows_a_person_what_they_may_open(in_unfold):
    assert "/ops/schedules/audit/" in in_unfold["root"]["links"]
    assert "/ops/schedules/audit/" not in in_unfold["reader"]["links"]
    assert in_unfold["editor"]["sidebar"]
    assert in_unfold["editor"]["links"] == {}
    assert in_unfold["anonymous"]["status"] == 302


def test_unfolds_sidebar_says_how_many_schedules_fail(in_unfold):
    said = {name: in_unfold[name]["links"]["/ops/schedules/schedules/"] for name in ("calm", "reader")}
    assert said == {"calm": "schedule Schedules", "reader": "schedule Schedules 1"}
    assert in_unfold["UNFOLD_BY_NAME"]["links"]["/ops/schedules/schedules/"].endswith(" 1")


def test_unfolds_pages_stand_when_our_tables_are_missing(in_unfold):
    assert in_unfold["unmigrated"] == [200, True]
