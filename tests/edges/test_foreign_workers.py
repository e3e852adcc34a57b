"""Events of foreign workers: bounded, and whatever is in them."""

from __future__ import annotations

import socket
import threading
import uuid

import pytest
from celery import Celery

from schedulerui.models import Worker
from schedulerui.monitor import foreign
from schedulerui.monitor.foreign import Ear, heard_in
from schedulerui.operations import workers
from schedulerui.testing import DULL_WEDNESDAY as NOW
from tests.waiting import eventually

HEARTBEAT = {
    "type": "worker-heartbeat", "hostname": "plain@there", "pid": 7, "active": 2, "processed": 9,
    "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery", "sw_ver": "5.6.0", "sw_sys": "Linux",
}  # fmt: skip


@pytest.fixture
def ear():
    return Ear(lambda: Celery("unused", set_as_current=False))


def test_a_heartbeat_becomes_a_row_that_says_how_it_was_heard_of(db, ear):
    ear.hear(HEARTBEAT)
    assert foreign.store(ear.take(), now=NOW) == 1
    row = Worker.objects.get()
    assert (row.hostname, row.pid, row.active, row.processed, row.load) == ("plain@there", 7, 2, 9, 0.5)
    assert row.heard_by == "events"
    assert row.software == {"program": "py-celery", "celery": "5.6.0", "system": "Linux"}
    assert ear.take() == []


def test_the_same_process_is_the_same_row_for_every_monitor(db, ear):
    for _monitor in range(3):
        ear.hear(HEARTBEAT)
        foreign.store(ear.take(), now=NOW)
    assert Worker.objects.count() == 1


def test_a_goodbye_is_written(db, ear):
    ear.hear(HEARTBEAT)
    foreign.store(ear.take(), now=NOW)
    ear.hear({**HEARTBEAT, "type": "worker-offline"})
    foreign.store(ear.take(), now=NOW)
    assert workers.state_of(Worker.objects.get(), NOW) == "stopped"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "worker-heartbeat"},
        {"type": "worker-heartbeat", "hostname": ""},
        {"type": "worker-heartbeat", "hostname": 7},
        {"type": "worker-online", "hostname": "plain@there"},
        {"type": "task-received", "hostname": "plain@there", "uuid": "x"},
        {"type": ["worker-heartbeat"], "hostname": "plain@there"},
    ],
)
def test_what_is_no_heartbeat_is_not_heard(event):
    assert heard_in(event) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"hostname": "a\x00b" * 200},
        {"pid": "7", "active": True, "processed": -1, "loadavg": "high"},
        {"pid": 2**40, "active": 2**40, "processed": None, "loadavg": [float("nan")]},
        {"sw_ver": "\ud800<script>" * 100, "sw_ident": 7},
        {"loadavg": [], "active": None},
    ],
)
def test_an_odd_event_is_stored_without_what_is_odd(db, ear, odd):
    ear.hear({**HEARTBEAT, **odd})
    assert foreign.store(ear.take(), now=NOW) == 1
    assert Worker.objects.count() == 1


def test_twenty_thousand_names_cost_two_thousand_entries(ear):
    for n in range(20_000):
        ear.hear({**HEARTBEAT, "hostname": f"w{n}@there"})
    assert len(ear.take()) == foreign.NAMES_MAX


def test_our_own_worker_replaces_what_was_heard_of_it(db, ear, make_heartbeat):
    ear.hear(HEARTBEAT)
    foreign.store(ear.take(), now=NOW)
    workers.heartbeat(make_heartbeat(hostname="plain@there"), now=NOW)
    assert [row.heard_by for row in Worker.objects.all()] == ["recorder"]
    ear.hear(HEARTBEAT)
    assert foreign.store(ear.take(), now=NOW) == 0


def test_a_redis_that_takes_connections_and_never_answers_is_given_up_and_asked_again(monkeypatch):
    monkeypatch.setattr(foreign, "TIMEOUT", 0.2)
    monkeypatch.setattr(foreign, "WAIT_FIRST", 0.1)
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as mute:

        def take():
            try:
                while True:
                    taken.append(mute.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        ear = Ear(lambda: Celery("unused", broker=url, set_as_current=False))
        ear.start()
        try:
            eventually(lambda: len(taken) > 1, within=30, describe="a second try to connect")
        finally:
            ear.stop(within=60)
            mute.shutdown(socket.SHUT_RDWR)
            for connection in taken:
                connection.close()
    assert not ear.is_listening
    thread.join(10)


@pytest.fixture
def make_heartbeat():
    def make(**fields):
        values = {"instance": uuid.uuid4(), "hostname": "one", "pid": 1, "started_at": NOW, **fields}
        return workers.Heartbeat(**values)

    return make
