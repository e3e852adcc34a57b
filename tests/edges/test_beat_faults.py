"""What one tick makes of rows that hold nonsense, of signals between two instructions, and of its database session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from unittest import mock

import pytest
from django.db import connection

from schedulerui import dispatch
from schedulerui.beat.loop import Loop
from schedulerui.beat.sessions import Sessions
from schedulerui.beat.signals import held
from schedulerui.conf import Settings
from schedulerui.crash import EXIT_CODE
from schedulerui.models import Run, Schedule
from tests.celery_app import app

pytestmark = pytest.mark.django_db(transaction=True)
KEEPS_ANYTHING = connection.vendor == "sqlite"
"""Whether the database keeps what is not of the column's type; the others refuse such rows by themselves."""


@pytest.fixture
def loop(clock, sent):
    return Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)


def write(schedule, **columns):
    """Write a row as another program does, past everything that Django and the constraints would refuse."""
    sets = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(
            f"UPDATE schedulerui_schedule SET {sets} WHERE id = %s", [*columns.values(), schedule.pk]
        )
        cursor.execute("PRAGMA ignore_check_constraints = OFF")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"next_run_at": "1999-12-31 or so"}, "time of the next run"),
        ({"args": "not json"}, "args is not a list"),
        ({"kwargs": "[]"}, "kwargs is not a dict"),
        ({"options": "7"}, "options is not a dict"),
        ({"headers": "[]"}, "headers is not a dict"),
        ({"task": b"\xff"}, "task is not a str"),
    ],
)
def test_a_row_that_holds_nonsense_is_put_aside_and_the_others_go_on(
    loop, clock, sent, make_schedule, columns, reason
):
    if not KEEPS_ANYTHING:
        return
    bad, good = make_schedule(), make_schedule()
    write(bad, **columns)
    clock.shift(seconds=60)
    loop.tick()
    assert [run.schedule_id for run in sent.sent] == [good.pk]
    error, next_run_at = Schedule.objects.filter(pk=bad.pk).values_list("error", "next_run_at").get()
    assert reason in error
    assert next_run_at is None
    assert loop.tick() == 1.0


@pytest.mark.parametrize(
    "spelling", ["2026-03-04T12:01:00Z", "2026-03-04 12:01:00+00:00", "2026-03-04 12:01"]
)
def test_a_time_that_is_spelled_in_another_way_is_sent_once_and_keeps_nobody_busy(
    loop, clock, sent, make_schedule, spelling
):
    if not KEEPS_ANYTHING:
        return
    odd, good = make_schedule(), make_schedule()
    write(odd, next_run_at=spelling)
    clock.shift(seconds=61 if "T" not in spelling else 86_400)
    for _ in range(4):
        loop.tick()
    assert {run.schedule_id for run in sent.sent} == {odd.pk, good.pk}
    assert len(sent.task_ids) == 2
    assert loop.tick() > 0.1


def test_a_time_with_a_t_that_is_the_only_one_is_sent_at_once(loop, clock, sent, make_schedule):
    if not KEEPS_ANYTHING:
        return
    write(make_schedule(), next_run_at="2026-03-04T12:01:00Z")
    clock.shift(seconds=61)
    loop.tick()
    loop.tick()
    assert len(sent.task_ids) == 1
    assert loop.tick() > 0.1


def test_a_signal_gives_back_what_was_not_tried_so_that_it_goes_even_at_most_once(
    loop, clock, sent, make_schedule
):
    for _ in range(3):
        make_schedule(delivery="at_most_once")
    take = dispatch.publish

    def is_asked_to_end(run, **kwargs):
        if sent.sent:
            loop.close()
            raise SystemExit(0)
        take(run, **kwargs)

    clock.shift(seconds=60)
    with mock.patch.object(dispatch, "publish", is_asked_to_end), pytest.raises(SystemExit):
        loop.tick()
    states = Run.objects.order_by("pk").values_list("state", "publishes")
    assert sorted(states) == [("pending", 0), ("pending", 0), ("sent", 1)]
    clock.shift(seconds=1)
    Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0).tick()
    assert len(sent.task_ids) == len(set(sent.task_ids)) == 3


def test_an_outage_is_logged_when_it_begins_and_once_a_minute(loop, clock, sent, make_schedule, caplog):
    make_schedule()
    sent.broken = dispatch.BrokerUnavailable("connection refused")
    clock.shift(seconds=60)
    for _ in range(240):
        assert loop.tick() <= 0.5
        clock.shift(seconds=0.5)
    assert [record.action for record in caplog.records] == ["broker_away"] * 2
    sent.broken = None
    loop.tick()
    assert len(sent.sent) == 1


def test_a_signal_waits_while_a_message_and_its_note_belong_together():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("ended"))
    try:
        with held():
            # To this thread: beat has no other, and a test runner has.
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            seen.append("noted")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["noted", "ended"]


def test_each_new_session_is_told_once_how_long_it_may_stand_still(django_assert_num_queries):
    sessions, known = Sessions(idle=15.0), {"postgresql", "mysql"}
    with django_assert_num_queries(1 if connection.vendor in known else 0):
        sessions.tell()
        sessions.tell()
    connection.close()
    with django_assert_num_queries(1 if connection.vendor in known else 0):
        sessions.tell()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == ("15s",)


@pytest.mark.parametrize(
    ("place", "code"), [("", 0), ("mark.after", EXIT_CODE), ("mark.after:2", 0), ("nowhere", 1)]
)
def test_a_place_ends_the_process_only_when_the_environment_names_it(place, code):
    program = (
        "from schedulerui.crash import crash_point; crash_point('mark.before'); crash_point('mark.after')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SCHEDULERUI_CRASH_AT": place},
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == code
