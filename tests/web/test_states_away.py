"""Every page with nothing to show, and while beat, the workers, the broker, the monitor or Flower are away: why, since when, what next."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError, connection

from schedulerui import clock, dispatch
from schedulerui.access import PERMISSIONS
from schedulerui.models import Beat, Queue, Run, Schedule, Worker
from schedulerui.operations import schedules
from schedulerui.testing import recording
from tests.site.test_urls_by_role import EXPECTED, address_of
from tests.web.people import ANA, NOON, OF_THE_PERSON, a_run, a_schedule, a_worker, logged_in, text_of
from tests.web.reading import cells, element, fact, piece, words_in
from tests.web.test_database_away import Away

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
LATER = f"{NOON + timedelta(days=900):%Y-%m-%dT%H:%M:%S}+00:00_1"
EARLIER = f"{NOON - timedelta(days=900):%Y-%m-%dT%H:%M:%S}+00:00_1"


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def owner():
    return logged_in(*PERMISSIONS)


@pytest.fixture
def now():
    return clock.now()


def said_on(client, address, status=200):
    """What the page says beside the rail, whose card of the beats stands on all of them."""
    response = client.get(address)
    assert response.status_code == status, address
    return words_in(piece(text_of(response), "<main", "</main>"))


# Nothing to show


def of_schedule():
    return f"/schedules/{a_schedule(kind='manual', expression='').pk}/"


def of_worker():
    return f"/workers/{a_worker(seen_at=NOON).instance}/"


EMPTY_PARTS = {
    "a schedule that never ran": (of_schedule, ("It has not run yet", "Nothing is sent by itself: press Run now.", "None: it runs only when")),
    "its next times": (lambda: of_schedule() + "upcoming/", ("None: it runs only when somebody asks for it",)),
    "its changes": (lambda: of_schedule() + "changes/", ("created",)),
    "a worker that has nothing to do": (of_worker, ("No run of a schedule.", "0 registered tasks")),
    "a run without values": (lambda: f"/runs/{a_run(a_schedule()).uuid}/", ("No arguments, and no result was kept.",)),
    "lanes that nothing matches": (lambda: "/timeline/?q=nobody", ("No schedule matches this filter.", "Search: nobody")),
    "lanes of a filter that makes no sense": (lambda: "/timeline/?q=nobody:1", ("There is no qualifier",)),
    "changes that nothing matches": (lambda: "/audit/?q=nobody", ("No change matches this filter.", "Clear the filter")),
    "no channel for alerts": (lambda: "/alerts/", ("Nothing is late, failing or down", "No channel is configured")),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY_PARTS)
def test_a_part_without_rows_says_so(owner, name):
    make, words = EMPTY_PARTS[name]
    said = said_on(owner, make())
    for each in words:
        assert each.lower() in said.lower(), said


PAST_THE_END = {
    "/schedules/?sort=name&older=zzz_9999": "No schedules yet",
    f"/schedules/?older={LATER}": "No schedules yet",
    f"/runs/?older={EARLIER}": "Nothing has run yet",
    f"/runs/?newer={LATER}": "Nothing has run yet",
    f"/runs/?state=succeeded&older={EARLIER}": "No run matches",
    "/runs/?sort=longest&older=0.0_0": "Nothing has run yet",
    f"/audit/?older={EARLIER}": "Nothing has been changed yet",
    f"/schedules/PK/?older={EARLIER}": "It has not run yet",
}
"""Pages behind the last row, as an address that was kept leads there, with what is not true of the list."""


@pytest.mark.parametrize("address", PAST_THE_END)
def test_a_page_behind_the_last_one_is_not_told_as_an_empty_list(owner, address):
    schedule = a_schedule()
    a_run(schedule, runtime=1.0)
    said = said_on(owner, address.replace("PK", str(schedule.pk)).replace("+", "%2B"))
    assert PAST_THE_END[address] not in said
    assert "There is no such page" in said
    assert "Go to the first page" in said


# The database


SKIPPED = {"metrics", "readyz", "health.json", "flower/", "flower/<path:path>"}
"""Addresses for machines, which have a test of their own, and what asks Flower."""


def rows_of(schedule):
    return {
        "pk": schedule.pk, "uuid": a_run(schedule, args=[1]).uuid, "key": "args", "instance": a_worker(seen_at=NOON).instance,
        "path": "workers", "change_id": schedule.changes.get().pk,
    }  # fmt: skip


@pytest.mark.parametrize("route", sorted(route for route in EXPECTED if route not in SKIPPED))
def test_every_address_says_so_at_whatever_statement_the_database_goes_away(owner, route):
    address = address_of(route, rows_of(a_schedule()))
    is_look = EXPECTED[route].get.endswith(("200", "204"))
    ask = owner.get if is_look else owner.post
    n_answered, away = 0, None
    with recording():
        # A verb that fails half way leaves the transaction around this test unusable: there each first statement of all must do.
        while away is None or (away.refused and (is_look or n_answered < OF_THE_PERSON)):
            away = Away(n_answered, OperationalError)
            with connection.execute_wrapper(away):
                response = ask(address)
            if away.refused:
                said = text_of(response)
                assert response.status_code == 503, n_answered
                assert "The database does not answer" in said
                assert ("Nothing is lost" in said) == is_look
                assert ("it may or may not have been done" in said) == (not is_look)
            n_answered += 1
    assert n_answered > 1


# Beats


def pages():
    schedule = a_schedule()
    run = a_run(schedule)
    return [
        "/", "/schedules/", f"/schedules/{schedule.pk}/", f"/schedules/{schedule.pk}/upcoming/", f"/schedules/{schedule.pk}/edit/",
        "/runs/", f"/runs/{run.uuid}/", "/timeline/", "/timeline/?span=7d", "/timeline/?span=month", "/workers/",
        f"/workers/{a_worker(seen_at=NOON).instance}/", "/audit/", "/about/", "/alerts/", "/nowhere/",
    ]  # fmt: skip


def ticked(now, *, ago):
    Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now - ago)


BEATS = {
    "never": (None, ("No beat is running", "Nothing is sent until one starts", "celery beat -S schedulerui", "What to do")),
    "away": (timedelta(minutes=12), ("Beat is not ticking", "Last tick 12 minutes ago", "Look at its process", "What to do")),
}  # fmt: skip


@pytest.mark.parametrize("name", BEATS)
def test_every_page_says_since_when_no_beat_ticks_and_what_to_do(owner, now, name):
    ago, words = BEATS[name]
    if ago:
        ticked(now, ago=ago)
    for address in pages():
        text = text_of(owner.get(address))
        if address == "/nowhere/":
            continue
        card = words_in(element(text, "section", "beat"))
        assert "beat--fail" in element(text, "section", "beat")
        for each in words:
            assert each in card, address
    card = text_of(owner.get("/live/health/?since=x", headers=HTMX))
    assert words[0] in words_in(element(card, "section", "beat"))


@pytest.mark.parametrize("name", BEATS)
def test_without_a_beat_nothing_is_blamed_that_the_beat_has_to_answer_for(owner, now, name):
    if BEATS[name][0]:
        ticked(now, ago=BEATS[name][0])
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=now - timedelta(hours=1))
    tiles = words_in(element(text_of(owner.get("/")), "section", "overview-tiles"))
    assert re.search(r"Dispatch delay unknown no beat", tiles), tiles
    attention = element(text_of(owner.get("/")), "section", "overview-attention")
    assert " hidden" in attention.partition(">")[0]
    row = element(text_of(owner.get("/schedules/")), "tr", f"schedule-{schedule.pk}")
    assert 'class="sub sub--warn is-unsent"' in row, "the style sheet hides it beside a beat that is away"
    told = element(text_of(owner.get(f"/schedules/{schedule.pk}/")), "section", "schedule-facts")
    assert "is-unsent" in told


def test_a_switch_without_a_beat_waits_for_one(owner, now):
    schedule = a_schedule()
    schedules.disable(schedule.pk, actor=ANA, now=now)
    row = words_in(text_of(owner.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX)))
    assert "takes effect when a beat runs" in row


# Workers


def test_without_a_worker_every_page_that_is_about_one_says_so_and_since_when(owner, now):
    gone = a_worker(seen_at=now - timedelta(minutes=12), tasks=["tests.add"])
    schedule = a_schedule()
    assert "Workers online 0 runs wait until one starts" in said_on(owner, "/")
    said = said_on(owner, "/workers/")
    assert "No worker is online: what is sent now waits in its queue." in said
    assert "12 minutes ago" in said
    assert "No heartbeat since 2026-03-04 11:48" in said_on(owner, f"/workers/{gone.instance}/")
    dialog = words_in(text_of(owner.get(f"/schedules/{schedule.pk}/run/", headers=HTMX)))
    assert "No worker is online: the run waits in the queue until one comes." in dialog
    run = a_run(schedule)
    for address, action, pk in (("/schedules/bulk/", "run", schedule.pk), ("/runs/bulk/", "again", run.pk)):
        asked = words_in(text_of(owner.post(address, {"action": action, "id": [pk]})))
        assert "No worker is online: the runs wait in the queue until one comes." in asked


def test_without_a_worker_no_task_is_called_unknown(owner, now):
    a_worker(seen_at=now - timedelta(minutes=12), tasks=["tests.add"])
    a_schedule(task="tests.other")
    assert "Unknown task" not in said_on(owner, "/")
    assert "Tasks that no online worker knows" not in said_on(owner, "/workers/")


# The broker


@pytest.fixture
def down():
    with recording() as outbox:
        outbox.broken = dispatch.BrokerUnavailable("Connection refused by 10.0.0.9")
        yield outbox


def test_a_run_of_now_waits_for_the_broker_and_says_so_in_every_place(owner, now, down):
    schedule = a_schedule()
    given = {"token": str(uuid.uuid4()), "place": "row"}
    said = words_in(text_of(owner.post(f"/schedules/{schedule.pk}/run/", given, follow=True)))
    assert "queued for dispatch, for the broker did not take it (Connection refused by 10.0.0.9)" in said
    assert "Beat sends it if the broker answers within 1 min" in said
    run = Run.objects.get()
    assert run.state == "pending"
    row = words_in(element(text_of(owner.get("/runs/")), "tr", f"run-{run.pk}"))
    assert "Queued Queued for dispatch" in row
    assert "Queued" in fact(
        element(text_of(owner.get(f"/schedules/{schedule.pk}/")), "section", "schedule-facts"), "Last run"
    )
    assert "Queued" in said_on(owner, f"/runs/{run.uuid}/")


def test_many_at_once_say_of_each_that_the_broker_is_away(owner, down):
    chosen = [a_schedule(f"No {number}").pk for number in range(3)]
    given = {"action": "run", "id": chosen, "sure": "1", "token": str(uuid.uuid4()), "seen": 3}
    said = words_in(text_of(owner.post("/schedules/bulk/", given, follow=True)))
    assert "Run now: done for 3 schedules." in said
    assert (
        "3 are queued for dispatch, for the broker did not take them (Connection refused by 10.0.0.9)."
        in said
    )
    assert Run.objects.filter(state="pending").count() == 3


def test_queues_that_could_not_be_measured_say_why_and_when_they_were(owner, now):
    Queue.objects.create(
        name="celery",
        depth=7,
        consumers=1,
        measured_at=now - timedelta(minutes=12),
        error="The broker does not answer",
    )
    line = cells(piece(text_of(owner.get("/workers/")), 'aria-labelledby="queues-title"', "</section>"))
    assert "celery The broker does not answer" in line
    assert "unknown" in line
    assert any("12 minutes ago" in cell and "This is old: is the monitor running?" in cell for cell in line)
    assert "7" not in line


# The monitor, and Flower


def test_without_a_monitor_pages_say_that_nobody_looks(owner):
    assert "Dispatch problems unknown not scanned: no monitor runs" in said_on(owner, "/")
    assert "No monitor has looked for minutes" in said_on(owner, "/alerts/")
    assert "No queue has been measured yet: the monitor does that." in said_on(owner, "/workers/")


def test_flower_that_is_away_is_said_on_its_page_and_hinders_no_other(owner, settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "FLOWER_URL": "http://127.0.0.1:9/flower"}
    worker = a_worker(seen_at=NOON)
    assert "Open in Flower" in said_on(owner, f"/workers/{worker.instance}/")
    response = owner.get("/flower/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    assert response.status_code == 503
    said = words_in(text_of(response))
    assert "Flower is not available" in said
    assert "Try again" in said
    assert "See the workers here" in said
    assert Worker.objects.count() == 1
