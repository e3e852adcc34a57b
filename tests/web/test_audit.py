from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from schedulerui.models import Change
from schedulerui.operations import schedules
from tests.web.people import (
    ANA,
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db
URL = "/audit/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def auditor():
    return logged_in("view", "view_audit")


def test_it_is_exported_as_csv_that_no_spreadsheet_computes(auditor):
    a_history()
    a_schedule("=cmd()", expression="0 5 * * *")
    response = auditor.get(URL, {"as": "csv"})
    assert response["Content-Type"].startswith("text/csv")
    assert 'filename="changes.csv"' in response["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(text_of(response))))
    assert {line["schedule"] for line in lines} >= {"'=cmd()", "Nightly"}
    (queue,) = [line for line in lines if line["field"] == "queue"]
    assert (queue["who"], queue["what"], queue["after"]) == ("ana", "edited", "slow")
    assert "1234" not in text_of(response)
    assert "s3cr3t" not in text_of(response)


def test_the_export_holds_what_the_filter_leaves(auditor):
    a_history()
    response = auditor.get(URL, {"as": "csv", "q": "nothing like it"})
    assert len(text_of(response).splitlines()) == 1


def verbs(response):
    return [row.verb for row in response.context["rows"]]


def a_history():
    schedule = a_schedule(kwargs={"pin": "1234"})
    schedules.edit(
        schedule.pk, {"queue": "slow", "kwargs": {"pin": "5678", "token": "s3cr3t"}}, version=1, actor=ANA,
        now=NOON + timedelta(hours=1),
    )  # fmt: skip
    schedules.disable(schedule.pk, actor=ANA, now=NOON + timedelta(hours=2))
    return schedule


def test_it_asks_for_login_and_permission():
    check_gate(URL, verb="view_audit")


def test_it_refuses_other_methods():
    check_methods(URL, "POST", "PUT", "DELETE")


def test_it_says_that_nothing_has_been_changed_yet(auditor):
    assert "Nothing has been changed yet" in text_of(auditor.get(URL))


def test_it_lists_the_newest_first_with_the_difference(auditor):
    a_history()
    response = auditor.get(URL)
    assert verbs(response) == ["switched off", "edited", "created"]
    edited = {
        difference.field: (difference.before, difference.after)
        for difference in response.context["rows"][1].differences
    }
    assert edited["queue"] == ("—", "slow")


def test_it_hides_arguments_from_those_who_may_not_see_values(auditor):
    a_history()
    page = text_of(auditor.get(URL))
    assert "1234" not in page
    assert "5678" not in page
    assert "hidden" in page
    insider = text_of(logged_in("view", "view_audit", "view_values").get(URL))
    assert "5678" in insider
    assert "s3cr3t" not in insider


def test_it_keeps_the_changes_of_a_deleted_schedule(auditor):
    schedule = a_history()
    schedules.delete(schedule.pk, actor=ANA, now=NOON)
    response = auditor.get(URL)
    assert len(response.context["rows"]) == 4
    assert {row.schedule_name for row in response.context["rows"]} == {"Nightly"}
    assert "/schedules/" not in text_of(response).partition('id="results"')[2]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"action": "disable"}, ["switched off"]),
        ({"q": "nothing"}, []),
        ({"q": "NIGHT", "action": "create"}, ["created"]),
        ({"actor": "an", "action": "edit"}, ["edited"]),
        ({"actor": "bob"}, []),
        ({"via": "admin"}, []),
        ({"at_from": "2026-03-04T12:30"}, ["switched off", "edited"]),
        ({"at_to": "2026-03-04T12:30"}, ["created"]),
        ({"at_from": "2026-03-04T12:30", "at_to": "2026-03-04T13:30", "actor": "ana"}, ["edited"]),
    ],
)
def test_it_narrows_by(auditor, query, expected):
    a_history()
    assert verbs(auditor.get(URL, query)) == expected


def test_it_narrows_by_schedule(auditor):
    schedule = a_history()
    a_schedule("Other")
    assert len(auditor.get(URL, {"schedule": schedule.pk}).context["rows"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"action": "nonsense"},
        {"via": "x"},
        {"at_from": "yesterday"},
        {"schedule": "abc"},
        {"user": "ana"},
        {"older": "x"},
        {"q": "\x00"},
    ],
)
def test_it_says_what_it_did_not_understand_and_shows_nothing_for_it(auditor, query):
    a_history()
    response = auditor.get(URL, query)
    assert response.status_code == 200
    assert verbs(response) == []
    assert 'class="problem" role="alert"' in text_of(response)


def test_it_answers_htmx_with_the_results_alone(auditor):
    a_history()
    assert "<html" not in text_of(auditor.get(URL, headers=HTMX))


@pytest.mark.parametrize("n_changes", [10, 200])
def test_it_needs_the_same_number_of_queries_however_many_changes_there_are(
    auditor, n_changes, django_assert_num_queries
):
    schedule = a_schedule()
    Change.objects.bulk_create(
        Change(at=NOON, action="edit", actor="ana", schedule=schedule) for _ in range(n_changes)
    )
    with django_assert_num_queries(2 + OF_THE_PERSON):
        auditor.get(URL)


def test_a_filter_without_an_index_looks_through_the_newest_and_on_request_through_all(auditor, monkeypatch):
    monkeypatch.setattr("schedulerui.web.history_filters.SCANNED_CHANGES", 3)
    for number in range(120):
        Change.objects.create(
            at=NOON + timedelta(minutes=number), action="edit", actor="bo" if number else "ana"
        )
    page = auditor.get(URL, {"actor": "ana"})
    assert verbs(page) == []
    assert "among the newest" in text_of(page)
    assert 'href="?actor=ana&amp;count=exact"' in text_of(page)
    assert len(verbs(auditor.get(URL, {"actor": "ana", "count": "exact"}))) == 1
    assert len(text_of(auditor.get(URL, {"actor": "ana", "as": "csv"})).splitlines()) == 1
    assert len(text_of(auditor.get(URL, {"actor": "ana", "count": "exact", "as": "csv"})).splitlines()) == 2
    assert "among the newest" not in text_of(auditor.get(URL))
    assert verbs(auditor.get(URL, {"actor": "ana", "at_to": "2026-03-04T12:01"})) == ["edited"]
    seen, link = 0, f"{URL}?actor=bo&count=exact"
    while link:
        page = auditor.get(link)
        seen += len(verbs(page))
        older = page.context["page"].older
        link = f"{URL}?actor=bo&count=exact&older={older.replace('+', '%2B')}" if older else ""
        assert not older or "actor=bo&amp;count=exact&amp;older=" in text_of(page)
    assert seen == 119


@pytest.mark.parametrize("text", HOSTILE)
def test_it_shows_hostile_text_as_text(auditor, text):
    Change.objects.create(
        at=NOON,
        action=text[:24],
        actor=text,
        via="x",
        schedule_name=text,
        note=text,
        diff={text: [text, {text: text}]},
    )
    Change.objects.create(at=NOON, action="edit", actor=text, schedule_name=text, note=text)
    page = text_of(auditor.get(URL))
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_about_asks_for_login_and_permission_and_answers_get_alone():
    check_gate("/about/", verb="view")
    check_methods("/about/", "POST", "PUT")


def test_about_says_when_the_celery_application_cannot_be_found(settings):
    settings.SCHEDULERUI = {"CELERY_APP": "nowhere.app"}
    page = text_of(logged_in("view").get("/about/"))
    assert "cannot be imported" in page


def test_about_shows_versions(auditor):
    page = text_of(auditor.get("/about/"))
    assert "tests.celery_app.app" in page
    assert "Python" in page


def all_but_salaries(_user, verb, obj):
    return not (verb == "view_values" and getattr(obj, "name", "") == "Salaries")


def test_the_host_is_asked_about_the_values_of_each_schedule(settings, django_assert_max_num_queries):
    for name in ("Backup", "Salaries"):
        schedule = a_schedule(name, kwargs={"bank": "none"})
        schedules.edit(schedule.pk, {"kwargs": {"bank": f"of {name}"}}, version=1, actor=ANA, now=NOON)
    client = logged_in("view", "view_audit", "view_values")
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.all_but_salaries"}
    for query in ({}, {"as": "csv"}):
        with django_assert_max_num_queries(10):
            page = text_of(client.get(URL, query))
        assert "of Backup" in page
        assert "Salaries" in page
        assert "of Salaries" not in page
