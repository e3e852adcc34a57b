"""Real workers obey one command each, tell what they do, and are heard of when they do not load our app."""

from __future__ import annotations

import sys
import threading

import pytest
from celery import Celery

from schedulerui import clock, dispatch, remote
from schedulerui.facts import Actor, RunState
from schedulerui.models import Change, Worker
from schedulerui.monitor import foreign
from schedulerui.operations import cancellations, controls, workers
from schedulerui.presenters.remote import details_of
from tests.processes import Process
from tests.service.recording import (
    app,
    database_url,
    environment,
    reached,
    send,
    start_worker,
)
from tests.waiting import eventually

__all__ = ["app", "database_url", "environment", "send", "start_worker"]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]
ANA = Actor(name="ana", via="browser")


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker_url(request):
    return request.getfixturevalue(request.param).url


@pytest.fixture
def ours(app, monkeypatch):
    """Let dispatch use the test's client, as a host's setting would."""
    monkeypatch.setattr(dispatch, "app", lambda: app)
    # A worker beside busy neighbours answers, but not within the second that a page waits for it.
    monkeypatch.setattr(remote, "DEADLINE", 30.0)
    return app


def the_worker() -> Worker:
    eventually(Worker.objects.filter(pool_size__isnull=False).exists, within=90)
    return Worker.objects.get()


def obey(verb: str, **arguments: str) -> controls.Outcome:
    return controls.control(the_worker().instance, verb, arguments, actor=ANA, now=clock.now())


def test_a_worker_obeys_each_command_and_each_stands_in_the_audit_log(start_worker, ours, environment):
    start_worker()
    assert obey("pool_grow", n="1").obeyed
    eventually(lambda: the_worker().pool_size == 3, within=90)
    assert obey("pool_shrink", n="1").obeyed
    assert obey("add_consumer", queue="more").obeyed
    eventually(lambda: "more" in the_worker().queues, within=90)
    assert obey("cancel_consumer", queue="more").obeyed
    assert obey("rate_limit", task_name="rec.add", rate_limit="100/m").obeyed
    assert obey("time_limit", task_name="rec.add", soft="5", hard="9").obeyed
    unknown = obey("time_limit", task_name="rec.nowhere", soft="5", hard="9")
    assert not unknown.obeyed
    assert "unknown task" in unknown.sentence
    for verb, arguments in (("autoscale", {"min": "1", "max": "2"}), ("pool_restart", {})):
        # This worker was started without: it says so, and the sentence is its own.
        refused = obey(verb, **arguments)
        assert not refused.obeyed
        assert "enabled" in refused.sentence
    assert obey("revoke", task_id="some-task").obeyed
    assert obey("terminate", task_id="some-task").obeyed
    assert Change.objects.filter(action__startswith="worker_", actor="ana").count() == 11


def test_a_worker_ends_when_its_name_was_typed(start_worker, ours):
    process = start_worker()
    name = the_worker().hostname
    with pytest.raises(controls.InvalidCommand):
        obey("shutdown", confirm="somebody@else")
    assert obey("shutdown", confirm=name).obeyed
    eventually(lambda: not process.is_running, within=90)
    eventually(lambda: Worker.objects.get().stopped_at is not None, within=90)


def test_it_tells_what_it_does(start_worker, ours, send):
    start_worker()
    run = reached(send("rec.slow", 60), RunState.STARTED)
    told = remote.inspect(the_worker().hostname)
    assert set(told.answers) == set(remote.INSPECTIONS)
    assert (
        dict(details_of(told.answers, with_values=False, runs={}).settings)["worker_prefetch_multiplier"]
        == "1"
    )
    assert [task["id"] for task in told.answers["active"]] == [run.task_id]
    assert told.answers["stats"]["pool"]["processes"]


def test_only_the_named_worker_obeys(start_worker, ours):
    start_worker(name="one")
    start_worker(name="two")
    eventually(lambda: Worker.objects.filter(pool_size=2).count() == 2, within=90)
    one = Worker.objects.get(hostname="one@here")
    controls.control(one.instance, "pool_grow", {"n": "2"}, actor=ANA, now=clock.now())
    eventually(lambda: Worker.objects.get(pk=one.pk).pool_size == 4, within=90)
    assert Worker.objects.get(hostname="two@here").pool_size == 2


def test_a_worker_that_is_silent_is_an_outcome(ours, monkeypatch):
    monkeypatch.setattr(remote, "DEADLINE", 1.0)
    assert remote.inspect("nobody@nowhere").is_silent
    with pytest.raises(remote.Silent):
        remote.command("nobody@nowhere", "pool_grow", {"n": 1})


def test_revoking_by_name_ends_the_body_of_that_task(start_worker, ours, send):
    start_worker()
    run = reached(send("rec.slow", 60), RunState.STARTED)
    remote.revoke(str(run.task_id), terminate=True, hostname=run.worker)
    assert reached(run, RunState.REVOKED).finished_at is not None


WITHOUT_DJANGO = {"DJANGO_SETTINGS_MODULE": ""}
PLAIN = """
from celery import Celery
app = Celery("plain", broker={url!r}, set_as_current=False)
app.conf.worker_send_task_events = True
app.worker_main(["worker", "-n", "plain@there", "-P", "solo", "-Q", {queue!r}, "-l", "INFO"])
"""


def test_a_worker_without_our_app_is_heard_of_by_its_events(environment, ours, tmp_path):
    script = PLAIN.format(url=environment["TEST_BROKER_URL"], queue=environment["TEST_QUEUE"])
    ear = foreign.Ear(lambda: ours)
    ear.start()
    process = Process(
        [sys.executable, "-c", script], log=tmp_path / "plain.log", env=WITHOUT_DJANGO, name="plain"
    )
    try:

        def heard():
            foreign.store(ear.take(), now=clock.now())
            return Worker.objects.filter(hostname="plain@there").exists()

        eventually(heard, within=90)
        found = Worker.objects.get()
        assert (found.heard_by, found.pid, found.queues) == ("events", process.pid, [])
        assert found.software["celery"]
        assert workers.state_of(found, clock.now()) == "online"
        process.terminate()

        def gone():
            foreign.store(ear.take(), now=clock.now())
            return Worker.objects.get().stopped_at is not None

        eventually(gone, within=90)
    finally:
        process.close()
        ear.stop()


def test_a_worker_with_our_app_is_not_heard_of_twice(start_worker, environment, ours):
    ear = foreign.Ear(lambda: ours)
    ear.start()
    try:
        start_worker("-E")
        the_worker()
        heard: list[foreign.Heard] = []

        def has_heard():
            heard.extend(ear.take())
            return heard

        eventually(has_heard, within=90)
        assert foreign.store(heard, now=clock.now()) == 0
        assert Worker.objects.count() == 1
    finally:
        ear.stop()


def test_the_ear_reconnects_and_ends_when_told(ours):
    gone = Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False)
    asked = threading.Event()

    def app_():
        asked.set()
        return gone

    ear = foreign.Ear(app_)
    ear.start()
    assert asked.wait(60)
    ear.stop()
    gone.close()


def test_a_cancelled_run_does_not_begin_even_on_a_worker_that_started_later(start_worker, ours, send):
    run = send("rec.add", 1, 2)
    done = cancellations.cancel(run.pk, terminate=False, actor=ANA, now=clock.now())
    assert done.changed
    start_worker()
    assert reached(run, RunState.REVOKED).started_at is None


@pytest.mark.parametrize(
    "broker_url", ["rabbitmq"], indirect=True
)  # it hands out again at once what a dead worker held
def test_a_killed_worker_s_successor_knows_what_was_cancelled(start_worker, ours, send):
    first = start_worker("-c", "1", name="one")
    running = reached(send("rec.slow", 60), RunState.STARTED)
    waiting = send("rec.add", 1, 2)
    cancellations.cancel(waiting.pk, terminate=False, actor=ANA, now=clock.now())
    first.kill9()
    start_worker(name="one")
    assert reached(waiting, RunState.REVOKED, within=180).started_at is None
    assert running.state == RunState.STARTED


def test_a_body_ends_when_it_is_to_be_ended(start_worker, ours, send):
    start_worker()
    run = reached(send("rec.slow", 60), RunState.STARTED)
    cancellations.cancel(run.pk, terminate=True, actor=ANA, now=clock.now())
    assert reached(run, RunState.REVOKED).finished_at is not None
