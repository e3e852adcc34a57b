"""The bundled site's own pages: login, logout, health."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from schedulerui.web.failed import failed, forged


@pytest.fixture(autouse=True)
def site_urls():
    with override_settings(ROOT_URLCONF="schedulerui.site.urls", LOGOUT_REDIRECT_URL="login"):
        yield


@pytest.mark.django_db
def test_healthz_answers_ok_without_login_and_without_a_query(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert "no-store" in answer["Cache-Control"]


def test_healthz_takes_no_post(client):
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_the_login_page_labels_its_fields_and_keeps_where_to_go(client):
    page = client.get("/login/?next=/runs/").content.decode()
    assert '<label for="id_username">' in page
    assert '<label for="id_password">' in page
    assert 'name="next" value="/runs/"' in page
    assert "<script" not in page
    assert "style=" not in page


@pytest.mark.django_db
def test_a_wrong_password_is_told_as_an_alert(client):
    answer = client.post("/login/", {"username": "admin", "password": "wrong"})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'role="alert"' in page
    assert 'value="admin"' in page
    assert 'aria-describedby="login-error"' in page


@pytest.mark.django_db
def test_the_right_password_leads_on_and_logout_takes_a_post(client):
    get_user_model().objects.create_superuser("admin", password="right")
    answer = client.post("/login/", {"username": "admin", "password": "right", "next": "/admin/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"


@pytest.mark.django_db
def test_a_foreign_address_is_not_followed_after_login(client):
    get_user_model().objects.create_superuser("admin", password="right")
    answer = client.post(
        "/login/", {"username": "admin", "password": "right", "next": "https://evil.example/"}
    )
    assert answer["Location"] == "/"


@pytest.mark.django_db
def test_the_admin_asks_for_a_login(client):
    assert client.get("/admin/")["Location"].startswith("/admin/login/")


@pytest.mark.django_db
def test_an_address_that_does_not_exist_is_told_in_the_frame_to_people_alone(client):
    plain = client.get("/nowhere/")
    assert (plain.status_code, b"schedulerui:" in plain.content, b'class="rail' in plain.content) == (
        404,
        False,
        False,
    )
    client.force_login(get_user_model().objects.create_superuser("admin"))
    framed = client.get("/nowhere/")
    assert framed.status_code == 404
    assert 'class="rail' in framed.content.decode()
    assert "There is nothing at this address." in framed.content.decode()
    assert client.post("/nowhere/").status_code == 404


def test_a_mistake_of_the_site_is_told_with_what_to_do_and_without_its_reason(rf):
    looked = failed(rf.get("/runs/?q=a"))
    assert looked.status_code == 500
    assert '<a class="button" href="/runs/?q=a">Try again</a>' in looked.content.decode()
    did = failed(rf.post("/schedules/1/run/")).content.decode()
    assert "it may or may not have been done" in did
    assert '<a class="button" href="/">Look how things stand</a>' in did


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
@pytest.mark.parametrize("address", ["/login/", "/logout/", "/theme/", "/schedules/bulk/", "/admin/login/"])
def test_a_form_without_a_valid_token_is_refused_with_what_to_do(settings, address, headers):
    settings.CSRF_FAILURE_VIEW = "schedulerui.web.failed.forged"
    browser = Client(enforce_csrf_checks=True)
    if "login" not in address:
        browser.force_login(get_user_model().objects.create_superuser("admin"))
    headers = {**headers, "Referer": "http://testserver/runs/?q=a"}
    answer = browser.post(address, {"csrfmiddlewaretoken": "x" * 64}, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "load it again" in page
    assert '<a class="button" href="/runs/?q=a">' in page
    assert "<style" not in page


def test_the_way_back_from_a_form_without_a_valid_token_is_our_own(rf, settings):
    for referer in (
        "http://pwned.test/x",
        "javascript:alert(1)",
        "http://[::1",
        "http://testserver//pwned.test/x",
    ):
        page = forged(rf.post("/theme/", headers={"Referer": referer})).content.decode()
        assert re.search('<a class="button" href="/([^/][^"]*)?"', page), referer


def test_a_mistake_in_the_templates_is_told_plainly(rf, settings):
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    assert b"Server Error (500)" in failed(rf.get("/")).content
