"""The page of alerts: what stands, who was told, and silences."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Alert, Change, Notification, Silence
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
    with django_assert_max_num_queries(6 + OF_THE_PERSON):
        client.get(PAGE)


def test_the_overview_counts_what_stands():
    an_alert(a_schedule("Nightly"))
    an_alert(a_schedule("Hourly"), state="ok")
    page = text_of(logged_in("view").get("/"))
    tile = page.partition('href="/alerts/"><span class="tile__label">')[2].partition("</a>")[0]
    assert '<span class="tile__number">1</span>' in tile
