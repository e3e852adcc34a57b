from __future__ import annotations

import pytest

from tests.web.people import check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db


def test_it_remembers_the_colours_and_goes_back():
    client = logged_in("view")
    response = client.post("/theme/", {"theme": "dark", "back": "/schedules/?q=x"})
    assert (response.status_code, response["Location"]) == (303, "/schedules/?q=x")
    assert '<html lang="en" data-theme="dark">' in text_of(client.get("/"))


def test_auto_leaves_it_to_the_system():
    client = logged_in("view")
    client.post("/theme/", {"theme": "auto"})
    assert "data-theme" not in text_of(client.get("/")).partition("<head>")[0]


@pytest.mark.parametrize("nonsense", ["", "pink", '"><script>'])
def test_nonsense_changes_nothing(nonsense):
    client = logged_in("view")
    client.post("/theme/", {"theme": nonsense})
    assert "data-theme" not in text_of(client.get("/")).partition("<head>")[0]


def test_a_cookie_somebody_made_up_changes_nothing():
    client = logged_in("view")
    client.cookies["schedulerui_theme"] = "<script>"
    assert "data-theme" not in text_of(client.get("/")).partition("<head>")[0]


def test_it_can_only_be_posted():
    check_methods("/theme/", "GET", "PUT")


def test_the_rail_shows_only_what_one_may_see():
    assert "Audit log" not in text_of(logged_in("view").get("/"))
    assert "Audit log" in text_of(logged_in("view", "view_audit").get("/"))


def test_the_rail_marks_where_one_is():
    text = text_of(logged_in("view").get("/schedules/"))
    assert text.count('aria-current="page"') == 2  # the rail, and the menu of small screens
    assert 'href="/schedules/" aria-current="page"' in text


def test_single_keys_are_on_until_a_person_switches_them_off():
    client = logged_in("view")
    assert '<body class="frame" data-keys data-quick>' in text_of(client.get("/"))
    response = client.post("/keys/", {"keys": "off", "back": "/runs/"})
    assert (response.status_code, response["Location"]) == (303, "/runs/")
    assert '<body class="frame" data-quick>' in text_of(client.get("/"))
    assert "Switch the keys on" in text_of(client.get("/about/"))
    client.post("/keys/", {"keys": "<script>"})
    assert '<body class="frame" data-quick>' in text_of(client.get("/"))
    client.post("/keys/", {"keys": "on"})
    assert '<body class="frame" data-keys data-quick>' in text_of(client.get("/"))


def test_the_table_of_keys_stands_on_a_page_and_comes_as_a_dialog():
    client = logged_in("view")
    page = text_of(client.get("/about/"))
    assert '<section class="card" id="keys"' in page
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/runs/?state=failed"}
    dialog = text_of(client.get("/about/", headers=headers))
    assert dialog.lstrip().startswith("<dialog")
    assert 'name="back" value="/runs/?state=failed"' in dialog
