"""Several real monitors at once: one message for each change, and no memory for floods."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis
from celery.events import EventDispatcher

from schedulerui import clock
from schedulerui.facts import Actor
from schedulerui.models import Alert, Beat, Notification, ScheduleState, Worker
from schedulerui.operations import schedules
from tests.service.recording import app, broker_url, environment, new_postgres, start_monitor
from tests.waiting import eventually

__all__ = ["app", "broker_url", "environment", "start_monitor"]

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]
N_NAMES, N_TASKS = 20_000, 100_000
"""Task events are not bound, so that their number costs the monitor nothing; these prove it."""


@pytest.fixture
def database_url(postgres):
    return new_postgres(postgres)


@pytest.fixture
def told():
    """What a webhook was told, in order: a real server."""
    bodies: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    bodies_of = type(
        "Told", (), {"bodies": bodies, "url": f"http://127.0.0.1:{server.server_address[1]}/hook"}
    )
    yield bodies_of
    server.shutdown()
    server.server_close()
    thread.join()


def a_beat_ticks():
    now = clock.now()
    Beat.objects.update_or_create(host="one", pid=1, defaults={"started_at": now, "seen_at": now})


def the_last_run(schedule, state, streak):
    ScheduleState.objects.filter(schedule=schedule).update(last_state=state, failure_streak=streak)


def test_three_monitors_tell_of_each_change_once(start_monitor, told):
    values = {"name": "Nightly", "task": "rec.add", "kind": "crontab", "expression": "30 2 * * *"}
    schedule = schedules.create(values, actor=Actor(name="ana"), now=clock.now())
    a_beat_ticks()
    options = {
        "MONITOR_EVERY": 0.2, "BEAT_STALE_AFTER": 1.0, "ALERT_AFTER": 3600.0,
        "ALERTS": [{"type": "webhook", "name": "hook", "url": told.url}],
    }  # fmt: skip
    monitors = [start_monitor(**options) for _n in range(3)]
    for monitor in monitors:
        monitor.wait_for("the monitor has started", within=120)
    the_last_run(schedule, "failed", 1)
    eventually(lambda: told.bodies, within=90)
    the_last_run(schedule, "succeeded", 0)
    eventually(lambda: len(told.bodies) > 1, within=90)
    the_last_run(schedule, "lost", 1)
    eventually(lambda: len(told.bodies) > 2, within=90)
    monitors[0].kill9()
    the_last_run(schedule, "succeeded", 0)
    eventually(lambda: len(told.bodies) > 3, within=90)
    assert [body["event"] for body in told.bodies] == ["failing", "recovered", "failing", "recovered"]
    assert len({body["id"] for body in told.bodies}) == 4
    assert all(body["alerts"][0]["subject"] == "Nightly" for body in told.bodies)
    assert Alert.objects.get().state == "ok"
    assert Notification.objects.count() == 4


@pytest.mark.timeout(900)  # a hundred and twenty thousand messages on a busy machine
def test_a_flood_of_events_costs_little_memory(start_monitor, app, broker_url):
    monitor = start_monitor(MONITOR_EVERY=0.5)
    monitor.wait_for("the monitor has started", within=120)
    with (
        app.connection_for_write() as connection,
        EventDispatcher(connection, enabled=True, app=app) as events,
    ):
        producer = app.amqp.Producer(connection)

        def tell(hostname, event, **fields):
            events.hostname = hostname
            events.publish(event, fields, producer=producer)

        def heard():
            tell("first@there", "worker-heartbeat")
            return Worker.objects.filter(hostname="first@there").exists()

        eventually(heard, within=90)
        before = memory_of(monitor.pid)
        with overheard(broker_url) as catch:
            heartbeat = catch(lambda: tell("NAME@there", "worker-heartbeat"))
            received = catch(lambda: tell("first@there", "task-received", uuid="NAME"))
        flood(broker_url, heartbeat, names=(f"w{n}" for n in range(N_NAMES)))
        flood(broker_url, received, names=(f"id-{n}" for n in range(N_TASKS)))
        eventually(lambda: Worker.objects.filter(hostname__startswith="w").count() >= 1_000, within=180)
        Worker.objects.filter(hostname="first@there").delete()
        eventually(heard, within=180)
    assert monitor.is_running
    assert memory_of(monitor.pid) - before < 300
    # At most this many are heard between two rounds of the monitor; more rounds hear more, and the day's purge bounds them.
    assert Worker.objects.count() <= N_NAMES + 1


@contextlib.contextmanager
def overheard(url: str):
    """Give a function that returns the channel and the text of the message that an action publishes."""
    with redis.Redis.from_url(unix(url)) as client, client.pubsub(ignore_subscribe_messages=True) as ear:
        ear.psubscribe("*")
        ear.get_message(timeout=5)

        def catch(action):
            action()
            return eventually(lambda: named(ear.get_message(timeout=1)), within=90)

        yield catch


def named(message):
    """The channel and the parts of a message that tells of NAME; nothing for any other."""
    if message is None:
        return None
    told = json.loads(message["data"])
    body = base64.b64decode(told["body"]).decode()
    return (message["channel"], told, body) if "NAME" in body else None


def unix(url: str) -> str:
    """Kombu's address of a socket as Redis' own client calls it."""
    return url.replace("redis+socket:", "unix:").partition("?")[0]


def flood(url: str, message, *, names) -> None:
    """Publish a message once for each name: the client that Celery has would take minutes for so many."""
    channel, told, body = message
    with redis.Redis.from_url(unix(url)) as client:
        while some := list(itertools.islice(names, 1_000)):
            pipe = client.pipeline(transaction=False)
            for name in some:
                told["body"] = base64.b64encode(body.replace("NAME", name).encode()).decode()
                pipe.publish(channel, json.dumps(told))
            pipe.execute()


def memory_of(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kibibytes) / 1024
