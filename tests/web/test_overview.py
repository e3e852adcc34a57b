from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.models import Beat, Finding, Notification, Run, Schedule, ScheduleState
from schedulerui.operations import scanner
from schedulerui.operations.notifications import NEEDLESS
from tests.web.people import HOSTILE, OF_THE_PERSON, a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


def have(response):
    parts = response.context["parts"].values()
    known = [f"{part.id}:{part.digest}" for part in parts]
    return ",".join([*known, f"overview-version:{response.context['version']}"])


def rows(response, name):
    return [row.name for row in response.context["parts"][name].context["section"].rows]


def tiles(response):
    return response.context["parts"]["tiles"].context["section"].numbers


def test_it_teaches_when_there_is_nothing(reader):
    text = text_of(reader.get("/"))
    assert "Nothing has run yet" in text
    assert "No beat is running" in text


def test_it_shows_a_run_that_just_succeeded(reader):
    a_run(a_schedule("Heartbeat"), state="succeeded", due_at=clock.now(), runtime=0.2)
    response = reader.get("/")
    assert rows(response, "latest") == ["Heartbeat"]
    assert "Succeeded" in text_of(response)


def test_it_lists_what_runs_now_apart_from_what_ran(reader):
    a_run(a_schedule("Slow"), state="started")
    response = reader.get("/")
    assert rows(response, "running") == ["Slow"]
    assert rows(response, "latest") == []


def test_it_shows_what_needs_attention_the_broken_first(reader):
    failing, broken, fine = a_schedule("Failing"), a_schedule("Broken"), a_schedule("Fine")
    ScheduleState.objects.filter(schedule=failing).update(last_state="failed", failure_streak=3)
    ScheduleState.objects.filter(schedule=fine).update(last_state="succeeded")
    Schedule.objects.filter(pk=broken.pk).update(error="minute: no", next_run_at=None, next_nominal_at=None)
    response = reader.get("/")
    assert rows(response, "attention") == ["Broken", "Failing"]
    assert "failed 3 times in a row" in text_of(response)


def test_a_paused_schedule_needs_no_attention(reader):
    schedule = a_schedule("Paused")
    ScheduleState.objects.filter(schedule=schedule).update(last_state="failed")
    Schedule.objects.filter(pk=schedule.pk).update(enabled=False, next_run_at=None, next_nominal_at=None)
    assert rows(reader.get("/"), "attention") == []


def test_it_counts_what_is_due_failing_missed_and_online(reader):
    now = clock.now()
    due, failing = a_schedule("Due"), a_schedule("Failing")
    soon, late = now + timedelta(minutes=30), now + timedelta(hours=3)
    Schedule.objects.filter(pk=due.pk).update(next_run_at=soon, next_nominal_at=soon)
    Schedule.objects.filter(pk=failing.pk).update(next_run_at=late, next_nominal_at=late)
    ScheduleState.objects.filter(schedule=failing).update(last_state="lost")
    a_run(due, state="missed", due_at=now - timedelta(hours=2), count=7)
    a_run(due, state="missed", due_at=now - timedelta(hours=30), count=100)
    a_worker(seen_at=now)
    a_worker("celery@two", seen_at=now - timedelta(hours=1))
    numbers = tiles(reader.get("/"))
    assert (numbers.n_due, numbers.n_failing, numbers.n_missed, numbers.n_workers) == (1, 1, 7, 1)


def test_it_counts_what_waits_for_a_worker_and_what_nobody_was_told(reader):
    now = clock.now()
    schedule = a_schedule("Nightly")
    for state in ("pending", "sent", "received", "started"):
        a_run(schedule, state=state)
    for n, (state, minutes) in enumerate(
        (("waiting", 2), ("waiting", 0), ("failed", 60), ("failed", 2000), ("sent", 5))
    ):
        at = now - timedelta(minutes=minutes)
        Notification.objects.create(
            key=f"m{n}", channel="chat", event="late", state=state, next_try_at=at, created_at=at
        )
    for n, error in enumerate(NEEDLESS):
        Notification.objects.create(
            key=f"needless{n}",
            channel="chat",
            event="late",
            state="failed",
            error=error,
            next_try_at=now,
            created_at=now,
        )
    response = reader.get("/")
    numbers = tiles(response)
    assert (numbers.n_queued, numbers.n_untold) == (3, 2)
    assert "3 runs wait to begin" in text_of(response)
    assert "2 messages not taken" in text_of(response)


def test_the_next_runs_come_in_their_order(reader):
    now = clock.now()
    for name, minutes in (("Later", 20), ("Sooner", 10)):
        at = now + timedelta(minutes=minutes)
        Schedule.objects.filter(pk=a_schedule(name).pk).update(next_run_at=at, next_nominal_at=at)
    assert rows(reader.get("/"), "upcoming") == ["Sooner", "Later"]


def test_hostile_names_stay_text(reader):
    for name in HOSTILE:
        a_run(a_schedule(name))
    text = text_of(reader.get("/"))
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.fixture
def still(monkeypatch):
    now = clock.now().replace(second=30)
    monkeypatch.setattr(clock, "now", lambda: now)


def test_the_poll_answers_nothing_while_nothing_changed(reader, still, django_assert_num_queries):
    a_run(a_schedule())
    known = have(reader.get("/"))
    with django_assert_num_queries(1 + OF_THE_PERSON):
        response = reader.get("/live/overview/", {"have": known}, headers=HTMX)
    assert response.status_code == 204
    assert response.content == b""


def test_the_poll_answers_only_the_sections_that_changed(reader, still):
    schedule = a_schedule()
    known = have(reader.get("/"))
    a_run(schedule)
    text = text_of(reader.get("/live/overview/", {"have": known}, headers=HTMX))
    assert 'id="overview-latest"' in text
    assert 'id="overview-version"' in text
    assert text.count("hx-swap-oob") == 2


@pytest.mark.parametrize("state", ["sent", "started", "retrying", "succeeded", "lost", "failed"])
def test_every_step_of_a_run_moves_the_version(reader, still, state):
    run = a_run(a_schedule(), state="received")
    before = reader.get("/").context["version"]
    Run.objects.filter(pk=run.pk).update(state=state, progress=run.progress + 7)
    assert reader.get("/").context["version"] != before


def test_the_poll_survives_nonsense(reader):
    assert reader.get("/live/overview/", {"have": ":,,x:y:z,é"}, headers=HTMX).status_code == 200


@pytest.mark.parametrize("n_rows", [10, 200])
def test_it_asks_the_same_number_of_queries_however_much_there_is(
    reader, still, n_rows, django_assert_num_queries
):
    schedule = a_schedule("First")
    for number in range(n_rows):
        a_run(a_schedule(f"Schedule {number}"), state="started" if number % 2 else "failed")
    ScheduleState.objects.exclude(schedule=schedule).update(last_state="failed")
    reader.get("/")
    with django_assert_num_queries(6 + OF_THE_PERSON):
        reader.get("/")


def test_much_is_looked_through_once_a_minute_a_part_at_a_time(reader, monkeypatch):
    for part in ("load_strip", "ranking", "attention"):
        monkeypatch.setattr(f"schedulerui.presenters.{part}.N_CHEAP", 0)
    now = clock.now()
    a_run(a_schedule(), due_at=now - timedelta(minutes=1))
    a_schedule("Once", kind="clocked", expression="", clocked_at_utc=now + timedelta(hours=2))
    a_worker(seen_at=now + timedelta(minutes=5), tasks=["tests.add"])
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now + timedelta(minutes=5))
    asked = []
    for seconds in (0, 5, 61, 66, 71, 76):
        moment = now + timedelta(seconds=seconds)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        with CaptureQueriesContext(connection) as queries:
            reader.get("/")
        asked.append(len(queries) - OF_THE_PERSON)
    assert asked[1] == asked[5] == 6
    assert max(asked[1:]) <= 8
    assert sum(asked[2:5]) - 3 * 6 == asked[0] - 6, "what the first look asked is asked again in three"


def a_finding(kind="overdue", *, n=1, age=0, **example):
    checked_at = clock.now() - timedelta(seconds=age)
    return Finding.objects.create(
        kind=kind, n=n, examples=[example] if example else [], checked_at=checked_at
    )


def test_a_broken_invariant_has_a_number_a_sentence_and_a_link_to_what_is_broken(reader):
    late, run = a_schedule("Late"), a_run()
    a_finding("overdue", n=2, name=HOSTILE[0], detail="due since noon", schedule=late.pk, run="")
    a_finding("lease", n=1, name="Stuck", detail="", schedule=None, run=str(run.uuid))
    response = reader.get("/")
    text = response.content.decode()
    assert tiles(response).n_broken == 3
    assert "2 schedules are due for longer than their grace, although a beat ticks." in text_of(response)
    assert "1 claimed run is past its lease" in text_of(response)
    assert f'href="/schedules/{late.pk}/"' in text
    assert f'href="/runs/{run.uuid}/"' in text
    assert "<script>alert" not in text


def test_an_old_scan_says_nothing(reader):
    a_finding(age=600)
    response = reader.get("/")
    assert tiles(response).n_broken == 0
    assert "not scanned: no monitor runs" in text_of(response)
    a_finding("lease", n=0)
    assert "every time is accounted for" in text_of(reader.get("/"))


@pytest.mark.parametrize("invariant", list(scanner.Invariant))
def test_each_invariant_has_a_sentence_and_an_address(reader, invariant):
    a_finding(str(invariant), n=1)
    first = text_of(reader.get("/"))
    Finding.objects.update(n=scanner.COUNT_MAX, is_lower_bound=True)
    second = text_of(reader.get("/"))
    assert "at least 1000" in second
    assert first != second


def test_a_finding_that_this_version_does_not_know_is_left_out(reader):
    a_finding("of-tomorrow")
    assert reader.get("/").status_code == 200


def test_the_beat_card_says_when_none_ticks(reader):
    now = clock.now()
    beat = Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)
    assert "1 beat ticking" in text_of(reader.get("/"))
    Beat.objects.filter(pk=beat.pk).update(seen_at=now - timedelta(minutes=5))
    text = text_of(reader.get("/"))
    assert "Beat is not ticking" in text
    assert "beat--fail" in text


def test_the_beat_card_says_why_a_beat_is_degraded(reader):
    now = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now, degraded="The broker is away.")
    text = text_of(reader.get("/"))
    assert "The broker is away." in text
    assert "beat--warn" in text


def test_the_poll_of_the_beat_carries_the_tick_and_no_body(reader, django_assert_num_queries):
    now = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)
    digest = reader.get("/live/health/").context["rail"].digest
    with django_assert_num_queries(1 + OF_THE_PERSON):
        response = reader.get("/live/health/", {"since": digest}, headers=HTMX)
    assert response.status_code == 204
    assert "schedulerui:beat" in response["HX-Trigger"]
