"""Alerts flip once, are told once, are reminded of daily, and keep still in a silence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from schedulerui.facts import Actor
from schedulerui.models import Alert, Beat, Change, Notification, Run, Schedule, ScheduleState, Silence
from schedulerui.operations import alerts, notifications, pauses, schedules, silences, troubles
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


def test_without_a_channel_nobody_was_told(failing):
    failing()
    assert look(channels=()) == []
    alert = Alert.objects.get()
    assert (alert.told_state, alert.told_at) == ("failing", None)


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


def test_what_is_silenced_does_not_stand_before_what_is_not(failing, actor, monkeypatch):
    monkeypatch.setattr(alerts, "TELL_AT_ONCE", 1)
    quiet = failing()
    silences.add(ends_at=NOW + DAY, reason="", actor=actor, now=NOW, schedule=quiet)
    look()
    loud = failing()
    assert look(NOW + MINUTE) == [(loud.name, "failing")]


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


def test_switching_off_what_fails_is_told_as_no_recovery(failing, actor):
    schedule = failing()
    look()
    schedules.disable(schedule.pk, actor=actor, now=NOW)
    assert look(NOW + MINUTE) == []
    assert look(NOW + 3 * DAY) == []
    schedules.enable(schedule.pk, actor=actor, now=NOW)
    assert look(NOW + MINUTE) == [(schedule.name, "failing")]


def test_a_schedule_that_ran_for_the_last_time_recovers(failing, actor):
    schedule = failing()
    look()
    succeed(schedule)
    schedules.disable(schedule.pk, actor=actor, now=NOW)
    assert look(NOW + MINUTE) == [(schedule.name, "recovered")]


def test_a_schedule_that_paused_itself_stays_failing_until_somebody_resumes_it(make_schedule, failing, actor):
    schedule = failing(make_schedule(auto_pause_after=3), streak=3)
    look()
    assert pauses.after_failures(schedule.pk, streak=3, now=NOW)
    assert look(NOW + MINUTE) == []
    alert = Alert.objects.get()
    assert (alert.state, "It has paused itself: 3 failures in a row" in alert.message) == ("failing", True)
    assert look(NOW + DAY + MINUTE) == [(schedule.name, "reminder")]
    pauses.resume(schedule.pk, actor=actor, now=NOW + DAY)
    succeed(schedule)
    assert look(NOW + DAY + 2 * MINUTE) == [(schedule.name, "recovered")]


def test_a_rule_that_cannot_be_planned_is_told(make_schedule):
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(
        next_run_at=None, next_nominal_at=None, error="expression: 99 is no minute"
    )
    assert look() == [(schedule.name, "failing")]
    assert Alert.objects.get().message == "It cannot be planned: expression: 99 is no minute"


def test_a_schedule_that_cannot_be_read_takes_no_alarm_from_the_others(failing):
    if connection.vendor != "sqlite":
        return  # the others take no such row
    damaged, sound = failing(), failing()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedulerui_schedule SET updated_at = %s WHERE id = %s", ["never", damaged.pk])
    assert look() == [(damaged.name, "failing"), (sound.name, "failing")]
    succeed(sound)
    assert look(NOW + MINUTE) == [(sound.name, "recovered")]


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


def test_a_rejected_run_is_recovered_by_a_success_and_not_by_the_next_start(failing):
    schedule = failing()
    states = ScheduleState.objects.filter(schedule=schedule)
    states.update(last_state="rejected", failure_streak=0)
    look()
    states.update(last_state="started")
    assert look(NOW + MINUTE) == []
    states.update(last_success_at=NOW + MINUTE)
    assert look(NOW + 2 * MINUTE) == [(schedule.name, "recovered")]


def test_a_run_that_expired_in_the_queue_is_a_failure(make_schedule):
    schedule = make_schedule()
    ScheduleState.objects.filter(schedule=schedule).update(last_state="expired")
    assert look() == [(schedule.name, "failing")]
    assert "expired before a worker" in Alert.objects.get().message


def test_a_missed_time_is_told_after_its_grace_until_the_schedule_runs_again(make_schedule):
    schedule = make_schedule(alert_grace=60)
    missed = a_run(schedule, state="missed", due_at=NOW - MINUTE)
    assert look() == []
    assert look(NOW + SECOND) == [(schedule.name, "late")]
    assert "no beat was there" in Alert.objects.get().message
    assert look(NOW + 3 * DAY) == [(schedule.name, "reminder")]
    ScheduleState.objects.filter(schedule=schedule).update(last_run_at=missed.due_at + MINUTE)
    assert look(NOW + 3 * DAY) == [(schedule.name, "recovered")]


def test_times_missed_before_a_run_that_made_up_for_them_are_no_alert(make_schedule):
    schedule = make_schedule(alert_grace=0)
    a_run(schedule, state="missed", due_at=NOW - 3 * MINUTE)
    a_run(schedule, state="missed", due_at=NOW - 2 * MINUTE)
    ScheduleState.objects.filter(schedule=schedule).update(last_run_at=NOW - MINUTE, last_state="succeeded")
    assert look() == []


def test_many_times_missed_in_one_row_end_with_the_last_of_them(make_schedule):
    schedule = make_schedule(alert_grace=0)
    a_run(schedule, state="missed", due_at=NOW - DAY / 2, covers_until=NOW - MINUTE, count=700)
    ScheduleState.objects.filter(schedule=schedule).update(last_run_at=NOW - DAY / 3)
    assert look() == [(schedule.name, "late")]


def test_a_lost_message_is_no_alert_once_a_later_time_succeeded(make_schedule):
    schedule = make_schedule(alert_grace=0)
    a_run(schedule, state="sent", due_at=NOW - MINUTE)
    assert look() == [(schedule.name, "late")]
    ScheduleState.objects.filter(schedule=schedule).update(last_success_at=NOW)
    assert look(NOW + MINUTE) == [(schedule.name, "recovered")]


def test_growing_old_is_no_recovery(make_schedule):
    schedule = make_schedule()
    a_run(schedule, state="sent", due_at=NOW - 10 * MINUTE)
    assert look() == [(schedule.name, "late")]
    look(NOW + 2 * DAY)
    assert Alert.objects.get().state == "late"


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


def test_pings_go_earlier_and_in_batches_while_what_waits_stays(make_schedule, monkeypatch):
    monkeypatch.setattr(notifications, "BATCH", 2)
    schedule = make_schedule(name="Nightly")
    for _n in range(5):
        a_run(schedule, due_at=NOW)
    notifications.note_pings({"Nightly": "https://ping.example/abc"}, now=NOW)
    waiting = Notification.objects.order_by("pk")[0]
    Notification.objects.exclude(pk=waiting.pk).update(state="sent")
    assert notifications.purge(now=NOW + 2 * DAY) == 0
    assert notifications.purge(now=NOW + 3 * DAY) == 4
    assert Notification.objects.get() == waiting


def test_the_questions_cost_the_same_however_many_are_in_trouble(
    failing, make_schedule, beat, django_assert_num_queries
):
    Beat.objects.update(seen_at=NOW + 10 * MINUTE)
    failing()
    with django_assert_num_queries(11):
        troubles.of_schedules(now=NOW + 10 * MINUTE)
    for _n in range(30):
        failing()
        a_run(make_schedule(), state="sent", due_at=NOW)
    with django_assert_num_queries(11):
        found = troubles.of_schedules(now=NOW + 10 * MINUTE)
    assert len(found.troubles) == 61
