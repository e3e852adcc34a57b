"""Alarms leave the house: e-mail, webhook, signal and ping, each against something real that listens."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core import mail
from django.db import OperationalError
from django.test import override_settings

from schedulerui.facts import Actor
from schedulerui.models import Alert, Notification
from schedulerui.monitor import channels, courier
from schedulerui.monitor.alarms import Alarms, Lasting
from schedulerui.monitor.courier import Courier
from schedulerui.operations import notifications, schedules
from schedulerui.operations.troubles import Findings, Trouble
from schedulerui.signals import alert_changed
from schedulerui.testing import DULL_WEDNESDAY as NOW
from schedulerui.testing import FrozenClock
from tests.waiting import eventually

pytestmark = pytest.mark.django_db
DOWN = Trouble(key="beat", kind="beat", state="down", message="No beat is running: nothing is sent.")


class Listener:
    """An HTTP server that keeps what it was asked and answers as it is told."""

    def __init__(self):
        self.asked: list[tuple[str, str, bytes]] = []
        self.status, self.location, self.n_announced = 200, "", 0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.asked.append((self.command, self.path, body))
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                if listener.n_announced:
                    self.send_header("Content-Length", str(listener.n_announced))
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_args):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def listener():
    listening = Listener()
    yield listening
    listening.close()


@pytest.fixture
def configured():
    """Set the SCHEDULERUI setting for the rest of the test."""
    contexts = []

    def configure(**options):
        context = override_settings(SCHEDULERUI={"CELERY_APP": "tests.celery_app.app", **options})
        context.enable()
        contexts.append(context)

    yield configure
    for context in reversed(contexts):
        context.disable()


@pytest.fixture
def make_overdue(db):
    values = {"name": "Often", "task": "tests.add", "kind": "interval", "every": 1, "period": "minutes"}
    return schedules.create(values, actor=Actor(name="ana"), now=NOW)


def a_message(
    channel: str, *, event: str = "failing", subject: str = "Nightly", **more: object
) -> Notification:
    alert = {
        "key": "schedule:7", "kind": "schedule", "event": "failing", "subject": subject, "schedule": 7, "run": None,
        "message": "The last run failed.", "since": NOW.isoformat(),
    }  # fmt: skip
    return Notification.objects.create(
        key=f"{channel}:{event}",
        channel=channel,
        event=event,
        payload={"alerts": [alert], **more},
        next_try_at=NOW,
        created_at=NOW,
    )


def test_an_email_says_what_since_when_and_where(configured):
    configured(
        ALERTS=[{"type": "email", "name": "mail", "to": ["ops@example.org"]}],
        DASHBOARD_URL="https://s.example/ui",
    )
    channels.deliver(a_message("mail"))
    (message,) = mail.outbox
    assert message.to == ["ops@example.org"]
    assert message.subject == "[schedulerui] Nightly: failing"
    assert "The last run failed." in message.body
    assert "https://s.example/ui/schedules/7/" in message.body


def test_a_name_with_line_breaks_adds_no_header(configured):
    configured(ALERTS=[{"type": "email", "name": "mail", "to": "ops@example.org"}])
    channels.deliver(a_message("mail", subject="a\r\nBcc: everybody@example.org"))
    (message,) = mail.outbox
    assert "\n" not in message.subject
    assert "\nBcc:" not in str(message.message()).partition("\n\n")[0]


def test_a_webhook_gets_json_and_its_headers(configured, listener):
    configured(
        ALERTS=[{"type": "webhook", "name": "chat", "url": f"{listener.url}/hook", "headers": {"X-Key": "1"}}]
    )
    channels.deliver(a_message("chat"))
    ((method, path, body),) = listener.asked
    assert (method, path) == ("POST", "/hook")
    told = json.loads(body)
    assert told["event"] == "failing"
    assert told["alerts"][0]["subject"] == "Nightly"
    assert "Nightly: failing" in told["text"]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("<@U024BE7LH> <#C1>", "&lt;@\u200bU024BE7LH&gt; &lt;#C1&gt;"),
        ("<http://evil.example|the login>", "&lt;http://evil.example|the login&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("R&D @all ops@example.org", "R&amp;D @\u200ball ops@\u200bexample.org"),
        ("[log in](http://evil.example)", "[log in]\u200b(http://evil.example)"),
        ("![x](http://evil.example/x.png)", "![x]\u200b(http://evil.example/x.png)"),
        ("\u202ea\u2066b", "ab"),
    ],
)
def test_a_chat_makes_no_markup_of_a_name_and_calls_nobody(configured, listener, name, seen):
    configured(
        ALERTS=[{"type": "webhook", "name": "chat", "url": listener.url}],
        DASHBOARD_URL="https://s.example/ui/",
    )
    channels.deliver(a_message("chat", subject=name))
    told = json.loads(listener.asked[0][2])
    assert told["text"].splitlines() == [
        f"[schedulerui] {seen}: failing",
        f"{seen}: failing. The last run failed.",
        f"  since {NOW.isoformat()}",
        "  https://s.example/ui/schedules/7/",
    ]
    assert told["mrkdwn"] is False
    assert told["alerts"][0]["subject"] == name, "who reads the fields gets the name as it is"


def test_a_name_with_line_breaks_says_nothing_of_others(configured, listener):
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": listener.url}])
    channels.deliver(a_message("chat", subject="a\r\nBackup: recovered\u2028Payments"))
    lines = json.loads(listener.asked[0][2])["text"].splitlines()
    assert lines[1] == "a Backup: recovered Payments: failing. The last run failed."
    assert len(lines) == 3


@pytest.mark.parametrize("status", [301, 302, 400, 404, 500])
def test_any_answer_but_success_is_a_refusal_that_does_not_tell_the_address(configured, listener, status):
    listener.status, listener.location = status, f"{listener.url}/elsewhere"
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": f"{listener.url}/secret"}])
    with pytest.raises(channels.ChannelError) as refused:
        channels.deliver(a_message("chat"))
    assert str(refused.value) == f"The server answered {status}."
    assert len(listener.asked) == 1


def test_a_server_that_is_not_there_is_a_refusal(configured):
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": "http://127.0.0.1:1/secret"}])
    with pytest.raises(channels.ChannelError) as refused:
        channels.deliver(a_message("chat"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 one\r\n\r\n", b"", b"HTTP/1.1 200 " + b"x" * 70_000]
)
def test_what_is_no_answer_of_http_is_a_refusal(configured, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        configured(
            ALERTS=[
                {
                    "type": "webhook",
                    "name": "chat",
                    "url": f"http://127.0.0.1:{server.getsockname()[1]}/secret",
                }
            ]
        )

        def say():
            asking, _address = server.accept()
            with asking, suppress(OSError):  # who asked may have heard enough
                asking.recv(65_536)
                asking.sendall(answer)

        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        with pytest.raises(channels.ChannelError) as refused:
            channels.deliver(a_message("chat"))
        saying.join(60)
    assert "secret" not in str(refused.value)


def test_a_body_that_never_ends_is_not_waited_for(configured, listener):
    listener.n_announced = 10**9
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": listener.url}])
    channels.deliver(a_message("chat"))
    assert len(listener.asked) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "webhook", "url": "http://127.0.0.1:1/a secret"},
        {"type": "webhook", "url": "http://127.0.0.1:1/", "headers": {"X-Key": "secret\n"}},
        {"type": "webhook", "headers": "secret"},
        {"type": "email"},
    ],
    ids=["address", "header", "no address", "nobody"],
)
def test_a_channel_that_the_settings_describe_wrongly_is_given_up_and_says_nothing_of_its_secrets(
    configured, wrong
):
    configured(ALERTS=[{"name": "chat", **wrong}])
    message = a_message("chat")
    for days in range(len(notifications.WAITS) + 1):
        assert courier.send(NOW + timedelta(days=days)) == 1
    message.refresh_from_db()
    assert message.state == "failed"
    assert message.error
    assert "secret" not in message.error


def test_a_receiver_gets_the_signal_and_one_that_raises_is_a_refusal(configured):
    configured(ALERTS=[{"type": "signal", "name": "host"}])
    got = []

    def receive(sender, *, event, alerts, **_more):
        got.append((event, alerts[0]["subject"]))

    def fail(sender, **_more):
        raise RuntimeError("no")

    alert_changed.connect(receive)
    try:
        channels.deliver(a_message("host"))
        assert got == [("failing", "Nightly")]
        alert_changed.connect(fail)
        with pytest.raises(channels.ChannelError, match="RuntimeError: no"):
            channels.deliver(a_message("host", event="late"))
    finally:
        alert_changed.disconnect(receive)
        alert_changed.disconnect(fail)


def test_a_receiver_that_raises_a_secret_does_not_have_it_shown(configured):
    configured(ALERTS=[{"type": "signal", "name": "host"}])

    def fail(sender, **_more):
        raise RuntimeError("no way in with token=hunter2 at amqp://ana:hunter2@mq//")

    message = a_message("host")
    alert_changed.connect(fail)
    try:
        assert courier.send(NOW) == 1
    finally:
        alert_changed.disconnect(fail)
    message.refresh_from_db()
    assert message.error == "RuntimeError: no way in with token=*** at amqp://ana:***@mq//"


@pytest.mark.parametrize(
    ("event", "path"), [("start", "/abc/start"), ("success", "/abc"), ("fail", "/abc/fail")]
)
def test_a_ping_asks_the_address_of_its_event(configured, listener, event, path):
    configured(PING_URLS={"Nightly": f"{listener.url}/abc"})
    channels.deliver(a_message("ping", event=event, schedule="Nightly"))
    assert [(method, asked) for method, asked, _body in listener.asked] == [("GET", path)]


@pytest.mark.parametrize("channel", ["mail", "ping"])
def test_a_message_to_a_channel_that_the_settings_no_longer_name_is_given_up(configured, channel):
    configured()
    message = a_message(channel, schedule="Nightly")
    assert courier.send(NOW) == 1
    message.refresh_from_db()
    assert (message.state, message.error) == ("failed", notifications.GONE)


def test_no_file_can_be_named_as_a_webhook():
    assert channels.problems([{"type": "webhook", "url": "file:///etc/passwd"}]) == [
        "The address of the channel webhook-1 is neither http nor https."
    ]
    with pytest.raises(channels.ChannelError, match="neither http nor https"):
        channels._request("file:///etc/passwd")


def test_what_a_channel_lacks_is_said():
    assert channels.problems([{"type": "email"}, {"type": "pigeon", "name": "coo"}]) == [
        "The channel email-1 lacks 'to'.",
        "The channel coo has the type 'pigeon'; known are email, signal, webhook.",
    ]


def test_a_refused_message_waits_in_the_outbox_and_goes_when_the_server_is_back(configured, listener):
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": listener.url}])
    a_message("chat")
    listener.status = 503
    assert courier.send(NOW) == 1
    stored = Notification.objects.get()
    assert (stored.state, stored.error) == ("waiting", "The server answered 503.")
    listener.status = 200
    assert courier.send(NOW + timedelta(seconds=30)) == 1
    assert Notification.objects.get().state == "sent"


def test_a_ping_that_was_refused_is_not_sent_after_a_newer_one(configured, listener):
    configured(PING_URLS={"Nightly": listener.url + "/abc"})
    listener.status = 503
    start = a_message("ping", event="start", schedule="Nightly")
    assert courier.send(NOW) == 1
    listener.status = 200
    a_message("ping", event="success", schedule="Nightly")
    a_message("ping", event="fail", schedule="Other")
    assert courier.send(NOW + timedelta(seconds=30), limit=1) == 1
    assert courier.send(NOW + timedelta(seconds=60)) == 2
    start.refresh_from_db()
    assert (start.state, start.error) == ("failed", "A newer message about it was faster.")
    assert [path for _method, path, _body in listener.asked] == ["/abc/start", "/abc"]


def test_nobody_hears_of_a_trouble_after_its_recovery(configured, listener):
    configured(ALERTS=[{"type": "webhook", "name": "chat", "url": listener.url}])
    alert = Alert.objects.create(key="beat", kind="beat", state="down", since=NOW)
    other = Alert.objects.create(key="queue:a", kind="queue", state="down", since=NOW)
    listener.status = 503
    for about in (alert, other):
        message = a_message("chat", event="down")
        Notification.objects.filter(pk=message.pk).update(alert=about, key=about.key)
    courier.send(NOW)
    listener.status = 200
    recovered = a_message("chat", event="recovered")
    Notification.objects.filter(pk=recovered.pk).update(alert=alert)
    courier.send(NOW + timedelta(seconds=20))
    courier.send(NOW + timedelta(seconds=30))
    told = Notification.objects.order_by("pk").values_list("alert__key", "event", "state")
    assert list(told) == [
        ("beat", "down", "failed"),
        ("queue:a", "down", "sent"),
        ("beat", "recovered", "sent"),
    ]


@pytest.mark.django_db(transaction=True)
def test_the_courier_sends_in_a_thread_of_its_own_and_outlives_a_database_that_is_away(
    configured, monkeypatch
):
    configured(ALERTS=[{"type": "signal", "name": "code"}], MONITOR_EVERY=0.05)
    told, failures = [], [OperationalError("away")]
    claim = notifications.claim

    def faulty(**options):
        if failures:
            raise failures.pop()
        return claim(**options)

    def receive(*, alerts, **_more):
        told.append((threading.current_thread().name, alerts[0]["subject"]))

    monkeypatch.setattr(notifications, "claim", faulty)
    alert_changed.connect(receive)
    carrying = Courier(FrozenClock(NOW))
    a_message("code")
    carrying.start()
    try:
        eventually(lambda: Notification.objects.filter(state="sent").exists(), within=60)
    finally:
        carrying.stop()
        alert_changed.disconnect(receive)
    assert told == [("schedulerui-courier", "Nightly")]


def test_only_what_lasts_is_an_alarm():
    lasting = Lasting()
    found = Findings(troubles=(DOWN,))
    assert lasting.of(found, now=NOW).troubles == ()
    assert lasting.of(found, now=NOW + timedelta(seconds=29)).troubles == ()
    assert lasting.of(found, now=NOW + timedelta(seconds=30)).troubles == (DOWN,)
    assert lasting.of(Findings(), now=NOW + timedelta(seconds=31)).troubles == ()
    assert lasting.of(found, now=NOW + timedelta(seconds=32)).troubles == ()


def test_a_monitor_that_has_just_started_takes_no_alarm_back(configured):
    configured()
    Alert.objects.create(key="beat", kind="beat", state="down", since=NOW)
    first = Lasting().of(Findings(troubles=(DOWN,)), now=NOW)
    assert first.is_complete is False


def test_three_monitors_tell_of_a_missing_beat_once(configured, make_overdue):
    configured(ALERTS=[{"type": "email", "name": "mail", "to": "ops@example.org"}])
    monitors = [Alarms(queue_of=lambda asked: asked.queue or "celery") for _n in range(3)]
    for second in range(0, 60, 5):
        for monitor in monitors:
            moment = NOW + timedelta(seconds=second)
            monitor.look_at_processes(moment)
            monitor.tell(moment)
            courier.send(moment)
    assert sorted(message.subject for message in mail.outbox) == [
        "[schedulerui] beat: down",
        "[schedulerui] celery: down",
    ]
