from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import Client, RequestFactory

from schedulerui.access import PERMISSIONS, may, rights_of
from schedulerui.web.csp import POLICY
from schedulerui.web.decorators import gate
from tests.web.people import a_run, a_schedule, check_gate, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def host_decision(user, verb, obj):
    return verb == "view" and user.get_username().startswith("person")


@pytest.mark.parametrize("url", ["/", "/schedules/", "/live/overview/", "/live/health/"])
def test_every_page_asks_for_login_and_permission(url):
    check_gate(url, verb="view")


def test_every_page_of_a_schedule_asks_for_login_and_permission():
    pk = a_schedule().pk
    for url in (f"/schedules/{pk}/", f"/live/schedules/{pk}/"):
        check_gate(url, verb="view")
    check_gate(f"/schedules/{pk}/run/", verb="operate")


def test_the_live_list_asks_for_login_and_permission():
    schedule = a_schedule()
    check_gate(f"/live/schedules/?have=schedule-{schedule.pk}:0", verb="view")


def test_reading_pages_refuse_to_be_posted_to():
    pk = a_schedule().pk
    for url in (
        "/",
        "/schedules/",
        f"/schedules/{pk}/",
        "/live/overview/",
        "/live/schedules/",
        "/live/health/",
    ):
        check_methods(url, "POST", "PUT", "DELETE")


def test_it_sends_a_visitor_to_the_login_and_back():
    response = Client().get("/schedules/?q=a b")
    assert response.status_code == 302
    assert response["Location"].endswith("/accounts/login/?next=/schedules/%3Fq%3Da%2520b")


def test_it_sends_an_expired_htmx_request_to_the_login_and_back_to_its_page():
    headers = {**HTMX, "HX-Current-URL": "http://testserver/schedules/?q=x"}
    response = Client().get("/live/schedules/", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"].endswith("?next=/schedules/%3Fq%3Dx")


def test_it_never_sends_back_to_another_site():
    headers = {**HTMX, "HX-Current-URL": "https://evil.example/"}
    assert "evil" not in Client().get("/live/schedules/", headers=headers)["HX-Redirect"]


@pytest.mark.parametrize("address", ["http://[::1", "http://[", "http://testserver]/", "//[x"])
def test_an_htmx_request_from_what_is_no_address_goes_to_the_overview_after_the_login(address):
    response = Client().get("/live/schedules/", headers={**HTMX, "HX-Current-URL": address})
    assert response.status_code == 401
    assert response["HX-Redirect"].endswith("?next=/")


def test_a_post_without_login_does_not_come_back_to_the_post_address():
    pk = a_schedule().pk
    response = Client().post(f"/schedules/{pk}/disable/")
    assert response.status_code == 302
    assert "disable" not in response["Location"]


def test_a_refusal_is_a_page_and_for_htmx_a_fragment():
    client = logged_in()
    page, fragment = text_of(client.get("/schedules/")), text_of(client.get("/schedules/", headers=HTMX))
    for text in (page, fragment):
        assert "may not see schedules" in text
    assert "<html" in page
    assert "<html" not in fragment


def test_what_does_not_exist_is_our_own_404():
    response = logged_in("view").get("/schedules/999/")
    assert response.status_code == 404
    assert "may have been deleted" in text_of(response)


def test_an_address_with_a_giant_number_is_a_404():
    assert logged_in("view").get(f"/schedules/{10**30}/").status_code == 404


@pytest.mark.parametrize("url", ["/", "/schedules/", "/schedules/999/", "/live/health/"])
def test_every_answer_carries_the_policy_and_is_not_kept(url):
    response = logged_in("view").get(url)
    assert response["Content-Security-Policy"] == POLICY
    assert "HX-Request" in response["Vary"]
    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "SAMEORIGIN"


def test_a_post_without_a_token_is_refused():
    schedule = a_schedule()
    client = Client(enforce_csrf_checks=True)
    logged_in("operate")
    client.force_login(User.objects.get())
    assert client.post(f"/schedules/{schedule.pk}/disable/").status_code == 403


def test_an_inactive_user_may_nothing():
    client = logged_in(*PERMISSIONS)
    user = client.get("/").wsgi_request.user
    user.is_active = False
    assert not any(may(user, verb) for verb in PERMISSIONS)


def test_nobody_may_nothing():
    assert not any(may(AnonymousUser(), verb) for verb in PERMISSIONS)


def test_a_verb_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        gate("fly")
    with pytest.raises(KeyError):
        may(logged_in().get("/").wsgi_request.user, "fly")


def test_the_host_may_decide_itself(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": "tests.web.test_gate.host_decision"}
    user = logged_in("operate").get("/").wsgi_request.user
    rights = rights_of(user)
    assert rights.view
    assert not rights.operate


def all_but_salaries(_user, _verb, obj):
    return getattr(obj, "name", "") != "Salaries"


def test_the_host_is_asked_about_the_schedule_of_a_run_too(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.all_but_salaries"}
    client = logged_in()
    for name, status in (("Backup", 200), ("Salaries", 403)):
        schedule = a_schedule(name=name)
        assert client.get(f"/schedules/{schedule.pk}/").status_code == status
        assert client.get(f"/runs/{a_run(schedule).uuid}/").status_code == status


@pytest.mark.parametrize(
    "here",
    [
        "http://testserver//pwned.test/x",
        "https://pwned.test/x",
        "//pwned.test/",
        "javascript:1",
        "http://[::1",
    ],
)
def test_no_page_leads_where_the_address_of_another_host_is_told_as_its_own(here):
    headers = {**HTMX, "HX-Current-URL": here}
    assert "pwned" not in Client().get("/live/schedules/", headers=headers)["HX-Redirect"]
    client = logged_in("view", "operate")
    for url in ("/about/", "/schedules/", "/runs/", f"/schedules/{a_schedule().pk}/run/"):
        page = text_of(client.get(url, headers={**headers, "Referer": here}))
        assert "//pwned" not in page


def test_it_works_in_a_host_without_the_htmx_middleware():
    request = RequestFactory().get("/", headers=HTMX)
    request.user = AnonymousUser()
    response = gate("view")(lambda _request: HttpResponse("never"))(request)
    assert response.status_code == 401
