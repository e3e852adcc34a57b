"""Every address of the dashboard, asked by each role with GET and POST: a new one without a line in the table fails."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from schedulerui import urls
from schedulerui.access import PERMISSIONS
from schedulerui.models import Change, Run, Schedule
from schedulerui.testing import recording
from schedulerui.web.bulk import ACTIONS
from tests.web.people import a_run, a_schedule, a_worker, logged_in

ROLES = {
    "anonymous": None,
    "stranger": (),
    "reader": ("view",),
    "operator": ("view", "operate"),
    "owner": tuple(PERMISSIONS),
}
NOT_ALLOWED = "405 405 405 405 405"


@dataclass(frozen=True)
class Expected:
    """The status for anonymous, stranger, reader, operator and owner."""

    get: str = NOT_ALLOWED
    post: str = NOT_ALLOWED


SHOWN_TO_READERS = Expected(get="302 403 200 200 200")
EXPECTED = {
    "": SHOWN_TO_READERS,
    "schedules/": SHOWN_TO_READERS,
    "schedules/<int:pk>/": SHOWN_TO_READERS,
    "schedules/<int:pk>/enable/": Expected(post="302 403 403 303 303"),
    "schedules/<int:pk>/disable/": Expected(post="302 403 403 303 303"),
    "schedules/<int:pk>/run/": Expected(get="302 403 403 200 200", post="302 403 403 303 303"),
    # no time is named here, so the operator is sent back with a sentence
    "schedules/<int:pk>/pause/": Expected(get="302 403 403 200 200", post="302 403 403 303 303"),
    "schedules/<int:pk>/skip/": Expected(post="302 403 403 303 303"),
    "schedules/<int:pk>/unskip/": Expected(post="302 403 403 303 303"),
    # no field of the form is posted here, so the owner gets the form again, with sentences
    "schedules/new/": Expected(get="302 403 403 403 200", post="302 403 403 403 422"),
    "schedules/<int:pk>/edit/": Expected(get="302 403 403 403 200", post="302 403 403 403 422"),
    "schedules/<int:pk>/delete/": Expected(get="302 403 403 403 200", post="302 403 403 403 303"),
    "schedules/<int:pk>/changes/": Expected(get="302 403 403 403 200"),
    "schedules/<int:pk>/upcoming/": SHOWN_TO_READERS,
    "schedules/<int:pk>/code/": SHOWN_TO_READERS,
    # no version is posted here, so somebody was faster
    "schedules/<int:pk>/restore/<int:change_id>/": Expected(
        get="302 403 403 403 200", post="302 403 403 403 409"
    ),
    "schedules/<int:pk>/overrun/": SHOWN_TO_READERS,
    "complete/": SHOWN_TO_READERS,
    "preview/": SHOWN_TO_READERS,
    "preview/hints/": SHOWN_TO_READERS,
    # no action is named here
    "schedules/bulk/": Expected(post="302 403 400 400 400"),
    # no list is named here
    "views/save/": Expected(post="302 403 400 400 400"),
    "views/<int:pk>/delete/": Expected(post="302 403 404 404 404"),  # no view has the schedule's id
    "theme/": Expected(post="302 403 303 303 303"),
    "keys/": Expected(post="302 403 303 303 303"),
    "zone/": Expected(post="302 403 303 303 303"),
    "live/overview/": SHOWN_TO_READERS,
    "live/schedules/": Expected(get="302 403 204 204 204"),  # asked about no row, so nothing is new
    "live/schedules/<int:pk>/": SHOWN_TO_READERS,
    "live/runs/": Expected(get="302 403 204 204 204"),  # asked about no row, so nothing is new
    "live/health/": SHOWN_TO_READERS,
    "runs/": SHOWN_TO_READERS,
    # no action is named here
    "runs/bulk/": Expected(post="302 403 400 400 400"),
    "runs/<uuid:uuid>/": SHOWN_TO_READERS,
    "runs/<uuid:uuid>/result/": Expected(get="302 403 403 403 200"),
    "runs/<uuid:uuid>/values/<slug:key>/": Expected(get="302 403 403 403 200"),
    # no count is posted here, so the operator is sent back with a sentence
    "runs/<uuid:uuid>/resend/": Expected(post="302 403 403 303 303"),
    "runs/<uuid:uuid>/cancel/": Expected(get="302 403 403 200 200", post="302 403 403 303 303"),
    "runs/<uuid:uuid>/again/": Expected(get="302 403 403 200 200", post="302 403 403 303 303"),
    "schedules/<int:pk>/run/custom/": Expected(get="302 403 403 403 200", post="302 403 403 403 303"),
    "workers/": SHOWN_TO_READERS,
    "workers/<uuid:instance>/": SHOWN_TO_READERS,
    "workers/<uuid:instance>/details/": SHOWN_TO_READERS,
    # no command is given here, so those who may control workers get the page again, with a sentence
    "workers/<uuid:instance>/control/": Expected(post="302 403 403 403 422"),
    "timeline/": SHOWN_TO_READERS,
    "audit/": Expected(get="302 403 403 403 200"),
    "about/": SHOWN_TO_READERS,
    "about/components/": SHOWN_TO_READERS,
    "alerts/": SHOWN_TO_READERS,
    "alerts/try/": Expected(post="302 403 403 303 303"),
    # nothing is chosen here, so the operator gets the form again, with a sentence
    "alerts/silence/": Expected(post="302 403 403 422 422"),
    "alerts/silence/<int:pk>/end/": Expected(post="302 403 403 404 404"),  # no silence has the schedule's id
    # for machines: no login page for those who bring neither token nor login
    "metrics": Expected(get="401 403 403 403 200"),
    "readyz": Expected(get="401 403 200 200 200"),
    "health.json": Expected(get="401 403 403 403 503"),  # no beat ticks here
    # no Flower here, so those who may see it get the sentence; a POST without an origin is refused to all
    "flower/": Expected(get="302 403 403 403 503", post="302 403 403 403 403"),
    "flower/<path:path>": Expected(get="302 403 403 403 503", post="302 403 403 403 403"),
}
ROUTES = {str(pattern.pattern): pattern for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}
CASES = [
    pytest.param(route, role, id=f"{route or 'overview'}-{role}")
    for route in sorted(ROUTES)
    for role in ROLES
]


@pytest.fixture
def rows(db):
    schedule = a_schedule()
    return {
        "pk": schedule.pk,
        "uuid": a_run(schedule, args=[1]).uuid,
        "key": "args",
        "instance": a_worker().instance,
        "path": "workers",
        "change_id": Change.objects.get(schedule=schedule).pk,
    }


def address_of(route, rows):
    pattern = ROUTES[route]
    wanted = pattern.pattern.converters
    return reverse(f"schedulerui:{pattern.name}", kwargs={name: rows[name] for name in wanted})


def browser_of(role):
    verbs = ROLES[role]
    return Client() if verbs is None else logged_in(*verbs)


def expected(statuses, role):
    return int(statuses.split()[list(ROLES).index(role)])


def counts():
    return Schedule.objects.count(), Run.objects.count(), Change.objects.count()


def test_the_table_knows_every_address_and_no_other():
    assert len(ROUTES) == len(urls.urlpatterns)
    assert set(ROUTES) == set(EXPECTED)


@pytest.mark.parametrize(("route", "role"), CASES)
def test_it_answers_get_as_the_table_says(rows, route, role):
    before = counts()

    response = browser_of(role).get(address_of(route, rows))

    assert response.status_code == expected(EXPECTED[route].get, role)
    assert counts() == before
    if response.status_code == 302:
        assert response["Location"].startswith("/accounts/login/?next=")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("route", "role"), CASES)
def test_it_answers_post_as_the_table_says(rows, route, role):
    before = counts()

    with recording():
        response = browser_of(role).post(address_of(route, rows), {"token": uuid.uuid4()})

    assert response.status_code == expected(EXPECTED[route].post, role)
    if response.status_code not in {200, 303}:
        assert counts() == before


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_script_is_refused_whatever_a_page_is_refused(rows, route):
    """By htmx: 401 with the way to the login where a page is sent there, 403 for everybody else, and nothing moves."""
    address, before = address_of(route, rows), counts()
    for role in ROLES:
        client = browser_of(role)
        for verb, statuses in (("get", EXPECTED[route].get), ("post", EXPECTED[route].post)):
            status = expected(statuses, role)
            if status in {302, 401, 403}:
                response = getattr(client, verb)(address, headers=HTMX)
                assert response.status_code == (401 if status == 302 else status), (role, verb)
                if status == 302:
                    assert response["HX-Redirect"].startswith("/accounts/login/?next=")
            elif verb == "get":
                assert client.get(address, headers=HTMX).status_code == status, role
    assert counts() == before


@pytest.mark.parametrize(
    "route", sorted(route for route, line in EXPECTED.items() if line.post != NOT_ALLOWED)
)
def test_it_refuses_a_post_without_a_token_even_to_the_owner(rows, route):
    client = browser_of("owner")
    client.handler.enforce_csrf_checks = True
    before = counts()

    assert client.post(address_of(route, rows)).status_code == 403
    assert counts() == before


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_it_answers_404_with_a_page_when_the_row_is_gone(rows, route):
    gone = {
        "pk": 999_999,
        "uuid": rows["instance"],
        "instance": rows["uuid"],
        "path": "../x",
        "change_id": 999_999,
        "key": "args",
    }
    names = set(ROUTES[route].pattern.converters)
    if not names:
        return
    verb = "post" if EXPECTED[route].get == NOT_ALLOWED else "get"

    response = getattr(browser_of("owner"), verb)(address_of(route, gone))

    assert response.status_code == 404
    assert response["Content-Security-Policy"]


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_every_answer_says_what_a_browser_may_do_with_it(rows, route):
    response = browser_of("owner").get(address_of(route, rows))

    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "SAMEORIGIN"


SECRET = "Nobody may know of this"
HTMX = {"HX-Request": "true"}
OF_NO_SCHEDULE = {"views/<int:pk>/delete/", "alerts/silence/<int:pk>/end/"}
"""Addresses whose key is not a schedule's."""


def show_none(user, schedules):
    """The ACCESS_FILTER of a host that shows this person nothing."""
    return schedules.none()


def only_this(user, schedules):
    return schedules.filter(name="Shown")


@pytest.fixture
def limited(settings):
    def limit(function):
        dotted = f"tests.site.test_urls_by_role.{function.__name__}"
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": dotted}

    return limit


@pytest.mark.parametrize("channel", ["page", "fragment"])
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_who_may_not_know_of_a_schedule_finds_it_nowhere(db, limited, route, channel):
    hidden = a_schedule(SECRET)
    run = a_run(hidden, worker_instance=(worker := a_worker()).instance, state="started")
    rows = {"pk": hidden.pk, "uuid": run.uuid, "instance": worker.instance, "path": "workers", "key": "args"}
    rows["change_id"] = Change.objects.get(schedule=hidden).pk
    limited(show_none)
    headers = HTMX if channel == "fragment" else {}
    verb = "post" if EXPECTED[route].get == NOT_ALLOWED else "get"
    given = (
        {"have": f"schedule-{hidden.pk}:x,run-{run.pk}:x", "newest": "0", "q": ""} if "live" in route else {}
    )
    before = counts()

    response = getattr(browser_of("owner"), verb)(address_of(route, rows), given, headers=headers)

    if {"pk", "uuid"} & set(ROUTES[route].pattern.converters) and route not in OF_NO_SCHEDULE:
        assert response.status_code == 404
    assert SECRET not in response.content.decode()
    assert counts() == before


def anything_elsewhere(user, verb, obj):
    """The ACCESS of a host that lets this person do everything, but nothing to one schedule and its runs."""
    return SECRET not in (getattr(obj, "name", ""), getattr(obj, "schedule_name", ""))


OF_ONE = sorted(
    route
    for route in ROUTES
    if {"pk", "uuid"} & set(ROUTES[route].pattern.converters) and route not in OF_NO_SCHEDULE
)


@pytest.mark.parametrize("channel", ["page", "fragment"])
@pytest.mark.parametrize("route", OF_ONE)
def test_the_host_is_asked_about_the_schedule_that_an_address_names(db, settings, route, channel):
    refused = a_schedule(SECRET)
    run = a_run(refused, state="sent", task_id="its message", args=[1])
    rows = {
        "pk": refused.pk, "uuid": run.uuid, "key": "args", "change_id": Change.objects.get(schedule=refused).pk,
    }  # fmt: skip
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.anything_elsewhere"}
    client, headers = logged_in(), HTMX if channel == "fragment" else {}
    before = counts()
    for verb, line in (("get", EXPECTED[route].get), ("post", EXPECTED[route].post)):
        if line == NOT_ALLOWED:
            continue
        with recording() as sent:
            response = getattr(client, verb)(
                address_of(route, rows), {"token": uuid.uuid4(), "sure": "1"}, headers=headers
            )
        assert response.status_code == 403, verb
        assert SECRET not in response.content.decode()
        assert sent.sent == []
    assert counts() == before
    refused.refresh_from_db()
    assert (refused.version, refused.enabled) == (1, True)


@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_bulk_action_reaches_only_what_a_person_may_know_of(db, limited, action):
    shown, hidden = a_schedule("Shown"), a_schedule(SECRET)
    limited(only_this)
    client = browser_of("owner")
    for which in ({"id": [shown.pk, hidden.pk]}, {"all": "1", "seen": "1", "query": ""}):
        given = {"action": action, "sure": "1", "queue": "q", "tag": "t", "token": uuid.uuid4(), **which}
        with recording():
            response = client.post("/schedules/bulk/", given)
        assert SECRET not in response.content.decode()
    kept = Schedule.objects.get(pk=hidden.pk)
    assert (kept.version, kept.runs.count()) == (1, 0)


def test_who_may_know_of_some_schedules_sees_those_in_every_list(db, limited):
    for schedule in (a_schedule("Shown"), a_schedule(SECRET)):
        a_run(schedule)
    limited(only_this)
    for address in ("/", "/schedules/", "/runs/", "/audit/"):
        page = browser_of("owner").get(address).content.decode()
        assert "Shown" in page
        assert SECRET not in page
