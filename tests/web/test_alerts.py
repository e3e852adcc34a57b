"""The page of alerts: what stands, who was told, and silences."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings

from schedulerui import clock
from schedulerui.models import Alert, Change, Finding, Notification, Silence
from schedulerui.monitor import courier
from tests.web.people import HOSTILE, OF_THE_PERSON, a_schedule, check_gate, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
PAGE = "/alerts/"


def an_alert(schedule=None, **fields):
    key = f"schedule:{schedule.pk}" if schedule else "beat"
    kind = "schedule" if schedule else "beat"
    values = {
        "state": "failing" if schedule else "down",
        "message": "The last run failed.",
        "since": clock.now(),
    }
    return Alert.objects.create(key=key, kind=kind, schedule=schedule, **(values | fields))


def test_it_is_for_those_who_may_view():
    check_gate(PAGE, verb="view")
    check_methods(PAGE, "POST", "PUT", "DELETE")


def test_without_alerts_it_says_so_and_how_to_be_told():
    page = text_of(logged_in("view").get(PAGE))
    assert "Nothing is late, failing or down." in page
    assert "No channel is configured" in page


def test_it_shows_what_stands_and_what_has_recovered():
    an_alert(a_schedule("Nightly"))
    an_alert(a_schedule("Hourly"), state="ok")
    page = text_of(logged_in("view").get(PAGE))
    standing, recovered = page.split("Recovered last")
    assert "Nightly" in standing
    assert "nobody was told" in standing
    assert "Hourly" in recovered


def test_it_shows_messages_and_why_one_was_not_taken():
    Notification.objects.create(
        key="a", channel="chat", event="failing", state="failed", error="The server answered 503.",
        payload={"alerts": [{"subject": "Nightly"}]}, next_try_at=clock.now(), created_at=clock.now(),
    )  # fmt: skip
    page = text_of(logged_in("view").get(PAGE))
    assert "The server answered 503." in page
    assert "Not taken" in page


def a_message(channel, *, state, age=0, error="", key=None):
    at = clock.now() - timedelta(minutes=age)
    sent_at = at if state == "sent" else None
    return Notification.objects.create(
        key=key or f"{channel}:{state}:{age}", channel=channel, event="failing", state=state, error=error,
        payload={"alerts": [{"subject": "Nightly"}]}, next_try_at=at, created_at=at, sent_at=sent_at,
    )  # fmt: skip


@pytest.fixture
def configured():
    """Channels as a host names them."""
    ways = [
        {"type": "webhook", "name": "chat", "url": "http://127.0.0.1:1/secret"},
        {"type": "email", "name": "mail", "to": "ops@example.org"},
        {"type": "signal", "name": "code"},
    ]
    with override_settings(SCHEDULERUI={"CELERY_APP": "tests.celery_app.app", "ALERTS": ways}):
        yield


def test_each_channel_says_whether_it_takes_messages_and_not_where_it_is(configured):
    a_message("chat", state="sent", age=9)
    a_message("chat", state="waiting", age=5, error="The server answered 503.")
    a_message("mail", state="failed", age=9, error="refused")
    a_message("mail", state="sent", age=5)
    page = text_of(logged_in("view").get(PAGE))
    chat, mail, code = (
        page.partition("channels-title")[2].partition('id="messages-title"')[0].split("<li")[1:]
    )
    assert "Refuses messages" in chat
    assert "The server answered 503." in chat
    assert "1 message waits" in chat
    assert "Takes messages" in mail
    assert "refused" not in mail
    assert "Not used yet" in code
    assert "secret" not in page


def test_it_says_when_no_monitor_looks():
    told = "No monitor has looked for minutes"
    assert told in text_of(logged_in("view").get(PAGE))
    Finding.objects.create(kind="overdue", checked_at=clock.now())
    assert told not in text_of(logged_in("view").get(PAGE))


def test_it_answers_a_poll_with_nothing_until_something_changes():
    client = logged_in("view")
    Finding.objects.create(kind="overdue", checked_at=clock.now())
    since = client.get(PAGE).context["since"]
    asked = {"HX-Request": "true"}
    assert client.get(f"{PAGE}?since={since}", headers=asked).status_code == 204
    an_alert(a_schedule("Nightly"))
    part = text_of(client.get(f"{PAGE}?since={since}", headers=asked))
    assert "Nightly" in part
    assert "<html" not in part
    assert "Tell nobody" not in part


def test_an_operator_tries_each_channel_once_a_click(configured):
    assert logged_in("view").post("/alerts/try/").status_code == 403
    client = logged_in("view", "operate")
    answer = client.post("/alerts/try/", follow=True)
    assert "A test is on its way" in text_of(answer)
    assert sorted(Notification.objects.values_list("channel", "event")) == [
        ("chat", "test"), ("code", "test"), ("mail", "test"),
    ]  # fmt: skip
    assert Change.objects.get(action="try_channels").note == "chat, mail, code"
    assert courier.send(clock.now()) == 3
    assert mail.outbox[0].subject == "[schedulerui] A message to try the channel: test"
    assert "Nothing is wrong." in mail.outbox[0].body


def test_one_person_tries_the_channels_three_times_a_minute(configured, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    client, other = logged_in("view", "operate"), logged_in("view", "operate")
    for _n in range(3):
        assert client.post("/alerts/try/").status_code == 303
        now += timedelta(seconds=10)
    refused = client.post("/alerts/try/")
    assert (refused.status_code, refused["Retry-After"]) == (429, "30")
    assert "You have sent 3 tests within a minute" in text_of(refused)
    assert "in 30 seconds" in text_of(refused)
    assert other.post("/alerts/try/").status_code == 303, "somebody else may"
    assert Notification.objects.count() == 4 * 3
    now += timedelta(seconds=30)
    assert client.post("/alerts/try/").status_code == 303
    assert client.post("/alerts/try/").status_code == 429, "the first of the three alone is a minute ago"


def test_without_channels_there_is_none_to_try():
    client = logged_in("view", "operate")
    assert "Send a test" not in text_of(client.get(PAGE))
    client.post("/alerts/try/")
    assert not Notification.objects.exists()


def test_an_operator_silences_everything_and_ends_it():
    client = logged_in("view", "operate")
    answer = client.post("/alerts/silence/", {"span": "3600", "reason": "deploy"})
    assert (answer.status_code, answer["Location"]) == (303, "/alerts/#silences")
    silence = Silence.objects.get()
    assert timedelta(minutes=59) < silence.ends_at - clock.now() <= timedelta(hours=1)
    assert "deploy" in text_of(client.get(PAGE))
    assert client.post(f"/alerts/silence/{silence.pk}/end/").status_code == 303
    assert "deploy" not in text_of(client.get(PAGE)).partition("Silences</h2>")[2].partition("<form")[0]
    assert Change.objects.filter(action__in=["silence", "unsilence"]).count() == 2


def test_one_schedule_can_be_silenced_from_its_line():
    schedule = a_schedule("Nightly")
    an_alert(schedule)
    client = logged_in("view", "operate")
    assert f"?schedule={schedule.pk}#silences" in text_of(client.get(PAGE))
    assert "About <strong>Nightly</strong> alone." in text_of(client.get(PAGE, {"schedule": schedule.pk}))
    client.post("/alerts/silence/", {"span": "3600", "reason": "", "schedule": schedule.pk})
    assert Silence.objects.get().schedule == schedule


@pytest.mark.parametrize("span", ["", "0", "-1", "99999999999", "x", "3601"])
def test_a_span_that_is_not_offered_is_refused_at_its_field(span):
    answer = logged_in("view", "operate").post("/alerts/silence/", {"span": span, "reason": "kept"})
    assert answer.status_code == 422
    assert "kept" in text_of(answer)
    assert not Silence.objects.exists()


@pytest.mark.parametrize("named", ["x", "0", "9" * 30, "-1", "٣"])
def test_a_schedule_that_does_not_exist_is_404(named):
    client = logged_in("view", "operate")
    assert client.post("/alerts/silence/", {"span": "3600", "schedule": named}).status_code == 404
    assert client.get(PAGE, {"schedule": named}).status_code == 404


def test_a_reader_sees_silences_and_cannot_set_them():
    client = logged_in("view")
    assert "Tell nobody" not in text_of(client.get(PAGE))
    assert client.post("/alerts/silence/", {"span": "3600"}).status_code == 403
    silence = Silence.objects.create(
        starts_at=clock.now(),
        ends_at=clock.now() + timedelta(hours=1),
        created_at=clock.now(),
        reason="deploy",
    )
    assert client.post(f"/alerts/silence/{silence.pk}/end/").status_code == 403
    assert "deploy" in text_of(client.get(PAGE))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    an_alert(a_schedule(text[:190]), message=text)
    Alert.objects.create(key=f"queue:{text}", kind="queue", state="down", message=text, since=clock.now())
    Notification.objects.create(
        key="a", channel=text[:60], event="failing", state="failed", error=text,
        payload={"alerts": [{"subject": text}]}, next_try_at=clock.now(), created_at=clock.now(),
    )  # fmt: skip
    page = text_of(logged_in("view").get(PAGE))
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_it_asks_a_fixed_number_of_queries(django_assert_max_num_queries):
    client = logged_in("view", "operate")
    for n in range(30):
        an_alert(a_schedule(f"s{n}"))
    with django_assert_max_num_queries(8 + OF_THE_PERSON):
        client.get(PAGE)


def test_the_overview_counts_what_stands():
    an_alert(a_schedule("Nightly"))
    an_alert(a_schedule("Hourly"), state="ok")
    page = text_of(logged_in("view").get("/"))
    tile = page.partition('href="/alerts/"><span class="tile__label">')[2].partition("</a>")[0]
    assert '<span class="tile__number">1</span>' in tile
