"""The page about one worker: what it says itself, and the commands that it can be given."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from django.test import Client

from schedulerui import clock, dispatch, remote
from schedulerui.models import Change
from schedulerui.presenters.values import HIDDEN
from tests.web.people import HOSTILE, a_run, a_schedule, a_worker, check_gate, logged_in, text_of

pytestmark = pytest.mark.django_db
ACTIVE = {
    "id": "abc", "name": "tests.add", "args": ["sesame"], "kwargs": {"password": "p4ss", "n": 1}, "time_start": 1772625600.0,
}  # fmt: skip


@pytest.fixture
def worker():
    now = clock.now()
    return a_worker(started_at=now, seen_at=now, tasks=["tests.add"])


@pytest.fixture
def wire():
    """The broker's side of remote control: what is asked, and what each question is answered with."""

    class Wire:
        def __init__(self):
            self.asked: list[tuple[str, dict[str, object], list[str] | None]] = []
            self.answers: dict[str, object] = {}

        def broadcast(self, target, name, arguments, destination, *, reply):
            self.asked.append((name, dict(arguments), destination))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return [{destination[0]: answer}] if reply and answer is not None else []

    wired = Wire()
    with mock.patch.object(remote, "_broadcast", wired.broadcast):
        yield wired


def page(worker):
    return f"/workers/{worker.instance}/"


def controller():
    return logged_in("view", "control_workers")


def test_details_are_for_those_who_may_view(worker, wire):
    check_gate(f"{page(worker)}details/", verb="view")


def test_it_shows_what_the_worker_has_in_its_hands_without_values(worker, wire):
    wire.answers = {
        "stats": {"uptime": 176_400, "pool": {"processes": [1, 2]}},
        "active": [ACTIVE],
        "reserved": [],
        "scheduled": [],
    }
    shown = text_of(logged_in("view").get(f"{page(worker)}details/"))
    assert "tests.add" in shown
    assert "2 d 1 h" in shown
    assert "sesame" not in shown
    assert [destination for _name, _arguments, destination in wire.asked] == [["celery@one"]] * 5


def test_it_shows_settings_that_hold_no_secret_and_no_other(worker, wire):
    wire.answers = {key: [] for key in ("stats", "active", "reserved", "scheduled")}
    wire.answers["conf"] = {
        "broker_url": "redis://:sesame@there/0", "result_backend": "db+postgresql://u:sesame@there", "sentry": "https://sesame@there",
        "broker_transport_options": {"visibility_timeout": 7_200, "password": "sesame"}, "worker_prefetch_multiplier": 1,
        "accept_content": ["json", "<b>pickle</b>"], "task_time_limit": None,
    }  # fmt: skip
    shown = text_of(logged_in("view", "view_values").get(f"{page(worker)}details/"))
    assert "sesame" not in shown
    assert re.findall(r'<dt class="mono">(\w+)</dt><dd class="mono">(.*?)</dd>', shown) == [
        ("accept_content", "json, &lt;b&gt;pickle&lt;/b&gt;"),
        ("worker_prefetch_multiplier", "1"),
        ("visibility_timeout", "7200"),
    ]


def test_values_are_shown_to_those_who_may_see_them_and_secrets_to_nobody(worker, wire):
    wire.answers = {"stats": {}, "active": [ACTIVE], "reserved": [], "scheduled": []}
    shown = text_of(logged_in("view", "view_values").get(f"{page(worker)}details/"))
    assert "sesame" in shown
    assert "p4ss" not in shown
    assert HIDDEN in shown


def test_a_silent_worker_and_a_broker_that_is_away_are_said(worker, wire):
    assert "did not answer" in text_of(logged_in("view").get(f"{page(worker)}details/"))
    wire.answers["stats"] = dispatch.BrokerUnavailable("refused")
    assert "could not be reached: refused" in text_of(logged_in("view").get(f"{page(worker)}details/"))


def test_a_broker_that_is_away_does_not_say_its_password(worker, wire):
    away = dispatch.BrokerUnavailable("no way to redis://:s3same@there:6379/0")
    wire.answers["stats"] = wire.answers["pool_grow"] = away
    assert "redis://:***@there" in text_of(logged_in("view").get(f"{page(worker)}details/"))
    told = controller().post(f"{page(worker)}control/", {"verb": "pool_grow", "n": "1"}, follow=True)
    assert "could not be reached" in text_of(told)
    assert "s3same" not in text_of(told)
    assert "s3same" not in Change.objects.get(action="worker_pool_grow").note


@pytest.mark.parametrize(
    "odd", [7, "x", [], {"a": 1}, [7, "x", None], [{"request": 7}], [{"time_start": 1e300}]]
)
def test_odd_answers_do_not_break_the_page(worker, wire, odd):
    wire.answers = dict.fromkeys(remote.INSPECTIONS, odd)
    assert logged_in("view", "view_values").get(f"{page(worker)}details/").status_code == 200


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_stay_text(worker, wire, text):
    task = {"name": text, "id": text, "args": text, "kwargs": {text: text}}
    wire.answers = {
        "stats": {"total": {text: text}},
        "active": [task],
        "reserved": [],
        "scheduled": [{"eta": text, "request": task}],
    }
    shown = text_of(logged_in("view", "view_values").get(f"{page(worker)}details/"))
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown


def test_the_page_asks_the_worker_nothing_by_itself(worker, wire):
    logged_in("view", "control_workers").get(page(worker))
    assert wire.asked == []


def test_only_people_who_may_control_workers_see_and_use_the_controls(worker, wire):
    assert "Add processes" not in text_of(logged_in("view").get(page(worker)))
    assert "Add processes" in text_of(controller().get(page(worker)))
    url = f"{page(worker)}control/"
    assert Client().post(url, {"verb": "pool_grow", "n": "1"}).status_code == 302
    assert logged_in("view", "operate").post(url, {"verb": "pool_grow", "n": "1"}).status_code == 403
    assert wire.asked == []


def test_a_command_goes_to_that_worker_alone_and_is_audited_with_its_answer(worker, wire):
    wire.answers["pool_grow"] = {"ok": "pool will grow"}
    answer = controller().post(f"{page(worker)}control/", {"verb": "pool_grow", "n": "2"}, follow=True)
    assert "pool will grow" in text_of(answer)
    assert wire.asked == [("pool_grow", {"n": 2}, ["celery@one"])]
    change = Change.objects.get()
    assert change.action == "worker_pool_grow"
    assert "celery@one" in change.note
    assert "pool will grow" in change.note


def test_a_refusal_and_silence_are_said_and_audited(worker, wire):
    wire.answers["pool_grow"] = {"error": "not supported with autoscale"}
    refused = text_of(
        controller().post(f"{page(worker)}control/", {"verb": "pool_grow", "n": "2"}, follow=True)
    )
    assert "It refused: not supported with autoscale" in refused
    del wire.answers["pool_grow"]
    silent = text_of(
        controller().post(f"{page(worker)}control/", {"verb": "pool_grow", "n": "2"}, follow=True)
    )
    assert "did not answer" in silent
    assert Change.objects.count() == 2


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("pool_grow", {"n": "0"}),
        ("pool_grow", {"n": "99999999999999999999"}),
        ("pool_shrink", {"n": "-1"}),
        ("autoscale", {"min": "5", "max": "4"}),
        ("add_consumer", {"queue": "two words"}),
        ("cancel_consumer", {"queue": ""}),
        ("rate_limit", {"task_name": "tests.add", "rate_limit": "often"}),
        ("time_limit", {"task_name": "tests.add", "soft": "9", "hard": "5"}),
        ("revoke", {"task_id": ""}),
        ("terminate", {"task_id": "two words"}),
        ("shutdown", {"confirm": "celery@two"}),
        ("eval", {"code": "1"}),
        ("", {}),
    ],
)
def test_a_command_that_cannot_be_is_refused_where_it_was_given(worker, wire, verb, given):
    answer = controller().post(f"{page(worker)}control/", {"verb": verb, **given})
    assert answer.status_code == 422
    assert wire.asked == []
    assert not Change.objects.exists()
    for value in given.values():
        if verb in {"add_consumer", "rate_limit"}:
            assert value in text_of(answer)


def test_shutting_down_needs_the_name(worker, wire):
    answer = controller().post(
        f"{page(worker)}control/", {"verb": "shutdown", "confirm": "celery@one"}, follow=True
    )
    assert "told to end" in text_of(answer)
    assert wire.asked == [("shutdown", {}, ["celery@one"])]


@pytest.mark.parametrize(
    ("verb", "sent"),
    [("revoke", {"terminate": False}), ("terminate", {"terminate": True, "signal": "SIGTERM"})],
)
def test_a_task_of_anybody_is_revoked_or_ended_on_that_worker_alone(worker, wire, verb, sent):
    wire.answers["revoke"] = {"ok": "tasks abc flagged as revoked"}
    answer = controller().post(f"{page(worker)}control/", {"verb": verb, "task_id": "abc"}, follow=True)
    assert "flagged as revoked" in text_of(answer)
    assert wire.asked == [("revoke", {"task_id": "abc", **sent}, ["celery@one"])]
    assert Change.objects.get().action == f"worker_{verb}"


def test_a_task_in_its_hands_leads_to_its_run(worker, wire):
    run = a_run(a_schedule(), state="started", task_id="known")
    wire.answers = {name: {} for name in remote.INSPECTIONS} | {
        "active": [{"id": "known", "name": "tests.add"}, {"id": "foreign", "name": "tests.add"}]
    }
    shown = text_of(logged_in("view").get(f"{page(worker)}details/"))
    assert f'<a href="/runs/{run.uuid}/">known</a>' in shown
    assert ">foreign<" in shown


def none_of_them(_user, schedules):
    return schedules.none()


def test_values_of_tasks_are_hidden_from_people_who_may_not_know_of_all_schedules(worker, wire, settings):
    a_run(a_schedule(), state="started", task_id="known")
    wire.answers = {name: {} for name in remote.INSPECTIONS} | {
        "active": [{"id": "known", "name": "tests.add", "args": ["s3same"]}]
    }
    client = logged_in("view", "view_values")
    assert "s3same" in text_of(client.get(f"{page(worker)}details/"))
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.none_of_them"}
    shown = text_of(client.get(f"{page(worker)}details/"))
    assert "s3same" not in shown
    assert "known" in shown


def all_but_salaries(_user, verb, obj):
    return not (verb == "view_values" and getattr(obj, "schedule_name", "") == "Salaries")


def test_the_host_is_asked_about_the_values_of_each_task_in_its_hands(worker, wire, settings):
    for name in ("Backup", "Salaries"):
        a_run(a_schedule(name=name), state="started", task_id=name)
    wire.answers = {name: {} for name in remote.INSPECTIONS} | {
        "active": [{"id": name, "name": "tests.add", "args": [f"of {name}"]} for name in ("Backup", "Salaries", "foreign")]
    }  # fmt: skip
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.all_but_salaries"}
    shown = text_of(logged_in().get(f"{page(worker)}details/"))
    assert "of Backup" in shown
    assert "of foreign" in shown
    assert "of Salaries" not in shown


def test_a_worker_that_is_gone_can_be_told_nothing(wire):
    gone = a_worker(stopped_at=clock.now())
    assert "Add processes" not in text_of(controller().get(page(gone)))
    answer = controller().post(f"{page(gone)}control/", {"verb": "pool_grow", "n": "1"}, follow=True)
    assert "does not live any more" in text_of(answer)
    assert wire.asked == []


def test_no_destination_is_never_everybody():
    with pytest.raises(ValueError, match="must be named"):
        remote.command("", "shutdown", {})
    with pytest.raises(ValueError, match="must be named"):
        remote.tell("", "shutdown", {})


def test_a_worker_heard_of_by_events_is_marked(wire):
    foreign = a_worker("plain@there", heard_by="events", seen_at=clock.now(), started_at=clock.now())
    assert "does not load this app" in text_of(logged_in("view").get(page(foreign)))
    assert "does not load this app" in text_of(logged_in("view").get("/workers/"))
