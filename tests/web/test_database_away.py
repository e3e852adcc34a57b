"""The database goes away at any moment of a request: a page with a sentence, never an error of ours."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from schedulerui.access import PERMISSIONS
from schedulerui.models import Schedule
from tests.web.people import a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/schedules/"}
MOST = 40
"""Queries that no page reaches."""


class Away:
    """Stands between Django and the database, and refuses every statement after the first ``n_answered``."""

    def __init__(self, n_answered, error):
        self.n_answered = n_answered
        self.error = error
        self.refused = 0

    def __call__(self, execute, sql, params, many, context):
        if self.n_answered == 0:
            self.refused += 1
            raise self.error("connection to server at 10.0.0.1 as user secret failed")
        self.n_answered -= 1
        return execute(sql, params, many, context)


@pytest.fixture
def owner():
    return logged_in(*PERMISSIONS)


def addresses():
    schedule = a_schedule()
    run = a_run(schedule)
    worker = a_worker()
    page = f"/schedules/{schedule.pk}/"
    return [
        "/", "/schedules/", "/schedules/?q=night", "/runs/", "/timeline/", "/timeline/?span=7d", "/workers/", "/audit/", "/about/",
        "/alerts/", "/schedules/new/", page, f"{page}edit/", f"{page}delete/", f"{page}run/", f"{page}changes/", f"{page}overrun/",
        f"/runs/{run.uuid}/", f"/workers/{worker.instance}/", f"/live{page}", "/live/overview/", "/live/health/",
        f"/live/schedules/?have=schedule-{schedule.pk}:0", "/complete/?of=schedules&q=n&at=1", "/schedules/999999/",
    ]  # fmt: skip


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_at_whatever_statement_it_goes_away_every_page_says_so(owner, error, headers):
    for address in addresses():
        for n_answered in range(MOST):
            away = Away(n_answered, error)
            with connection.execute_wrapper(away):
                response = owner.get(address, headers=headers)
            if not away.refused:
                break
            text = text_of(response)
            assert response.status_code == 503, (address, n_answered)
            assert "The database does not answer" in text
            assert "10.0.0.1" not in text
            assert "secret" not in text
            assert response["Retry-After"]
            assert response["Content-Security-Policy"]
            assert ("<!doctype html>" in text) == (not headers)
        assert away.refused == 0, address


def test_a_verb_that_failed_says_to_look_before_it_is_repeated(owner):
    schedule = a_schedule()
    with connection.execute_wrapper(Away(6, OperationalError)):
        response = owner.post(f"/schedules/{schedule.pk}/disable/", headers=HTMX)
    assert response.status_code == 503
    assert "Look how things stand" in text_of(response)
    assert Schedule.objects.get(pk=schedule.pk).enabled


def test_a_visitor_without_a_login_is_told_the_same():
    client = logged_in()
    with connection.execute_wrapper(Away(0, OperationalError)):
        assert client.get("/schedules/").status_code == 503


@pytest.mark.parametrize(
    "words", ["no such column: a.b", "no such table: a", "(1054, \"Unknown column 'b'\")"]
)
def test_tables_of_another_version_are_told_from_a_database_that_is_away(owner, words):
    def refuse(execute, sql, params, many, context):
        if "schedulerui_" in sql:
            raise OperationalError(words)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        response = owner.get("/runs/")
    assert response.status_code == 503
    assert "The database is not up to date" in text_of(response)
    assert "migrations are to be run" in text_of(response)
    assert "This is missing: schedulerui_" not in text_of(response)
    assert "python manage.py migrate" in text_of(response)


def test_a_statement_that_is_wrong_is_no_database_that_is_behind(owner):
    with (
        connection.execute_wrapper(Away(6, ProgrammingError)),
        pytest.raises(ProgrammingError, match="as user secret failed"),
    ):
        owner.get("/runs/")


@pytest.mark.parametrize("address", ["/readyz", "/metrics", "/health.json"])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_machines_are_told_too_whoever_asks(owner, address, error):
    for n_answered in range(4):
        with connection.execute_wrapper(Away(n_answered, error)):
            response = owner.get(address)
        assert response.status_code == 503
        assert "The database does not answer" in text_of(response)
