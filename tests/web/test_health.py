"""What machines ask: metrics, readiness, health."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from schedulerui import clock
from schedulerui.models import Alert, Beat, Finding, Notification, Queue
from schedulerui.presenters import metrics
from tests.web.people import NOON, a_run, a_schedule, a_worker, logged_in

pytestmark = pytest.mark.django_db
PATHS = ("/metrics", "/readyz", "/health.json")


@pytest.fixture
def token():
    with override_settings(SCHEDULERUI={"CELERY_APP": "tests.celery_app.app", "METRICS_TOKEN": "s3same"}):
        yield {"Authorization": "Bearer s3same"}


@pytest.fixture
def beat():
    now = clock.now()
    return Beat.objects.create(host="one", pid=1, started_at=now, seen_at=now, dispatched=7)


def samples(now=NOON) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.exposition(now=now).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("path", PATHS)
def test_a_machine_needs_a_token_or_a_login_and_is_not_sent_to_a_page(path, beat, token):
    anonymous = Client().get(path)
    assert anonymous.status_code == 401
    assert "Bearer" in anonymous["WWW-Authenticate"]
    assert Client().get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert Client().get(path, headers={"Authorization": "Bearer "}).status_code == 401
    assert Client().get(path, headers=token).status_code == 200
    assert logged_in().get(path).status_code == 403
    assert logged_in("view", "view_metrics").get(path).status_code == 200
    assert logged_in("view", "view_metrics").post(path).status_code == 405


@pytest.mark.parametrize(("path", "status"), [("/metrics", 403), ("/health.json", 403), ("/readyz", 200)])
def test_totals_over_all_schedules_have_a_right_of_their_own(path, status, beat):
    assert logged_in("view").get(path).status_code == status


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_in_the_settings_none_is_good(path, beat):
    assert Client().get(path, headers={"Authorization": "Bearer "}).status_code == 401
    assert Client().get(path, headers={"Authorization": "Bearer None"}).status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_a_database_that_is_away_is_an_answer(path, token):
    def away(execute, sql, params, many, context):
        raise OperationalError("away")

    with connection.execute_wrapper(away):
        answer = Client().get(path, headers=token)
    assert answer.status_code == 503
    assert answer.content == b"The database does not answer.\n"


def test_health_says_what_is_wrong_as_status_does(token):
    answer = Client().get("/health.json", headers=token)
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["No beat is ticking: nothing is sent."]


def test_health_is_200_when_a_beat_ticks(token, beat):
    Alert.objects.create(key="queue:a", kind="queue", state="down", since=NOON)
    answer = Client().get("/health.json", headers=token)
    assert answer.status_code == 200
    assert answer.json()["healthy"] is True
    assert answer.json()["alerts"] == {"down": 1}


def test_readiness_tells_migrations_that_are_missing(token):
    ((app, name),) = MigrationExecutor(connection).loader.graph.leaf_nodes("schedulerui")
    MigrationRecorder(connection).record_unapplied(app, name)
    answer = Client().get("/readyz", headers=token)
    assert answer.status_code == 503
    assert b"not applied" in answer.content


def test_the_samples_tell_runs_by_state_and_decisions_by_reason():
    schedule = a_schedule()
    for state, count in (("sent", 1), ("pending", 1), ("succeeded", 1)):
        a_run(schedule, state=state, due_at=NOON - timedelta(minutes=count))
    a_run(
        schedule,
        state="missed",
        due_at=NOON,
        count=5,
        reason="no beat dispatched 5 times within the grace of 30 s",
    )
    a_run(schedule, state="skipped", due_at=NOON, reason="overlap: the run before was still active")
    a_run(schedule, state="failed", due_at=NOON - timedelta(hours=2))
    told = samples()
    assert told["schedulerui_outbox_depth", ()] == 1
    assert told["schedulerui_runs_open", (("state", "sent"),)] == 1
    assert told["schedulerui_runs_open", (("state", "started"),)] == 0
    assert told["schedulerui_runs_last_hour", (("state", "succeeded"),)] == 1
    assert ("schedulerui_runs_last_hour", (("state", "failed"),)) not in told
    assert told["schedulerui_decisions_last_hour", (("reason", "no_beat"), ("state", "missed"))] == 5
    assert told["schedulerui_decisions_last_hour", (("reason", "overlap"), ("state", "skipped"))] == 1


def test_the_samples_tell_how_overdue_the_oldest_is():
    schedule = a_schedule()
    assert schedule.next_run_at is not None
    assert samples(schedule.next_run_at)["schedulerui_due_lag_seconds", ()] == 0
    assert samples(schedule.next_run_at + timedelta(seconds=9))["schedulerui_due_lag_seconds", ()] == 9


def test_a_beat_s_lateness_is_a_histogram():
    latency = {"0.01": 2, "0.1": 3, str(math.inf): 1, "sum": 61.5}
    Beat.objects.create(
        host="one", pid=1, started_at=NOON, seen_at=NOON - timedelta(seconds=3), dispatched=6, latency=latency
    )
    told = samples()
    name, beat = "schedulerui_dispatch_latency_seconds", ("beat", "one:1")
    assert [told[f"{name}_bucket", (beat, ("le", bound))] for bound in ("0.01", "0.1", "+Inf")] == [2, 5, 6]
    assert (told[f"{name}_count", (beat,)], told[f"{name}_sum", (beat,)]) == (6, 61.5)
    assert told["schedulerui_beat_messages_total", (beat,)] == 6
    assert told["schedulerui_beat_age_seconds", (beat,)] == 3
    assert told["schedulerui_beats_ticking", ()] == 1


def test_a_queue_that_could_not_be_measured_has_an_age_and_no_depth():
    Queue.objects.create(name="a", depth=4, measured_at=NOON)
    Queue.objects.create(name="b", depth=4, measured_at=NOON, error="away")
    a_worker(active=2)
    told = samples()
    assert told["schedulerui_queue_depth", (("queue", "a"),)] == 4
    assert ("schedulerui_queue_depth", (("queue", "b"),)) not in told
    assert ("schedulerui_queue_measured_age_seconds", (("queue", "b"),)) in told
    assert told["schedulerui_worker_active", (("worker", "celery@one:7"),)] == 2


def test_processes_of_one_name_are_one_sample_the_newest():
    for age in (60, 2):
        seen_at = NOON - timedelta(seconds=age)
        Beat.objects.create(host="pod", pid=1, started_at=seen_at, seen_at=seen_at)
        a_worker("celery@pod", pid=1, seen_at=seen_at)
    text = metrics.exposition(now=NOON).decode()
    ages = [
        line
        for line in text.splitlines()
        if line.startswith(("schedulerui_beat_age", "schedulerui_worker_age"))
    ]
    assert ages == [
        'schedulerui_beat_age_seconds{beat="pod:1"} 2.0',
        'schedulerui_worker_age_seconds{worker="celery@pod:1"} 2.0',
    ]


def test_the_samples_tell_whether_a_monitor_looks_and_messages_get_out():
    assert not [name for name, _labels in samples() if name == "schedulerui_monitor_age_seconds"]
    for minutes in (3, 1):
        Finding.objects.create(kind=f"k{minutes}", checked_at=NOON - timedelta(minutes=minutes))
    for n, state in enumerate(("waiting", "waiting", "sent")):
        Notification.objects.create(
            key=f"m{n}", channel="chat", event="late", state=state, next_try_at=NOON, created_at=NOON
        )
    told = samples()
    assert told["schedulerui_monitor_age_seconds", ()] == 60
    assert told["schedulerui_messages_waiting", (("channel", "chat"),)] == 2


def test_names_from_workers_cannot_break_the_format():
    a_worker('celery@"}\nschedulerui_evil 1\n', active=1)
    assert not [key for key in samples() if key[0] == "schedulerui_evil"]


def test_the_samples_cost_the_same_however_much_there_is(django_assert_num_queries):
    with django_assert_num_queries(10):
        metrics.exposition(now=NOON)
    schedule = a_schedule()
    for n in range(40):
        a_run(schedule, due_at=NOON - timedelta(seconds=n))
        a_worker(f"celery@{n}")
    with django_assert_num_queries(10):
        metrics.exposition(now=NOON)
