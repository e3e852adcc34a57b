"""Alerts flip once, are told once, are reminded of daily, and keep still in a silence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Alert, Beat, Change, Notification, Run, Schedule, ScheduleState, Silence
from schedulerui.operations import alerts, notifications, schedules, silences, troubles
from schedulerui.operations.troubles import Findings
from schedulerui.testing import DULL_WEDNESDAY as NOW
from tests.web.people import a_run

pytestmark = pytest.mark.django_db
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def beat(db):
    return Beat.objects.create(host="one", pid=1, started_at=NOW, seen_at=NOW)


@pytest.fixture
def failing(make_schedule):
    def fail(schedule: Schedule | None = None, *, streak: int = 1) -> Schedule:
        schedule = schedule or make_schedule()
        run = a_run(schedule, state="failed", due_at=NOW)
        ScheduleState.objects.filter(schedule=schedule).update(
            last_state="failed", failure_streak=streak, last_run_id=run.pk
        )
        return schedule

    return fail


def succeed(schedule: Schedule) -> None:
    ScheduleState.objects.filter(schedule=schedule).update(last_state="succeeded", failure_streak=0)


def look(now=NOW, *, channels=("mail",)) -> list[tuple[str, str]]:
    """One monitor's round; returns what it put into the outbox, subject and event."""
    known = set(Notification.objects.values_list("pk", flat=True))
    alerts.observe(troubles.of_schedules(now=now), kind="schedule", now=now)
    alerts.tell(channels=channels, now=now)
    alerts.remind(channels=channels, now=now)
    fresh = Notification.objects.exclude(pk__in=known).order_by("pk")
    return [(row.payload["alerts"][0]["subject"], row.event) for row in fresh]


def test_a_failure_is_told_once_whoever_notices(failing):
    schedule = failing()
    assert look() == [(schedule.name, "failing")]
    assert [look(), look(NOW + MINUTE)] == [[], []]


def test_a_recovery_is_told_once(failing):
    schedule = failing()
    look()
    succeed(schedule)
    assert look(NOW + MINUTE) == [(schedule.name, "recovered")]
    assert look(NOW + 2 * MINUTE) == []


def test_a_run_that_begins_after_a_failure_is_no_recovery(failing):
    schedule = failing()
    look()
    ScheduleState.objects.filter(schedule=schedule).update(last_state="started")
    assert look(NOW + MINUTE) == []
    assert Alert.objects.get().state == "failing"


def test_a_schedule_goes_from_late_to_failing_with_a_message_each(make_schedule, failing, settings, beat):
    schedule = make_schedule()
    a_run(schedule, state="sent", due_at=NOW - timedelta(minutes=6))
    assert look() == [(schedule.name, "late")]
    assert "no worker has begun it" in Alert.objects.get().message
    failing(schedule)
    assert look(NOW + SECOND) == [(schedule.name, "failing")]


def test_what_flipped_back_before_anybody_was_told_is_not_told(failing):
    schedule = failing()
    alerts.observe(troubles.of_schedules(now=NOW), kind="schedule", now=NOW)
    succeed(schedule)
    assert look(NOW + SECOND) == []


def test_it_is_said_again_after_a_day_and_once(failing):
    schedule = failing()
    look()
    assert look(NOW + DAY - SECOND) == []
    assert look(NOW + DAY) == [(schedule.name, "reminder")]
    assert look(NOW + DAY + SECOND) == []
    assert look(NOW + 2 * DAY) == [(schedule.name, "reminder")]


def test_a_message_goes_to_each_channel(failing):
    failing()
    look(channels=("mail", "chat"))
    assert sorted(Notification.objects.values_list("channel", flat=True)) == ["chat", "mail"]


def test_many_alerts_at_once_are_one_message(failing):
    for _n in range(11):
        failing()
    look()
    message = Notification.objects.get()
    assert message.event == "several"
    assert len(message.payload["alerts"]) == 11


def test_a_message_holds_no_values(failing):
    schedule = failing()
    Run.objects.filter(schedule=schedule).update(
        args=["sesame"], kwargs={"k": "sesame"}, result="sesame", exception="sesame", traceback="sesame"
    )
    look()
    assert "sesame" not in str(Notification.objects.get().payload)


def test_nothing_is_told_in_a_silence_and_what_is_still_wrong_after_it(failing, actor):
    schedule = failing()
    silences.add(ends_at=NOW + MINUTE, reason="deploy", actor=actor, now=NOW)
    assert look() == []
    assert Alert.objects.get().state == "failing"
    assert look(NOW + MINUTE) == [(schedule.name, "failing")]


def test_a_silence_of_one_schedule_leaves_the_others_loud(failing, actor):
    quiet, loud = failing(), failing()
    silences.add(ends_at=NOW + MINUTE, reason="", actor=actor, now=NOW, schedule=quiet)
    assert look() == [(loud.name, "failing")]


def test_a_silence_is_audited_and_can_be_ended(failing, actor):
    failing()
    silence = silences.add(ends_at=NOW + DAY, reason="deploy", actor=actor, now=NOW)
    assert silences.end(silence.pk, actor=actor, now=NOW + MINUTE) is True
    assert silences.end(silence.pk, actor=actor, now=NOW + MINUTE) is False
    assert len(look(NOW + MINUTE)) == 1
    assert list(Change.objects.order_by("pk").values_list("action", flat=True))[-2:] == [
        "silence",
        "unsilence",
    ]


@pytest.mark.parametrize("ends_in", [timedelta(0), -MINUTE, timedelta(days=31)])
def test_a_silence_that_cannot_be_is_refused(actor, ends_in):
    with pytest.raises(silences.InvalidSilence):
        silences.add(ends_at=NOW + ends_in, reason="", actor=actor, now=NOW)
    assert not Silence.objects.exists()


def test_a_schedule_that_is_switched_off_is_no_alert_any_more(failing, actor):
    schedule = failing()
    look()
    schedules.disable(schedule.pk, actor=actor, now=NOW)
    look(NOW + MINUTE)
    assert Alert.objects.get().state == "ok"


def test_overdue_schedules_are_late_only_while_a_beat_ticks(make_schedule, beat):
    schedule = make_schedule()
    late = schedule.next_run_at + timedelta(minutes=6)
    assert look(late) == []
    Beat.objects.update(seen_at=late)
    assert look(late) == [(schedule.name, "late")]


def test_a_schedule_may_have_a_grace_of_its_own(make_schedule, beat):
    a_run(make_schedule(alert_grace=20), state="sent", due_at=NOW - timedelta(seconds=21))
    a_run(make_schedule(alert_grace=22), state="sent", due_at=NOW - timedelta(seconds=21))
    assert len(look()) == 1


def test_a_run_that_takes_too_long_is_late(make_schedule):
    schedule = make_schedule(max_duration=60)
    a_run(schedule, state="started", started_at=NOW - timedelta(seconds=61))
    assert look() == [(schedule.name, "late")]
    assert "longer than 60 s" in Alert.objects.get().message


def test_a_look_that_did_not_see_all_calls_nothing_recovered(failing):
    failing()
    look()
    assert alerts.observe(Findings(is_complete=False), kind="schedule", now=NOW) == 0
    assert alerts.observe(Findings(), kind="schedule", now=NOW) == 1


def test_schedules_without_a_beat_are_one_trouble(make_schedule):
    assert troubles.of_beats(now=NOW).troubles == ()
    make_schedule()
    assert [trouble.message for trouble in troubles.of_beats(now=NOW).troubles] == [
        "No beat is running: nothing is sent."
    ]


def test_a_beat_that_ticks_and_cannot_work_is_a_trouble_with_its_reason(make_schedule, beat):
    make_schedule()
    assert troubles.of_beats(now=NOW).troubles == ()
    Beat.objects.update(degraded="broker: refused")
    assert "broker: refused" in troubles.of_beats(now=NOW).troubles[0].message
    Beat.objects.update(degraded="")
    assert "since 2026" in troubles.of_beats(now=NOW + MINUTE).troubles[0].message


def test_a_queue_that_no_living_worker_takes_from_is_a_trouble(make_schedule, make_worker):
    make_schedule(queue="reports")
    make_schedule()
    found = troubles.of_queues(default_queue="celery", now=NOW)
    assert [trouble.key for trouble in found.troubles] == ["queue:celery", "queue:reports"]
    make_worker(instance="b6a0d1de-53c1-4d43-9c44-8f8c2c6f9f3a", queues=["celery"])
    found = troubles.of_queues(default_queue="celery", now=NOW)
    assert [trouble.key for trouble in found.troubles] == ["queue:reports"]
    assert "no worker that is online takes from it" in found.troubles[0].message


def test_a_worker_that_has_not_told_its_queues_might_take_from_any(make_schedule, make_worker):
    make_schedule(queue="reports")
    make_worker(instance="b6a0d1de-53c1-4d43-9c44-8f8c2c6f9f3a", queues=[])
    assert troubles.of_queues(default_queue="celery", now=NOW).troubles == ()


def test_a_message_belongs_to_one_monitor_at_a_time(failing):
    failing()
    look()
    assert len(notifications.claim(now=NOW)) == 1
    assert notifications.claim(now=NOW) == []
    assert len(notifications.claim(now=NOW + notifications.LEASE)) == 1


def test_a_refused_message_is_tried_again_later_and_given_up_in_the_end(failing):
    failing()
    look()
    moment = NOW
    for wait in notifications.WAITS:
        (message,) = notifications.claim(now=moment)
        notifications.refused(message, error="nobody there", now=moment)
        assert notifications.claim(now=moment + timedelta(seconds=wait - 1)) == []
        moment += timedelta(seconds=wait)
    (message,) = notifications.claim(now=moment)
    notifications.refused(message, error="nobody there", now=moment)
    stored = Notification.objects.get()
    assert (stored.state, stored.error, stored.tries) == ("failed", "nobody there", 5)


def test_each_start_and_end_is_pinged_once(make_schedule):
    schedule = make_schedule(name="Nightly")
    make_schedule(name="Other")
    a_run(schedule, state="succeeded", due_at=NOW - MINUTE)
    running = a_run(schedule, state="started", due_at=NOW)
    urls = {"Nightly": "https://ping.example/abc"}
    assert notifications.note_pings(urls, now=NOW) == 2
    assert notifications.note_pings(urls, now=NOW) == 0
    Run.objects.filter(pk=running.pk).update(state="failed")
    assert notifications.note_pings(urls, now=NOW) == 1
    assert list(Notification.objects.order_by("pk").values_list("event", flat=True)) == [
        "success",
        "start",
        "fail",
    ]


def test_old_messages_and_windows_go(failing):
    failing()
    look()
    Notification.objects.update(state="sent")
    silences.add(ends_at=NOW + MINUTE, reason="", actor=Actor(name="ana"), now=NOW)
    assert notifications.purge(now=NOW + 30 * DAY) == 0
    assert notifications.purge(now=NOW + 31 * DAY) == 1
    assert silences.purge(now=NOW + 31 * DAY) == 1


def test_the_questions_cost_the_same_however_many_fail(failing, django_assert_num_queries):
    failing()
    with django_assert_num_queries(5):
        troubles.of_schedules(now=NOW)
    for _n in range(30):
        failing()
    with django_assert_num_queries(5):
        found = troubles.of_schedules(now=NOW)
    assert len(found.troubles) == 31
