"""What the integrations tell on a host's pages: short, bounded, of what the person may know, and never an error."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.integrations.telling import badge_for, glance_for
from schedulerui.models import Alert, Beat, Schedule, ScheduleState
from tests.web.people import a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db
MOST = 7


def only_mine(user, schedules):
    return schedules.filter(owner="ana")


@pytest.fixture
def limited(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.only_mine"}


@pytest.fixture
def somebody():
    return User.objects.create_user("somebody")


def failing(name, **fields):
    schedule = a_schedule(name, **fields)
    ScheduleState.objects.filter(schedule=schedule).update(last_state="failed", failure_streak=2)
    return schedule


def told(user):
    glance = glance_for(user).glance
    assert glance is not None
    return glance


def test_it_says_that_nothing_needs_anybody_when_all_is_well(somebody):
    now = clock.now()
    Beat.objects.create(host="h", pid=1, started_at=now, seen_at=now)
    a_worker(seen_at=now)
    assert told(somebody).is_calm


def test_it_names_what_needs_somebody_and_counts_it(somebody):
    failing("Nightly")
    glance = told(somebody)
    assert [row.name for row in glance.rows] == ["Nightly"]
    assert [count.words for count in glance.counts] == ["1 schedule fails", "no worker is online"]
    assert not glance.is_calm


def test_it_asks_a_few_queries_however_much_there_is(somebody):
    for number in range(30):
        failing(f"Failing {number}")
    Schedule.objects.filter(pk=a_schedule("Broken").pk).update(
        error="No rule.", next_run_at=None, next_nominal_at=None
    )
    Alert.objects.create(key="queue:q", kind="queue", state="down", since=clock.now())
    a_worker(seen_at=clock.now(), tasks=["another"])
    with CaptureQueriesContext(
        connection,
    ) as asked:
        glance = told(somebody)
    questions = [query["sql"] for query in asked if "SAVEPOINT" not in query["sql"]]
    assert len(questions) <= MOST, questions
    assert len(glance.rows) == 5


def test_it_tells_a_limited_person_of_what_they_may_know(somebody, limited):
    failing("Theirs", owner="bob")
    failing("Mine", owner="ana")
    glance = told(somebody)
    assert [row.name for row in glance.rows] == ["Mine"]
    assert glance.counts[0].words == "1 schedule fails"
    assert badge_for(somebody) == "1"


@pytest.mark.parametrize(("n", "badge"), [(0, ""), (2, "2"), (100, "99+")])
def test_the_badge_counts_what_fails_and_is_on_in_one_query(somebody, n, badge):
    for number in range(n):
        ScheduleState.objects.filter(schedule=a_schedule(f"S{number}")).update(last_state="lost")
    ScheduleState.objects.filter(schedule=a_schedule("Off", enabled=False)).update(last_state="failed")
    with CaptureQueriesContext(connection) as asked:
        assert badge_for(somebody) == badge
    assert len([query for query in asked if "SAVEPOINT" not in query["sql"]]) == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OperationalError("no such table: schedulerui_schedule"), "migrations are to be run"),
        (OperationalError("connection to 10.0.0.1 failed"), "does not answer"),
    ],
)
def test_it_says_why_when_it_cannot_be_told_and_leaves_the_hosts_transaction_whole(somebody, error, sentence):
    def refuse(execute, sql, params, many, context):
        if "schedulerui_" in sql:
            raise error
        return execute(sql, params, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(refuse):
            found = glance_for(somebody)
            assert badge_for(somebody) == ""
        assert User.objects.filter(pk=somebody.pk).exists()
    assert found.glance is None
    assert sentence in found.trouble
    assert "10.0.0.1" not in found.trouble


def test_an_error_of_ours_is_not_hidden(somebody):
    def refuse(execute, sql, params, many, context):
        if "schedulerui_" in sql:
            raise ProgrammingError("syntax error")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse), pytest.raises(ProgrammingError):
        glance_for(somebody)


@pytest.fixture
def way_back(settings):
    def to(address):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, "HOST_URL": address}

    return to


@pytest.mark.parametrize(
    ("option", "link"),
    [
        ("admin:index", 'href="/admin/" target="_top"'),
        ("/cms/?a=1&b=2", 'href="/cms/?a=1&amp;b=2" target="_top"'),
    ],
)
def test_the_dashboard_leads_back_to_the_host_out_of_any_frame(way_back, option, link):
    way_back(option)
    assert link in logged_in("view").get("/about/").content.decode()


@pytest.mark.parametrize("option", ["", "nobody:knows"])
def test_the_dashboard_shows_no_way_back_where_there_is_none(way_back, option):
    way_back(option)
    assert "Back to the site" not in text_of(logged_in("view").get("/about/"))
