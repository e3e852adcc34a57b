"""Each state of a run in every place that shows one, also in what a poll brings: its own word, why, and no other state's word."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from schedulerui import clock
from schedulerui.facts import ACTIVE, FAILING, FINISHED, WITH_WORKER, RunState
from schedulerui.models import Attempt, Beat, Run, ScheduleState
from schedulerui.operations.outcomes import append_outcome
from schedulerui.presenters.lines import TIMES
from schedulerui.presenters.states import state_of
from tests.web.people import a_run, a_schedule, logged_in, text_of
from tests.web.reading import OF_RUNS, cells, element, fact, piece, states_named, words_in

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
STATES = [str(state) for state in RunState]
REASON = "because the moon was full"
TOLD_WHY = {"unsent", "cancelled", "lost", "revoked", "expired", "rejected", "skipped", "missed", "waiting"}
"""States of runs that come with a reason."""
NO_NEWS = {"waiting", "pending"}


@pytest.fixture
def owner():
    return logged_in(
        "view", "operate", "change", "add", "delete", "view_values", "view_audit", "view_metrics"
    )


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.fixture
def now():
    moment = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=moment, seen_at=moment)
    return moment


def run_in(state, now, *, name="The one"):
    schedule = a_schedule(name)
    reason = REASON if state in TOLD_WHY else ""
    run = a_run(schedule, state=state, due_at=now - timedelta(minutes=5), reason=reason, runtime=61.5)
    ScheduleState.objects.filter(schedule=schedule).update(
        last_state=state,
        last_run_at=run.due_at,
        last_run_id=run.pk,
        recent=append_outcome("", state, 61.5),
    )
    Attempt.objects.create(run=run, attempt=0, delivery=1, state=state, reason=reason)
    return run


def of_list(client, run, query=""):
    return element(text_of(client.get(f"/runs/{query}")), "tr", f"run-{run.pk}")


def of_poll(client, run):
    return element(text_of(client.get(f"/live/runs/?have=run-{run.pk}:0")), "tr", f"run-{run.pk}")


def of_page(client, run, **asked):
    text = text_of(client.get(f"/runs/{run.uuid}/", asked, headers=HTMX if asked else {}))
    return piece(text, '<p class="lead">', '<div class="split">') + element_named(text, "attempts-title")


def element_named(text, name):
    """The card whose title has this id."""
    return piece(text, f'aria-labelledby="{name}"', "</section>")


def of_schedule(client, run):
    text = text_of(client.get(f"/schedules/{run.schedule_id}/"))
    return piece(element(text, "section", "schedule-runs"), '<tbody role="rowgroup">', "</tbody>")


def of_schedule_polled(client, run):
    text = text_of(client.get(f"/live/schedules/{run.schedule_id}/", headers=HTMX))
    return piece(element(text, "section", "schedule-runs"), '<tbody role="rowgroup">', "</tbody>")


def of_overview(client, run, address="/"):
    text = text_of(client.get(address, headers=HTMX if address != "/" else {}))
    part = "running" if run.state in WITH_WORKER else "latest"
    lines = re.findall(r'<li class="line">.*?</li>', element(text, "section", f"overview-{part}"), re.DOTALL)
    return next(line for line in lines if str(run.uuid) in line)


def of_admin(client, run):
    return piece(text_of(client.get("/admin/schedulerui/run/")), '<td class="field-shown_state">', "</tr>")


def of_admin_page(client, run):
    text = text_of(client.get(f"/admin/schedulerui/run/{run.pk}/change/"))
    return piece(text, 'field-shown_state"', "</div>") + piece(text, 'field-reason"', "</div>")


PLACES = {
    "the list": of_list,
    "the list, by its state": lambda client, run: of_list(client, run, f"?state={run.state}"),
    "the list, by its word": lambda client, run: of_list(client, run, f"?q=state:{typed(run.state)}"),
    "the list's poll": of_poll,
    "its page": of_page,
    "its page's poll": lambda client, run: of_page(client, run, since="x"),
    "its schedule": of_schedule,
    "its schedule's poll": of_schedule_polled,
    "the overview": of_overview,
    "the overview's poll": lambda client, run: of_overview(client, run, "/live/overview/"),
}
WITHOUT = {"the overview": NO_NEWS, "the overview's poll": NO_NEWS}
"""States that have no cell in a place: what is no news yet."""


def typed(state):
    """The word as it is typed into the filter."""
    return quote(OF_RUNS[state].lower().replace(" ", "-"))


@pytest.mark.parametrize("state", STATES)
def test_every_place_has_the_word_of_the_state_and_why_and_no_other_states_word(owner, now, state):
    run = run_in(state, now)
    for place, look in PLACES.items():
        if state in WITHOUT.get(place, ()):
            continue
        html = look(owner, run)
        said = words_in(html)
        assert states_named(said) == {state}, (place, said)
        assert (REASON in said) == (state in TOLD_WHY), (place, said)
        assert all(cells(html)), (place, cells(html))


@pytest.mark.parametrize("state", STATES)
def test_the_admin_has_the_words_of_the_dashboard(staff, now, state):
    run = run_in(state, now)
    for html in (of_admin(staff, run), of_admin_page(staff, run)):
        said = words_in(html)
        assert states_named(said) == {state}, said
    assert (REASON in said) == (state in TOLD_WHY)


ROWS = {
    "the list": lambda pk: "/schedules/",
    "the list's poll": lambda pk: f"/live/schedules/?have=schedule-{pk}:0",
}


@pytest.mark.parametrize("state", STATES)
def test_the_last_run_of_a_schedule_has_one_word_and_its_age(owner, now, state):
    run = run_in(state, now)
    named = OF_RUNS[state].lower() if state in {"succeeded", "failed", "missed"} else "other"
    for place, address in ROWS.items():
        row = element(text_of(owner.get(address(run.schedule_id))), "tr", f"schedule-{run.schedule_id}")
        last = words_in(piece(row, '<td class="cell-last">', "</td>"))
        assert last == f"{OF_RUNS[state]} 5 minutes ago", place
        spark = words_in(piece(row, '<td class="cell-spark">', "</td>"))
        assert spark == (f"Last run: 1 {named}" if state in FINISHED else "No runs yet"), place


@pytest.mark.parametrize("state", STATES)
def test_the_colour_of_the_sparkline_and_of_the_strip_is_that_of_the_chip(owner, now, state):
    run = run_in(state, now)
    family = state_of(state).family
    row = element(text_of(owner.get("/schedules/")), "tr", f"schedule-{run.schedule_id}")
    drawn = set(re.findall(r"spark--(\w+)", row)) - {"none"}
    assert drawn == ({family} if state in FINISHED else set())
    page = text_of(owner.get(f"/schedules/{run.schedule_id}/"))
    assert set(re.findall(r"bar bar--(\w+)", page)) == {family}


@pytest.mark.parametrize("state", STATES)
def test_the_facts_of_a_schedule_agree_with_its_last_run(owner, now, state):
    run = run_in(state, now)
    for address in (f"/schedules/{run.schedule_id}/", f"/live/schedules/{run.schedule_id}/"):
        told = element(text_of(owner.get(address, headers=HTMX)), "section", "schedule-facts")
        assert states_named(fact(told, "Last run")) == {state}
        assert fact(told, "Failing") == ("its last run went wrong" if state in FAILING else "no")


def test_lists_are_narrowed_to_a_state_and_to_no_other(owner, now):
    runs = {state: run_in(state, now, name=f"In {state}") for state in STATES}
    groups = {**{state: {state} for state in STATES}, "active": ACTIVE, "unhappy": FAILING}
    for asked, states in groups.items():
        text = text_of(owner.get(f"/runs/?state={asked}"))
        assert {state for state, run in runs.items() if f'id="run-{run.pk}"' in text} == set(states), asked
    for asked, states in {**{state: {state} for state in STATES}, "failing": FAILING, "never": ()}.items():
        text = text_of(owner.get(f"/schedules/?state={asked}"))
        found = {state for state, run in runs.items() if f'id="schedule-{run.schedule_id}"' in text}
        assert found == set(states), asked


SPANS = ("24h", "7d", "month")


@pytest.mark.parametrize("state", STATES)
def test_the_timeline_counts_it_once_and_as_nothing_else(owner, now, state):
    run = run_in(state, now)
    day = f"{timezone.localtime(run.due_at):%Y-%m-%d}"
    for span in SPANS:
        text = text_of(owner.get(f"/timeline/?span={span}&day={day}"))
        assert counted_in(text, span) == (
            str(int(state not in {"missed", "skipped"})),
            str(int(state in FAILING)),
            str(int(state == "missed")),
            str(int(state == "skipped")),
        ), span
    lane = words_in(
        piece(text_of(owner.get(f"/timeline/?day={day}")), f' href="/schedules/{run.schedule_id}/', "</li>")
    )
    assert f"The one : 1 {OF_RUNS[state].lower()}," in lane
    assert states_named(lane) == {state}, "the title of its bar, and nothing else"


def counted_in(text, span):
    """How many ran, failed, were missed and were skipped, as the table of the day or the cells have it."""
    if span == "24h":
        row = next(row for row in re.findall(r"<tr><th.*?</tr>", text, re.DOTALL) if "<td>1</td>" in row)
        return tuple(cells(row)[1:5])
    told = " ".join(words_in(cell) for cell in re.findall(r'<li class="cell\b.*?</li>', text, re.DOTALL))
    found = [re.findall(rf"\b(\d+) {word}\b", told) for word in ("runs?", "failed", "missed", "skipped")]
    return tuple(numbers[0] if numbers else "0" for numbers in found)


@pytest.mark.parametrize("state", STATES)
def test_files_and_samples_have_the_name_that_filters_take(owner, now, state):
    run = run_in(state, now)
    chosen = {"id": [run.pk]}
    told = json.loads(text_of(owner.post("/runs/bulk/", {"action": "json", **chosen})))
    assert [(row["state"], row["reason"]) for row in told] == [(state, run.reason)]
    line = text_of(owner.post("/runs/bulk/", {"action": "csv", **chosen})).splitlines()[1]
    assert state in line.split(",")
    assert line.endswith(run.reason)
    of_its_schedule = {"action": "csv", "id": [run.schedule_id]}
    assert text_of(owner.post("/schedules/bulk/", of_its_schedule)).splitlines()[1].endswith(f",{state},")
    samples = text_of(owner.get("/metrics")).splitlines()
    open_ = [line for line in samples if line.startswith("schedulerui_runs_open{") and line.endswith(" 1.0")]
    assert open_ == ([] if state in FINISHED else [f'schedulerui_runs_open{{state="{state}"}} 1.0'])
    assert f'schedulerui_runs_last_hour{{state="{state}"}} 1.0' in samples
    runs = owner.get("/health.json").json()["runs"]
    assert runs == {
        "pending": int(state == "pending"),
        "sent": int(state == "sent"),
        "running": int(state in WITH_WORKER),
    }


def test_a_row_that_stands_for_many_times_says_how_many_everywhere(owner, now):
    run = run_in("missed", now)
    Run.objects.filter(pk=run.pk).update(count=14)
    for place in ("the list", "the list's poll", "its schedule", "its schedule's poll", "the overview"):
        assert f"Missed {TIMES} 14" in words_in(PLACES[place](owner, run)), place
    assert "14 times" in words_in(of_page(owner, run))
    assert f"Missed {TIMES} 14" in words_in(text_of(owner.get(f"/schedules/{run.schedule_id}/")))
    assert "Missed in 24 hours 14" in words_in(element(text_of(owner.get("/")), "section", "overview-tiles"))
