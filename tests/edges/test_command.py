"""The command line: what each verb says, writes and refuses."""

from __future__ import annotations

import io
import json
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from schedulerui import clock, dispatch
from schedulerui.facts import Actor
from schedulerui.models import Beat, Change, Queue, Run, Schedule, ScheduleState, Worker
from schedulerui.operations import schedules
from schedulerui.testing import recording

pytestmark = pytest.mark.django_db


def say(*arguments):
    out = io.StringIO()
    call_command("schedulerui", *arguments, stdout=out)
    return out.getvalue()


def say_and_exit(*arguments):
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("schedulerui", *arguments, stdout=out)
    return out.getvalue(), end.value.code


@pytest.fixture
def now():
    return clock.now()


@pytest.fixture
def nightly(now):
    fields = {
        "name": "Nightly report",
        "task": "tests.add",
        "kind": "crontab",
        "expression": "30 3 * * *",
        "tz": "Europe/Berlin",
    }
    return schedules.create(fields, actor=Actor(name="ana"), now=now)


@pytest.fixture
def make_beat(now):
    def make(*, age, **fields):
        seen_at = now - timedelta(seconds=age)
        return Beat.objects.create(host="h", pid=7, started_at=seen_at, seen_at=seen_at, **fields)

    return make


def test_it_says_healthy_when_a_beat_ticks(nightly, make_beat):
    make_beat(age=1, dispatched=12)

    text = say("status")

    assert text.startswith("Healthy.")
    assert "1 total, 1 on, 0 off, 0 in error, 0 failing, 0 overdue" in text
    assert "h:7" in text
    assert "No worker is known." in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("age", "fields", "sentence"),
    [
        (3600, {}, "No beat is ticking: nothing is sent."),
        (1, {"degraded": "the broker is down"}, "No beat can work: the broker is down"),
    ],
)
def test_it_exits_with_one_when_no_beat_can_work(make_beat, age, fields, sentence):
    make_beat(age=age, **fields)

    text, code = say_and_exit("status")

    assert code == 1
    assert text.startswith(sentence)


def test_it_exits_with_one_when_there_has_never_been_a_beat():
    assert say_and_exit("status")[1] == 1


def test_it_stays_healthy_when_one_of_two_beats_can_work(make_beat):
    make_beat(age=1, degraded="the broker is down")
    make_beat(age=1)

    assert say("status").startswith("Healthy.")


def test_it_reports_everything_as_json_when_asked(nightly, make_beat, now):
    make_beat(age=2)
    ScheduleState.objects.filter(schedule=nightly).update(last_state="failed")
    Schedule.objects.filter(pk=nightly.pk).update(
        next_run_at=now - timedelta(minutes=5), next_nominal_at=now - timedelta(minutes=5)
    )
    Worker.objects.create(
        instance=uuid.uuid4(), hostname="celery@h", pid=8, started_at=now, seen_at=now, active=2
    )
    Queue.objects.create(name="celery", depth=4, consumers=1, measured_at=now)
    Queue.objects.create(name="broken", depth=9, measured_at=now, error="refused")
    Run.objects.create(key="m:1", task="t", due_at=now, created_at=now, lease_until=now, state="pending")
    Run.objects.create(key="m:2", task="t", due_at=now, created_at=now, state="started")

    report = json.loads(say("status", "--json"))

    assert report["healthy"] is True
    assert report["problems"] == []
    assert report["schedules"] == {
        "total": 1, "on": 1, "off": 0, "in_error": 0, "failing": 1, "overdue": 1,
    }  # fmt: skip
    assert report["runs"] == {"pending": 1, "sent": 0, "running": 1}
    assert report["beats"][0]["state"] == "online"
    assert 2 <= report["beats"][0]["seconds_since_tick"] < 60
    assert report["workers"][0]["name"] == "celery@h"
    depths = {queue["name"]: queue["depth"] for queue in report["queues"]}
    assert depths == {"celery": 4, "broken": None}


def test_it_exits_with_one_when_unhealthy_and_asked_for_json():
    text, code = say_and_exit("status", "--json")

    assert (json.loads(text)["healthy"], code) == (False, 1)


def asks_for_the_time():
    """SQLite has no clock of its own; the others are asked for theirs by one query."""
    return int(connection.vendor != "sqlite")


def test_it_asks_a_fixed_number_of_queries_for_status(make_beat, now, django_assert_num_queries):
    make_beat(age=1)
    for n in range(20):
        Queue.objects.create(name=f"q{n}", depth=n, measured_at=now)

    with django_assert_num_queries(7 + asks_for_the_time()):
        say("status")


def test_it_lists_schedules_in_words(nightly):
    head, line = say("list").splitlines()

    assert head.split() == ["name", "on", "task", "when", "zone", "next", "run", "last"]
    assert line.startswith("Nightly report  on  tests.add")
    assert "Europe/Berlin" in line


def test_it_lists_a_schedule_whose_rule_is_broken(nightly):
    Schedule.objects.filter(pk=nightly.pk).update(expression="61 * * * *")

    assert "ERROR" in say("list")
    (line,) = json.loads(say("list", "--json"))
    assert (line["name"], line["words"]) == ("Nightly report", "")
    assert line["error"]


def test_it_lists_in_two_queries_however_many_there_are(nightly, now, django_assert_num_queries):
    for n in range(5):
        fields = {"name": f"s{n}", "task": "t", "kind": "interval", "every": 5, "period": "minutes"}
        schedules.create(fields, actor=Actor(name="ana"), now=now)

    with django_assert_num_queries(2 + asks_for_the_time()):
        assert len(say("list").splitlines()) == 7


def test_it_says_so_when_there_is_nothing_to_list():
    assert say("list").strip() == "There are no schedules yet."
    assert json.loads(say("list", "--json")) == []


def test_it_shows_the_next_times_in_the_schedules_zone(nightly):
    lines = say("next", "Nightly report", "-n", "3").splitlines()

    assert lines[0].startswith("Nightly report: ")
    assert len(lines) == 5
    assert all("03:30:00" in line and ("CET" in line or "CEST" in line) for line in lines[2:])


def test_it_shows_the_times_it_would_have_when_a_schedule_is_off(nightly, now):
    schedules.disable(nightly.pk, actor=Actor(name="ana"), now=now)

    assert "It is switched off" in say("next", "Nightly report")


def test_it_shows_no_more_times_than_the_schedule_may_run(nightly):
    Schedule.objects.filter(pk=nightly.pk).update(max_runs=5, runs_created=3)

    assert say("next", "Nightly report").count("03:30:00") == 2


@pytest.mark.parametrize("n", ["0", "-1", "1001"])
def test_it_refuses_a_senseless_number_of_times(nightly, n):
    with pytest.raises(CommandError, match="-n takes a number from 1 to 1000"):
        say("next", "Nightly report", f"-n={n}")


def test_it_answers_with_a_sentence_when_the_rule_is_broken(nightly):
    Schedule.objects.filter(pk=nightly.pk).update(expression="61 * * * *")

    with pytest.raises(CommandError, match="The rule of 'Nightly report' cannot be read: "):
        say("next", "Nightly report")


@pytest.mark.parametrize("verb", ["next", "run", "enable", "disable"])
def test_it_suggests_the_nearest_name_when_the_name_is_unknown(nightly, verb):
    with pytest.raises(CommandError) as refusal:
        say(verb, "nightly reprot")

    assert str(refusal.value) == "There is no schedule named 'nightly reprot'. Did you mean 'Nightly report'?"


HOSTILE = "Nightly \x1b]0;owned\x07\x9b2J\r\u202e\nBackup  on"
SHOWN = r"Nightly \x1b]0;owned\x07\x9b2J\r\u202e\nBackup  on"


@pytest.mark.parametrize(
    "arguments", [["list"], ["check"], ["bulk", "enable", "", "--dry-run"], ["next", HOSTILE]], ids=str
)
def test_no_name_makes_a_terminal_do_anything(nightly, now, arguments):
    Schedule.objects.update(name=HOSTILE, next_run_at=now - timedelta(hours=1))
    Beat.objects.create(host="h", pid=7, started_at=now, seen_at=now)
    text = say(*arguments) if arguments != ["check"] else say_and_exit(*arguments)[0]
    assert SHOWN in text or arguments[0] == "next"
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    with pytest.raises(CommandError) as refusal:
        say("run", HOSTILE[:-1])
    assert str(refusal.value).isprintable()


def test_no_worker_makes_a_terminal_do_anything(now):
    Worker.objects.create(
        instance=uuid.uuid4(), hostname=f"celery@{HOSTILE}", pid=1, started_at=now, seen_at=now
    )
    Queue.objects.create(name=HOSTILE[:40], depth=None, measured_at=now, error=HOSTILE)
    text, _code = say_and_exit("status")
    assert text.count(SHOWN[:20]) == 3
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_it_suggests_nothing_when_no_name_is_near(nightly):
    with pytest.raises(CommandError) as refusal:
        say("run", "zzz")

    assert str(refusal.value) == "There is no schedule named 'zzz'."


def test_it_switches_off_and_on_and_writes_who_did_it(nightly):
    assert say("disable", "Nightly report").strip() == "Nightly report is off."
    assert say("disable", "Nightly report").strip() == "Nightly report is already off."
    assert "Nightly report is on. Next run: " in say("enable", "Nightly report")
    assert "Nightly report is already on. Next run: " in say("enable", "Nightly report")

    written = Change.objects.filter(via="command").order_by("id").values_list("action", flat=True)
    assert list(written) == ["disable", "enable"]


def test_it_says_so_when_it_enables_a_schedule_whose_rule_is_broken(nightly):
    Schedule.objects.filter(pk=nightly.pk).update(
        enabled=False, next_run_at=None, next_nominal_at=None, expression="61 * * * *"
    )

    assert "is on, but its rule cannot be read" in say("enable", "Nightly report")


@pytest.mark.django_db(transaction=True)
def test_it_runs_a_schedule_once_and_writes_who_did_it(nightly):
    with recording() as outbox:
        text = say("run", "Nightly report")

    run = Run.objects.get()
    assert text.strip() == f"Run {run.uuid} of Nightly report was sent as task {run.task_id}."
    assert outbox.task_ids == [run.task_id]
    assert Change.objects.get(action="run_now").via == "command"


@pytest.mark.django_db(transaction=True)
def test_it_leaves_the_run_to_beat_when_the_broker_is_down(nightly):
    with recording() as outbox:
        outbox.broken = dispatch.BrokerUnavailable("ConnectionError: refused")
        text = say("run", "Nightly report")

    assert "is queued for dispatch: beat sends it as soon as it can. ConnectionError: refused" in text
    assert Run.objects.get().state == "pending"


@pytest.mark.django_db(transaction=True)
def test_it_fails_when_the_run_can_never_be_sent(nightly):
    with recording() as outbox:
        outbox.broken = dispatch.Unsendable("TypeError: not serialisable")
        with pytest.raises(CommandError, match=r"cannot be sent\. TypeError: not serialisable"):
            say("run", "Nightly report")


@pytest.mark.parametrize("arguments", [(), ("dance",), ("run",), ("list", "surplus")])
def test_it_refuses_what_it_does_not_know(arguments):
    with pytest.raises(CommandError):
        say(*arguments)


@pytest.mark.django_db(transaction=True)
def test_it_answers_with_a_sentence_when_the_tables_are_not_there():
    with connection.schema_editor() as editor:
        editor.alter_db_table(Beat, "schedulerui_beat", "elsewhere")
    try:
        with pytest.raises(CommandError, match="The database does not answer as it should"):
            say("status")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Beat, "elsewhere", "schedulerui_beat")


def test_it_stops_the_monitor_when_it_is_asked_to_end(monkeypatch):
    import os
    import signal

    from schedulerui.monitor import loop

    def run(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(loop, "run", run)
    assert say("monitor") == ""
    assert signal.getsignal(signal.SIGTERM) is before


def test_recompute_lists_what_moved_and_writes_it_unless_told_not_to(nightly):
    as_before = nightly.next_run_at + timedelta(hours=1)
    Schedule.objects.update(next_nominal_at=as_before, next_run_at=as_before)
    said = say("recompute", "--dry-run")
    assert "Nightly report" in said
    assert "1 next run moved; nothing was written." in said
    assert Schedule.objects.get().next_run_at == as_before
    assert "1 next run moved; written." in say("recompute")
    assert Schedule.objects.get().next_run_at == nightly.next_run_at
    assert say("recompute").strip() == "No next run moved."


def test_rename_app_lets_the_schedules_of_code_go_with_the_new_name(nightly):
    Schedule.objects.update(source="code", source_key="nightly", source_app="shop")
    assert "1 schedule comes from the code of 'store' now" in say("rename-app", "shop", "store")
    assert Schedule.objects.get().source_app == "store"
    with pytest.raises(CommandError, match="There are schedules of 'store'"):
        say("rename-app", "shop", "store")


def test_it_has_nothing_to_import_without_tables_of_django_celery_beat():
    with pytest.raises(CommandError, match="no tables of django-celery-beat in this database"):
        say("import-django-celery-beat")
