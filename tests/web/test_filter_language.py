from __future__ import annotations

import re
from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import SavedView, Schedule, ScheduleState
from tests.web.people import HOSTILE, OF_THE_PERSON, a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
URL, RUNS, COMPLETE = "/schedules/", "/runs/", "/complete/"


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.fixture
def two(db):
    nightly = a_schedule("Nightly report", task="billing.report", tags=" billing eu ", owner="ana")
    hourly = a_schedule(
        "Hourly", task="mail.send", kind="interval", every=1, period="hours", queue="mail", tz="Europe/Berlin"
    )
    now = clock.now()
    for schedule, hours in ((nightly, 30), (hourly, 1)):
        at = now + timedelta(hours=hours)
        Schedule.objects.filter(pk=schedule.pk).update(next_run_at=at, next_nominal_at=at)
    ScheduleState.objects.filter(schedule=nightly).update(
        last_state="failed", last_run_at=now - timedelta(days=8)
    )
    ScheduleState.objects.filter(schedule=hourly).update(last_state="succeeded", last_run_at=now)


def names(response):
    return sorted(row.name for row in response.context["rows"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state:failed", ["Nightly report"]),
        ("-state:failed", ["Hourly"]),
        ("state:failed,succeeded", ["Hourly", "Nightly report"]),
        ("state:failed state:succeeded", []),
        ("on:on", ["Hourly", "Nightly report"]),
        ("on:paused", []),
        ("on:off", []),
        ("task:billing.*", ["Nightly report"]),
        ("task:billing", []),
        ("queue:mail", ["Hourly"]),
        ("zone:Europe/Berlin", ["Hourly"]),
        ("tag:eu tag:billing", ["Nightly report"]),
        ("tag:bill", []),
        ("-tag:eu", ["Hourly"]),
        ("kind:interval", ["Hourly"]),
        ("owner:ana", ["Nightly report"]),
        ("next<2h", ["Hourly"]),
        ("next>2h", ["Nightly report"]),
        ("last>7d", ["Nightly report"]),
        ("last<1h", ["Hourly"]),
        ('"nightly report" -hourly', ["Nightly report"]),
        ("-nightly", ["Hourly"]),
        ("state:failed nightly next<3d", ["Nightly report"]),
        ("-state:Failed,rule-broken", ["Hourly"]),
        ("kind:by-hand-only", []),
        ("state:waiting", []),
    ],
)
def test_it_narrows_schedules_by_what_is_typed(reader, two, text, expected):
    response = reader.get(URL, {"q": text})
    assert response.context["filter"].problems == []
    assert names(response) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state:failed", ["b"]),
        ("schedule:Nightly", ["a"]),
        ("schedule:Night*", ["a"]),
        ("task:app.two", ["b"]),
        ("worker:celery@*", ["c"]),
        ("trigger:manual", ["c"]),
        ("origin:manual", ["c"]),
        ("queue:mail", ["b"]),
        ("due<3h", ["c"]),
        ("due>3h", ["a", "b"]),
        ("duration>10s", ["b"]),
        ("duration<10s", ["c"]),
        ("late>1m", ["b"]),
        ("late>1m30.5s", []),
        ("late<1m", ["c"]),
        ("-late>1m due<3h", ["c"]),
        ("-state:failed,succeeded", ["c"]),
        ("state:running", ["c"]),
        ("trigger:by-hand", ["c"]),
        ("state:not-sent", []),
    ],
)
def test_it_narrows_runs_by_what_is_typed(reader, text, expected):
    now = clock.now()
    a_run(a_schedule(), schedule_name="a", due_at=now - timedelta(days=2))
    a_run(
        schedule_name="b",
        state="failed",
        task="app.two",
        queue="mail",
        runtime=60,
        due_at=now - timedelta(days=1),
        sent_at=now - timedelta(days=1) + timedelta(seconds=90.4),
    )
    a_run(
        schedule_name="c",
        state="started",
        trigger="manual",
        worker="celery@two",
        runtime=2,
        due_at=now,
        sent_at=now + timedelta(seconds=2),
    )
    response = reader.get(RUNS, {"q": text})
    assert response.context["filter"].problems == []
    assert names(response) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", "There is no qualifier “colour:”"),
        ("state:flying", "There is no “flying”. It may be one of: failing, error, never, "),
        ("-state:flying", "There is no “flying”. It may be one of: "),
        ("state:failed,flying", "There is no “flying”. It may be one of: "),
        ("on:maybe", "It may be one of: on, off, paused."),
        ("next<soon", "Write a duration"),
        ("state:", "Nothing stands after “state:”"),
        ("state<1h", "There is no qualifier “state&lt;”"),
        ("a " * 21, "more than 20 terms"),
    ],
)
def test_it_says_what_it_did_not_understand_and_shows_nothing_for_it(reader, two, text, said):
    response = reader.get(URL, {"q": text})
    assert names(response) == []
    assert said in text_of(response).partition('id="filter-problems"')[2].partition("</div>")[0]


def test_the_field_points_to_what_is_wrong_with_it(reader):
    assert 'aria-describedby="filter-problems"' in text_of(reader.get(URL))


def test_each_term_is_a_pill_whose_link_takes_it_away(reader, two):
    page = reader.get(URL, {"q": "state:failed -tag:x nightly report", "kind": "crontab", "sort": "name"})
    pills = {label: (value, link) for label, value, link in page.context["filter"].active}
    assert pills["State"] == ("Failed", "?q=-tag%3Ax+nightly+report&kind=crontab&sort=name")
    assert pills["Not Tag"][0] == "x"
    assert pills["Search"] == ("nightly report", "?q=state%3Afailed+-tag%3Ax&kind=crontab&sort=name")
    assert pills["Kind"][1] == "?q=state%3Afailed+-tag%3Ax+nightly+report&sort=name"
    assert names(reader.get(URL + pills["State"][1])) == ["Nightly report"]


def test_what_is_typed_does_not_stay_behind_in_the_plain_controls(reader, two):
    page = text_of(reader.get(URL, {"q": "state:failed"}))
    assert 'value="failed" selected' not in page
    assert 'value="failed" selected' in text_of(reader.get(URL, {"state": "failed"}))


def test_a_control_and_a_term_must_both_be_true(reader, two):
    assert names(reader.get(URL, {"q": "state:failed", "state": "succeeded"})) == []
    assert names(reader.get(URL, {"q": "state:failed", "state": "failed"})) == ["Nightly report"]


def offered(response):
    return re.findall(r'data-text="([^"]*)"', text_of(response))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "sta"}, ["state:"]),
        ({"q": "state:fai"}, ["state:failing ", "state:failed "]),
        ({"q": "task:"}, ["task:billing.report ", "task:mail.send "]),
        ({"q": "task:report"}, ["task:billing.report "]),
        ({"q": "nightly tag:b"}, ["nightly tag:billing "]),
        ({"q": "-queue:m"}, ["-queue:mail "]),
        ({"q": "zone:ber"}, ["zone:Europe/Berlin "]),
        ({"q": "next<1"}, ["next&lt;15m ", "next&lt;1h "]),
        ({"q": "colour:"}, []),
        ({"q": "zz"}, []),
        ({"q": "tas state:failed", "at": "3"}, ["task:state:failed"]),
        ({"q": "schedule:night", "of": "runs"}, ["schedule:&quot;Nightly report&quot; "]),
    ],
)
def test_it_offers_what_may_come_next(reader, two, query, expected, django_assert_max_num_queries):
    with django_assert_max_num_queries(1 + OF_THE_PERSON):
        response = reader.get(COMPLETE, query)
    assert response.status_code == 200
    assert offered(response) == expected


def test_it_offers_ten_at_most(reader):
    for number in range(15):
        a_schedule(f"S{number}", task=f"app.task{number}")
    assert len(offered(reader.get(COMPLETE, {"q": "task:app"}))) == 10


@pytest.mark.parametrize("at", ["", "-1", "x", "99999", "²"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_completed_without_harm(reader, text, at):
    a_schedule("x", task=text[:200], queue=text)
    for q in (text, f"task:{text[:3]}", "queue:"):
        page = text_of(reader.get(COMPLETE, {"q": q, "at": at}))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_a_view_is_saved_opened_replaced_and_removed(reader):
    reader.post(
        "/views/save/", {"page": "schedules", "name": "Broken", "query": "?q=state:failed&sort=name&older=x"}
    )
    page = reader.get(URL)
    (saved,) = page.context["saved"]
    assert (saved.name, saved.address) == ("Broken", "?q=state%3Afailed&sort=name")
    assert reader.get(URL + saved.address).context["saved"][0].is_current
    reader.post("/views/save/", {"page": "schedules", "name": " Broken ", "query": "state=lost"})
    assert SavedView.objects.get().query == "state=lost"
    assert reader.post(f"/views/{saved.pk}/delete/").status_code == 303
    assert not SavedView.objects.exists()


def test_a_view_is_its_owners_alone(reader):
    reader.post("/views/save/", {"page": "runs", "name": "Mine", "query": "state=failed"})
    other = logged_in("view")
    assert other.get(RUNS).context["saved"] == []
    assert other.post(f"/views/{SavedView.objects.get().pk}/delete/").status_code == 404
    assert reader.get(URL).context["saved"] == []


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "query": "state=failed"},
        {"name": "x" * 61, "query": "state=failed"},
        {"name": "x", "query": ""},
        {"name": "x", "query": "older=1"},
        {"name": "x", "query": "q=" + "y" * 1200},
        {"name": "x\x00", "query": "state=failed"},
    ],
)
def test_a_view_that_makes_no_sense_is_not_saved(reader, given):
    response = reader.post("/views/save/", {"page": "schedules", **given}, follow=True)
    assert 'class="notice notice--error"' in text_of(response)
    assert not SavedView.objects.exists()
