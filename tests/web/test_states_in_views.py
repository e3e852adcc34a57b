"""Each state of a run and condition of a schedule in every view that shows it: a word, a style, nothing empty or contradictory."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client

from schedulerui import clock
from schedulerui.facts import FAILING, FINISHED, RunState
from schedulerui.models import Attempt, Beat, Run, Schedule, ScheduleState
from schedulerui.operations import pauses, schedules
from schedulerui.presenters.states import state_of
from tests.web.people import ANA, a_run, a_schedule, a_worker, logged_in, text_of
from tests.web.reading import cells, facts, piece, words_in

pytestmark = pytest.mark.django_db
STATES = [str(state) for state in RunState]
OF_SCHEDULES = ["", "paused", "error", "unknown", "overslept", "unattended"]
NOT_ON_THE_OVERVIEW = {"waiting", "pending"}
"""They are no news yet: the overview shows what is sent, what runs and what is over."""
RUNNING = {"received", "started", "retrying"}
STYLES = Path(str(finders.find("schedulerui/css/schedulerui.css"))).read_text()
SPRITE = Path(str(finders.find("schedulerui/img/icons.svg"))).read_text()


@pytest.fixture
def owner():
    return logged_in("view", "operate", "change", "add", "delete", "view_values", "view_audit")


@pytest.fixture
def now():
    return clock.now()


def check_chip(html, state):
    """The state's word stands in a chip of its family, with its icon."""
    shown = state_of(state)
    found = re.findall(r'class="chip chip--(\w+)">.*?#(\w+)".*?</svg>\s*([^<]+?)\s*</span>', html, re.DOTALL)
    assert (shown.family, shown.icon, shown.word) in found, found


@pytest.mark.parametrize("key", [*STATES, *OF_SCHEDULES])
def test_each_state_has_a_word_a_style_and_an_icon(key):
    shown = state_of(key)
    assert shown.word[:1].isupper(), "its name in the database is no word"
    assert f"--{shown.family}-mark:" in STYLES
    assert f"[class*=--{shown.family}]" in STYLES.replace('"', "")
    for part, colour in (
        ("chip", "background: var(--w)"),
        ("spark", "stroke: var(--m,"),
        ("bar", "fill: var(--m,"),
    ):
        assert colour in STYLES.partition(f"\n.{part} {{")[2].partition("\n.")[0], part
    assert f'id="{shown.icon}"' in SPRITE


def test_no_two_states_share_a_word():
    words = [state_of(key).word for key in [*STATES, *OF_SCHEDULES]]
    assert len(set(words)) == len(words)


def run_in(state, now):
    """A run with everything that it can have, and with the end that an attempt before left behind."""
    schedule = a_schedule("The one")
    minutes = [now - timedelta(minutes=each) for each in (5, 4, 3)]
    moments = {"sent_at": minutes[0], "started_at": minutes[1], "finished_at": minutes[2], "runtime": 61.5}
    run = a_run(schedule, state=state, due_at=minutes[0], attempt=1, **moments)
    values = {"last_state": state, "last_run_at": run.due_at, "last_run_id": run.pk}
    ScheduleState.objects.filter(schedule=schedule).update(**values)
    return run


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_the_list_of_runs(owner, now, state):
    run = run_in(state, now)
    row = piece(text_of(owner.get("/runs/")), f'<tr id="run-{run.pk}"', "</tr>")
    check_chip(row, state)
    assert all(cells(row)), cells(row)
    assert ("1 min 1 s" in row) == (state in FINISHED), "what is not over has no run time"


@pytest.mark.parametrize("state", STATES)
def test_a_run_on_its_own_page(owner, now, state):
    run = run_in(state, now)
    Attempt.objects.create(run=run, attempt=1, delivery=1, state=state)
    text = text_of(owner.get(f"/runs/{run.uuid}/"))
    lead = piece(text, '<p class="lead">', "</p>")
    check_chip(lead, state)
    assert len(words_in(lead)) > len(state_of(state).word) + 10, "a sentence stands beside the word"
    assert all(facts(text)), facts(text)
    assert all(cells(text)), cells(text)
    is_live = "data-live" in piece(text, '<div id="run"', ">")
    assert is_live == (state not in FINISHED)
    assert ("Not yet." in text) == (state not in FINISHED)
    if state not in FINISHED:
        assert "1 min 1 s" not in text


@pytest.mark.parametrize("state", STATES)
def test_a_run_on_the_page_of_its_schedule(owner, now, state):
    run = run_in(state, now)
    text = text_of(owner.get(f"/schedules/{run.schedule_id}/"))
    runs = piece(text, 'id="schedule-runs"', "</section>")
    check_chip(runs, state)
    assert all(cells(runs)), cells(runs)
    check_chip(piece(text, 'id="schedule-facts"', "</section>"), state)


def test_a_run_says_on_the_page_of_its_schedule_why_it_did_not_run(owner, now):
    run = run_in("skipped", now)
    Run.objects.filter(pk=run.pk).update(reason="the run before was still active")
    runs = piece(text_of(owner.get(f"/schedules/{run.schedule_id}/")), 'id="schedule-runs"', "</section>")
    assert "Skipped the run before was still active" in words_in(runs)


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_the_strip_of_its_schedule(owner, now, state):
    run = run_in(state, now)
    text = text_of(owner.get(f"/schedules/{run.schedule_id}/"))
    shown = state_of(state)
    drawing = piece(text, '<svg class="strip', "</svg>")
    assert f'class="bar bar--{shown.family}"' in drawing
    told = piece(text, '<div class="sr">', "</table>")
    for place in (drawing, told):
        assert f"/runs/{run.uuid}/" in place
        assert shown.word in words_in(place)
        assert ("1 min 1 s" in place) == (state in FINISHED)
    assert f"Last run: 1 {shown.word.lower()}" in text


@pytest.mark.parametrize("state", STATES)
def test_the_last_run_in_the_list_of_schedules(owner, now, state):
    run = run_in(state, now)
    row = piece(text_of(owner.get("/schedules/")), f'<tr id="schedule-{run.schedule_id}"', "</tr>")
    check_chip(row, state)
    assert "Never ran" not in row
    assert all(cells(row)), cells(row)


@pytest.mark.parametrize("state", STATES)
def test_a_run_on_the_overview(owner, now, state):
    run = run_in(state, now)
    text = text_of(owner.get("/"))
    running = piece(text, 'id="overview-running"', "</section>")
    latest = piece(text, 'id="overview-latest"', "</section>")
    assert (str(run.uuid) in running) == (state in RUNNING)
    assert (str(run.uuid) in latest) == (state not in RUNNING | NOT_ON_THE_OVERVIEW)
    for section in (running, latest):
        if str(run.uuid) in section:
            check_chip(section, state)
            assert ("1 min 1 s" in section) == (state in FINISHED)


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_the_lanes_of_the_timeline(owner, now, state):
    run = run_in(state, now)
    text = text_of(owner.get(f"/timeline/?span=24h&day={run.due_at:%Y-%m-%d}"))
    lane = piece(text, f' href="/schedules/{run.schedule_id}/', "</li>")
    shown = state_of(state)
    assert f"1 {shown.word.lower()}" in words_in(lane)
    assert f'class="bar bar--{shown.family}"' in lane
    assert f"UTC: {shown.word}</title>" in lane


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_the_cells_of_the_week(owner, now, state):
    run_in(state, now)
    text = text_of(owner.get(f"/timeline/?span=7d&day={now:%Y-%m-%d}"))
    told = [words_in(cell) for cell in re.findall(r'<li class="cell\b.*?</li>', text, re.DOTALL)]
    counted = {
        word: sum(int(n) for cell in told for n in re.findall(rf"\b(\d+) {word}\b", cell))
        for word in ("runs?", "failed", "missed", "skipped")
    }
    is_out = state in {"missed", "skipped"}
    assert counted == {
        "runs?": int(not is_out),
        "failed": int(state in FAILING),
        "missed": int(state == "missed"),
        "skipped": int(state == "skipped"),
    }


@pytest.mark.parametrize("state", STATES)
def test_a_run_among_the_last_runs_of_its_worker(owner, now, state):
    worker = a_worker(seen_at=now)
    run = run_in(state, now)
    Run.objects.filter(pk=run.pk).update(worker_instance=worker.instance, worker=worker.hostname)
    text = text_of(owner.get(f"/workers/{worker.instance}/"))
    is_with_it = state in RUNNING - {"retrying"}  # the next attempt is in the queue, for whoever takes it
    assert (str(run.uuid) in text) == is_with_it
    if is_with_it:
        check_chip(piece(text, f'<tr id="run-{run.pk}"', "</tr>"), state)


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_a_file(owner, now, state):
    run = run_in(state, now)
    lines = text_of(owner.post("/runs/bulk/", {"action": "csv", "id": [run.pk]})).splitlines()
    assert [line.split(",")[3] for line in lines] == ["state", state], "files keep the name that filters take"


def test_the_admin_says_states_in_the_words_of_the_dashboard(now):
    staff = User.objects.create_superuser("staff")
    client = Client()
    client.force_login(staff)
    for state in STATES:
        a_run(None, state=state, due_at=now)
    column = re.findall(
        r'<td class="field-shown_state">([^<]*)</td>', text_of(client.get("/admin/schedulerui/run/"))
    )
    assert sorted(column) == sorted(state_of(state).word for state in STATES)


EMPTY = {
    "/": (
        "No schedules yet",
        "Nothing is to come",
        "Three steps",
        "import-django-celery-beat",
        "celery -A tests.celery_app beat",
    ),
    "/schedules/": (
        "No schedules yet",
        "Three steps",
        "import-django-celery-beat",
        "celery -A tests.celery_app beat",
    ),
    "/schedules/?q=nobody": ("Search: nobody", "No schedule matches", "Clear the filter"),
    "/schedules/?q=nobody:1": ("There is no qualifier", "Nothing is shown until"),
    "/runs/": ("Nothing has run yet.",),
    "/runs/?q=nobody": ("Search: nobody", "No run matches", "Clear the filter"),
    "/runs/?q=nobody:1": ("There is no qualifier",),
    "/timeline/": ("Nothing ran on this day.",),
    "/timeline/?span=7d": ("nothing",),
    "/timeline/?span=month": ("nothing",),
    "/workers/": ("No worker has been heard yet", "No beat is running", "No queue has been measured"),
    "/audit/": ("Nothing has been changed yet",),
    "/alerts/": ("Nothing is late, failing or down", "No channel is configured", "No message has been sent"),
}


@pytest.mark.parametrize("address", list(EMPTY))
def test_a_page_without_rows_says_so_and_what_to_do(owner, address):
    said = words_in(piece(text_of(owner.get(address)), "<main", "</main>"))
    for words in EMPTY[address]:
        assert words in said


@pytest.mark.parametrize("address", ["/schedules/?q=nobody:1", "/runs/?q=nobody:1", "/audit/?action=nobody"])
def test_a_filter_that_makes_no_sense_is_not_told_as_one_that_nothing_matches(owner, address):
    said = words_in(piece(text_of(owner.get(address)), "<main", "</main>"))
    assert "The filter makes no sense yet" in said
    assert "matches" not in said
    assert not re.search(r"\b0 (schedules|runs)\b", said)


def changed(**values):
    """A schedule whose row holds what no form lets in."""
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(**values)
    return schedule


def paused(now):
    schedule = a_schedule()
    pauses.pause(schedule.pk, until=None, reason="maintenance", actor=ANA, now=now)
    return schedule


def switched_off(now):
    schedule = a_schedule()
    schedules.disable(schedule.pk, actor=ANA, now=now)
    return schedule


def now_is_on(schedule):
    return Schedule.objects.get(pk=schedule.pk).enabled


NO_NEXT = {"next_run_at": None, "next_nominal_at": None}
CONDITIONS = {
    "never ran": (lambda _now: a_schedule(), {"list": "Never ran", "page": "Never ran"}),
    "by hand": (
        lambda _now: a_schedule(kind="manual", expression=""),
        {"list": "By hand only", "page": "Nothing is sent by itself: press Run now."},
    ),
    "paused": (
        paused,
        {"list": "maintenance", "page": "while it is off", "facts": "maintenance", "dialog": "is off"},
    ),
    "switched off": (switched_off, {"list": "Off", "page": "Off", "dialog": "is off"}),
    "broken rule": (
        lambda _now: changed(expression="99 * * * *", error="minute: 99", **NO_NEXT),
        {
            "list": "Rule broken",
            "facts": "Rule broken",
            "page": "until its rule is mended",
            "overview": "Rule broken",
        },
    ),
    "late": (
        lambda now: changed(next_run_at=now - timedelta(hours=1)),
        {"list": "not sent yet", "facts": "not sent yet", "upcoming": "not sent yet"},
    ),
    "no further run": (
        lambda _now: changed(**NO_NEXT),
        {"list": "No further run", "page": "No further run"},
    ),
    "unknown task": (
        lambda _now: a_schedule(task="tests.nobody_knows"),
        {
            "page": "Unknown task",
            "overview": "Unknown task",
            "dialog": "No worker that is online knows this task",
        },
    ),
}


@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_a_schedule_in_each_condition(owner, now, condition):
    make, said = CONDITIONS[condition]
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now)
    a_worker(seen_at=now, tasks=["tests.add"], queues=["celery"])
    schedule = make(now)
    row = piece(text_of(owner.get("/schedules/")), f'<tr id="schedule-{schedule.pk}"', "</tr>")
    page = text_of(owner.get(f"/schedules/{schedule.pk}/"))
    dialog = owner.get(f"/schedules/{schedule.pk}/run/", headers={"HX-Request": "true"})
    overview = text_of(owner.get("/"))
    places = {
        "list": row,
        "page": page,
        "facts": piece(page, 'id="schedule-facts"', "</section>"),
        "overview": piece(overview, 'id="overview-attention"', "</section>"),
        "upcoming": piece(overview, 'id="overview-upcoming"', "</section>"),
        "dialog": text_of(dialog),
    }
    for place, words in said.items():
        assert words in words_in(places[place]), place
    upcoming = owner.get(f"/schedules/{schedule.pk}/upcoming/")
    assert ("if it were on" in words_in(text_of(upcoming))) == (
        not now_is_on(schedule) and condition != "broken rule"
    )
    assert bool(upcoming.context["times"]) == (condition not in {"by hand", "broken rule"})
    assert ("Unknown task" in page) == (condition == "unknown task")
    assert all(cells(row)), cells(row)
    assert all(facts(page)), facts(page)
    now_stored = Schedule.objects.get(pk=schedule.pk)
    is_on, is_paused = now_stored.enabled, now_stored.paused_at is not None
    for html in (row, page):
        assert f'aria-checked="{str(is_on).lower()}"' in html
        assert f">{'On' if is_on else 'Paused' if is_paused else 'Off'}</button>" in html
    assert schedule.name in text_of(owner.post("/schedules/bulk/", {"action": "delete", "id": [schedule.pk]}))


def test_without_a_beat_every_page_says_so_once_and_no_schedule_is_blamed(owner, now):
    changed(next_run_at=now - timedelta(hours=1))
    for address in (
        "/",
        "/schedules/",
        "/runs/",
        "/timeline/",
        "/workers/",
        "/audit/",
        "/about/",
        "/alerts/",
    ):
        text = text_of(owner.get(address))
        card = piece(text, '<section id="beat"', "</section>")
        assert "beat--fail" in card, address
        assert "No beat is running" in card, address
    assert "body:has(.beat--fail) .is-unsent" in STYLES
