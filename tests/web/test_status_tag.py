"""The line that any page of a host may show: how the schedules stand, to those who may look, and never an error."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import InterfaceError, OperationalError, ProgrammingError, connection, transaction
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.models import Alert, Beat, ScheduleState
from tests.web.people import HOSTILE, a_schedule
from tests.web.test_telling import failing

pytestmark = pytest.mark.django_db
LINE = "{% load schedulerui %}<main>{% schedulerui_status %}</main>"
NOTHING = "<main></main>"
OF_THE_PERMISSION = 2
OF_THE_LINE = 3


def only_mine(user, schedules):
    return schedules.filter(owner="ana")


def refuse_to_say(user, verb, obj):
    raise RuntimeError("the directory is away")


@pytest.fixture
def reader():
    user = User.objects.create_user("reader")
    user.user_permissions.set(Permission.objects.filter(codename="view_schedule"))
    return user


def page_for(user, **context):
    request = RequestFactory().get("/")
    request.user = user
    return Template(LINE).render(Context({"request": request, **context})).replace("\n", "").strip()


def words_for(user, **context):
    return " ".join(re.sub(r"<[^>]*>", "", page_for(user, **context)).split())


def a_ticking_beat():
    now = clock.now()
    return Beat.objects.create(host="h", pid=1, started_at=now, seen_at=now)


def an_alert(number, state="down"):
    return Alert.objects.create(key=f"queue:{number}", kind="queue", state=state, since=clock.now())


def refusing(error, *, of="schedulerui_"):
    def refuse(execute, sql, params, many, context):
        if of in sql:
            raise error
        return execute(sql, params, many, context)

    return connection.execute_wrapper(refuse)


def test_it_says_that_all_is_well(reader):
    a_ticking_beat()
    an_alert("over", state="ok")
    assert words_for(reader) == "Schedules: 1 beat ticking, none fails, no alert is open."
    assert "schedulerui-status--ok" in page_for(reader)


def test_it_counts_what_fails_and_which_alerts_are_open_and_leads_to_them(reader):
    a_ticking_beat()
    for name in ("One", "Two"):
        failing(name)
    ScheduleState.objects.filter(schedule=a_schedule("Off", enabled=False)).update(last_state="failed")
    an_alert("mail")
    page = page_for(reader)
    assert words_for(reader) == "Schedules: 1 beat ticking, 2 schedules fail, 1 alert is open."
    assert "schedulerui-status--fail" in page
    for address in ("/", "/schedules/?state=failing&amp;on=on", "/alerts/"):
        assert f'href="{address}"' in page


def test_it_says_when_beat_does_not_tick_and_since_when(reader):
    assert words_for(reader).startswith("Schedules: No beat is running, ")
    Beat.objects.create(host="h", pid=1, started_at=clock.now(), seen_at=clock.now() - timedelta(hours=2))
    assert words_for(reader).startswith("Schedules: Beat is not ticking (last tick 2 hours ago), ")


def test_an_open_alert_alone_is_a_warning(reader):
    a_ticking_beat()
    an_alert("mail")
    assert "schedulerui-status--warn" in page_for(reader)


@pytest.mark.parametrize("n", [1, 120])
def test_it_asks_three_questions_however_much_there_is(reader, n):
    for number in range(n):
        an_alert(number)
        ScheduleState.objects.filter(schedule=a_schedule(f"S{number}")).update(last_state="lost")
    with CaptureQueriesContext(connection) as asked:
        words = words_for(User.objects.get(pk=reader.pk))
    questions = [query["sql"] for query in asked if "SAVEPOINT" not in query["sql"]]
    assert len(questions) <= OF_THE_LINE + OF_THE_PERMISSION + 1  # the one is the test's own, for the person
    assert ("99+ schedules fail, 99+ alerts are open" in words) is (n > 99)


def test_it_shows_nothing_to_people_who_may_not_look_and_asks_nothing_of_ours():
    failing("Nightly")
    with CaptureQueriesContext(connection) as asked:
        assert page_for(AnonymousUser()) == NOTHING
        assert page_for(User.objects.create_user("stranger")) == NOTHING
    assert not [query for query in asked if '"schedulerui_' in query["sql"]]


@pytest.mark.parametrize("context", [{}, {"request": None}, {"request": object()}])
def test_it_shows_nothing_on_a_page_that_knows_no_person(context):
    assert Template(LINE).render(Context(context)).replace("\n", "") == NOTHING


def test_it_counts_for_a_limited_person_what_they_may_know(reader, settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.only_mine"}
    a_ticking_beat()
    theirs, mine = failing("Theirs", owner="bob"), failing("Mine", owner="ana")
    for schedule in (theirs, mine):
        an_alert(schedule.pk)
        Alert.objects.filter(key=f"queue:{schedule.pk}").update(
            schedule=schedule, key=f"schedule:{schedule.pk}"
        )
    assert words_for(reader) == "Schedules: 1 beat ticking, 1 schedule fails, 1 alert is open."


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OperationalError("no such table: schedulerui_beat"), "migrations are to be run"),
        (OperationalError("connection to 10.0.0.1 failed"), "does not answer"),
        (InterfaceError("connection already closed"), "does not answer"),
        (ProgrammingError("syntax error at 10.0.0.1"), "met an error"),
        (RuntimeError("10.0.0.1"), "met an error"),
    ],
)
def test_it_says_that_nobody_knows_and_why_and_leaves_the_hosts_transaction_whole(reader, error, why):
    with transaction.atomic():
        with refusing(error):
            words = words_for(reader)
        assert User.objects.filter(pk=reader.pk).exists()
    assert words.startswith("Schedules: unknown. ")
    assert why in words
    assert "10.0.0.1" not in words
    assert "none" not in words


def test_it_shows_nothing_when_nobody_can_say_who_may_look(reader, settings):
    with refusing(OperationalError("away"), of="auth_permission"):
        assert page_for(User.objects.get(pk=reader.pk)) == NOTHING
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.refuse_to_say"}
    assert page_for(reader) == NOTHING


@override_settings(ROOT_URLCONF="django.contrib.auth.urls")
def test_it_says_that_nobody_knows_where_the_dashboard_is_not_mounted(reader):
    assert words_for(reader).startswith("Schedules: unknown. The dashboard met an error")


def test_the_hosts_own_names_in_the_context_mean_nothing_to_it(reader):
    a_ticking_beat()
    strange = {"now": clock.now() + timedelta(days=9), "standing": HOSTILE[0], "_": HOSTILE[0]}
    assert words_for(reader, **strange) == words_for(reader)


def test_what_a_beat_says_stays_text(reader):
    beat = a_ticking_beat()
    for text in HOSTILE:
        Beat.objects.filter(pk=beat.pk).update(host=text, degraded=text)
        assert "<script" not in page_for(reader)
        assert "<img" not in page_for(reader)
