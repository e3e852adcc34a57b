"""What the line of a run says of times: how late it was sent, by its schedule's own idea of late, and since when it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.facts import Trigger
from schedulerui.models import Schedule
from tests.web.people import NOON, OF_THE_PERSON, a_run, a_schedule, logged_in, text_of
from tests.web.reading import cells, element

pytestmark = pytest.mark.django_db
URL, LIVE = "/runs/", "/live/runs/"


@pytest.fixture
def reader():
    return logged_in("view")


def sent(schedule, *, after, **fields):
    """A run that was sent so many seconds after it was due."""
    return a_run(schedule, sent_at=NOON + timedelta(seconds=after), **fields)


def row_of(client, run, address=URL):
    return cells(element(text_of(client.get(address)), "tr", f"run-{run.pk}"))


def test_it_says_by_how_much_a_run_was_sent_late(reader):
    run = sent(a_schedule(grace=30), after=192.4)
    _state, _name, due, *_rest = row_of(reader, run)
    assert due.endswith("3 min 12 s late")


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        (30, {}),
        (192, {"trigger": Trigger.MANUAL}),
        (192, {"promoted_at": NOON + timedelta(seconds=191)}),
    ],
    ids=["within what the schedule allows", "a click", "held back until its turn came"],
)
def test_it_calls_nothing_late_that_is_not(reader, after, fields):
    run = sent(a_schedule(grace=30), after=after, **fields)
    assert "late" not in " ".join(row_of(reader, run))


def test_it_calls_a_run_late_neither_without_a_schedule_nor_before_it_was_sent(reader):
    gone, waiting = sent(None, after=192), a_run(a_schedule(), state="pending")
    assert "late" not in " ".join([*row_of(reader, gone), *row_of(reader, waiting)])


def test_each_schedule_has_its_own_idea_of_late(reader):
    strict, patient = a_schedule("Strict", grace=5), a_schedule("Patient", grace=60)
    strict_run, patient_run = sent(strict, after=12.5), sent(patient, after=12.5)
    assert row_of(reader, strict_run)[2].endswith("12.5 s late")
    assert "late" not in row_of(reader, patient_run)[2]


@pytest.mark.parametrize("query", ["", "?sort=longest", "?q=nightly", "?state=started"])
def test_it_says_since_when_a_run_runs_in_every_order_and_filter(reader, query):
    ago = clock.now() - timedelta(minutes=14, seconds=30)
    schedule = a_schedule()
    a_run(schedule), a_run(schedule, due_at=NOON - timedelta(hours=1))
    run = sent(schedule, after=192, state="started", started_at=ago)
    _state, _name, due, took, *_rest = row_of(reader, run, URL + query)
    assert took == "started 14 minutes ago"
    assert due.endswith("3 min 12 s late")


@pytest.mark.parametrize("state", ["retrying", "lost", "received"])
def test_what_does_not_run_now_has_no_time_that_goes_on(reader, state):
    run = a_run(a_schedule(), state=state, started_at=NOON)
    assert row_of(reader, run)[3] == "—"


def test_a_poll_brings_the_same_line_with_one_query(reader, django_assert_num_queries):
    now = clock.now()
    run = sent(a_schedule(grace=30), after=192, state="started", started_at=now - timedelta(minutes=2))
    page = reader.get(URL)
    known = ",".join([*(f"run-{row.pk}:{row.digest}" for row in page.context["rows"]), "news:0"])
    asked = {"newest": page.context["newest"]}
    with django_assert_num_queries(1 + OF_THE_PERSON):
        assert reader.get(LIVE, {**asked, "have": known}).status_code == 204
    row = element(text_of(reader.get(LIVE, {**asked, "have": f"run-{run.pk}:0"})), "tr", f"run-{run.pk}")
    assert cells(row)[3] == "started 2 minutes ago"
    assert cells(row)[2].endswith("3 min 12 s late")
    Schedule.objects.update(grace=300)
    assert " late" not in text_of(reader.get(LIVE, {**asked, "have": known}))


def test_the_page_of_its_schedule_says_both_too(reader):
    schedule = a_schedule(grace=30)
    ago = clock.now() - timedelta(hours=3)
    sent(schedule, after=192, state="started", started_at=ago)
    runs = element(text_of(reader.get(f"/schedules/{schedule.pk}/")), "section", "schedule-runs")
    assert "3 min 12 s late" in runs
    assert "started 3 hours ago" in " ".join(cells(runs))


def test_a_page_of_late_runs_that_all_run_stays_within_its_bytes():
    now, schedule = clock.now(), a_schedule("Nightly collection of invoices")
    for number in range(60):
        due_at = now - timedelta(minutes=number + 1)
        a_run(
            schedule, state="started", due_at=due_at, sent_at=due_at + timedelta(seconds=45), started_at=now,
            worker="celery@shop-1",
        )  # fmt: skip
    page = logged_in("view", "operate", "change", "delete").get(URL).content
    assert page.count(b" late<") == page.count(b">started <") == 50
    assert len(page) <= 100 * 1024
