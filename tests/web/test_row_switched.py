"""A row that was just switched says when that takes effect, until a beat has ticked; no other row does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Beat
from schedulerui.presenters.unseen import mark_of, switched_at
from tests.web.people import OF_THE_PERSON, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
NEXT_TICK = "takes effect at beat&#x27;s next tick, within 1 s"
AT = datetime(2026, 11, 18, 9, 36, tzinfo=UTC)


@pytest.fixture
def operator():
    return logged_in("view", "operate")


def a_beat(*, seconds_ago=0.0):
    at = clock.now() - timedelta(seconds=seconds_ago)
    return Beat.objects.create(host="app-1", pid=1, started_at=at, seen_at=at)


def ticks(beat):
    Beat.objects.filter(pk=beat.pk).update(seen_at=clock.now())


def switch(person, schedule, verb="disable"):
    """Turn the switch; return the row, and what the browser then has of it."""
    text = text_of(person.post(f"/schedules/{schedule.pk}/{verb}/", headers=HTMX))
    digest = re.findall(r'data-v="([^"]*)"', text)[0]
    return text, f"schedule-{schedule.pk}:{digest}"


def poll(person, have):
    return person.get("/live/schedules/", {"have": f"{have},news:0", "newest": "999999"}, headers=HTMX)


def test_the_row_waits_for_a_tick_and_the_poll_then_draws_it_anew(operator, django_assert_num_queries):
    beat, schedule, other = a_beat(), a_schedule("Switched"), a_schedule("Other")
    page = text_of(operator.get("/schedules/"))
    other_has = re.findall(rf'id="schedule-{other.pk}" data-v="([^"]*)"', page)[0]
    text, has = switch(operator, schedule)
    assert NEXT_TICK in text
    have = f"{has},schedule-{other.pk}:{other_has}"
    with django_assert_num_queries(1 + OF_THE_PERSON):
        assert poll(operator, have).status_code == 204
    ticks(beat)
    with django_assert_num_queries(1 + OF_THE_PERSON):
        answer = text_of(poll(operator, have))
    assert f'id="schedule-{schedule.pk}"' in answer
    assert "takes effect" not in answer
    assert "Other" not in answer


def test_it_says_that_no_beat_runs_and_when_one_does_again(operator):
    beat, schedule = a_beat(seconds_ago=600), a_schedule()
    text, has = switch(operator, schedule)
    assert "takes effect when a beat runs" in text
    assert poll(operator, has).status_code == 204
    ticks(beat)
    assert "takes effect" not in text_of(poll(operator, has))


def test_a_beat_that_stops_before_it_ticked_is_told(operator, settings):
    a_beat(seconds_ago=1)
    schedule = a_schedule()
    _text, has = switch(operator, schedule)
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "BEAT_STALE_AFTER": 0.001}
    assert "takes effect when a beat runs" in text_of(poll(operator, has))


def test_a_switch_that_was_there_already_and_a_fresh_page_say_nothing(operator):
    a_beat()
    schedule = a_schedule()
    text, _has = switch(operator, schedule, "enable")
    assert "takes effect" not in text
    assert "takes effect" not in text_of(operator.get("/schedules/"))


@pytest.mark.parametrize(
    "digest", ["", "abc", "abc.", "abc.1", "abc.12345678901234567890", ".1763746000123", "abc.1763746000123x"]
)
def test_a_digest_without_a_mark_tells_of_no_switch(digest):
    assert switched_at(digest) is None


def test_a_mark_keeps_the_moment_of_the_switch():
    assert switched_at("0a1b" + mark_of(AT, seen_at=AT, now=AT)) == AT
    assert switched_at("0a1b" + mark_of(AT, seen_at=None, now=AT)) == AT
    assert mark_of(AT, seen_at=AT + timedelta(seconds=1), now=AT) == ""
