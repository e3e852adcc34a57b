"""The message that leaves: the same one that ``apply_async`` would send."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery import Celery
from kombu import Exchange, Producer, Queue

from schedulerui import dispatch, messages, redis_client, remote
from schedulerui.models import Run

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class Recorder(Producer):
    """A producer on the memory transport that remembers what it was told to publish."""

    published: list[tuple[Any, dict[str, Any]]]

    def publish(self, body, **options):  # type: ignore[override]  # whatever it is told
        self.published.append((body, options))


@pytest.fixture(scope="module")
def celery_app():
    made = Celery("messages", broker="memory://", set_as_current=False)
    made.conf.update(
        task_queues=[
            Queue("celery"),
            Queue("topics", Exchange("topics", type="topic"), routing_key="a.#"),
            Queue("urgent", Exchange("urgent", type="direct"), routing_key="now"),
        ],
        task_routes={"routed": {"queue": "urgent", "priority": 3}, "limited": {"queue": "topics"}},
        task_send_sent_event=True,
    )

    @made.task(name="plain")
    def plain(x=1, *, y=2):
        return x + y

    @made.task(name="routed", ignore_result=True)
    def routed(*args, **kwargs):
        return None

    @made.task(name="limited", time_limit=30, soft_time_limit=20)
    def limited(*args, **kwargs):
        return None

    return made


def a_run(**fields):
    values = {
        "task": "plain",
        "args": [],
        "kwargs": {},
        "headers": {},
        "options": {},
        "queue": "",
        "task_id": "0b5a6ad3-6f3c-5d6c-8d8b-7a2f6f3f8a11",
        "schedule_name": "nightly",
        "schedule_version": 3,
        "nominal_at": NOW,
    }
    return Run(**{**values, **fields})


def random_run(seed):
    """A run with any mixture of the options that a schedule can have."""
    choose = random.Random(seed)
    expires = datetime.now(tz=UTC) + timedelta(hours=choose.randrange(1, 9))
    chances: list[tuple[float, dict[str, object]]] = [
        (0.3, {"priority": choose.randrange(10)}),
        (0.3, {"expires": expires.isoformat()}),
        (0.3, {"time_limit": 60}),
        (0.3, {"soft_time_limit": 50}),
        (0.3, {"ignore_result": choose.choice([True, False])}),
        (0.2, {"exchange": "urgent", "routing_key": "now"}),
        (0.1, {"countdown": 3600}),
        (0.1, {"compression": "zlib"}),
    ]
    options: dict[str, object] = {}
    for chance, more in chances:
        if choose.random() < chance:
            options |= more
    return a_run(
        task=choose.choice(["plain", "routed", "limited", "elsewhere"]),
        args=choose.choice([[], [5]]),
        kwargs=choose.choice([{}, {"y": [1, {"z": "\u00fc"}]}]),
        headers=choose.choice([{}, {"tenant": "a"}]),
        queue=choose.choice(["", "", "urgent", "topics", "celery"]),
        options=options,
    )


@pytest.fixture
def one_moment():
    """Let no time go by between two messages, so that what is counted from now is the same in both."""
    with time_machine.travel(NOW, tick=False):
        yield


def sent_by_us(celery_app, run):
    with celery_app.connection_for_write() as connection:
        recorder = Recorder(connection, auto_declare=False)
        recorder.published = []
        dispatch.publish(run, producer=recorder, celery_app=celery_app)
        return recorder.published


def sent_by_celery(celery_app, run):
    options = messages.message_options(run)
    with celery_app.connection_for_write() as connection:
        recorder = Recorder(connection, auto_declare=False)
        recorder.published = []
        task = celery_app.tasks.get(run.task)
        if task is None:
            celery_app.send_task(
                run.task, run.args, run.kwargs, task_id=run.task_id, producer=recorder, **options
            )
        else:
            task.apply_async(run.args, run.kwargs, task_id=run.task_id, producer=recorder, **options)
        return recorder.published


def comparable(published):
    """Name what is declared, and leave out an event's logical clock, which counts messages."""
    shown = []
    for body, options in published:
        plain = {**options, "declare": [entity.name for entity in options.get("declare") or []]}
        is_event = isinstance(body, dict)
        shown.append(({key: body[key] for key in body if key != "clock"} if is_event else body, plain))
    return shown


@pytest.mark.parametrize("seed", range(500))
def test_it_is_the_message_that_apply_async_would_send(celery_app, seed, one_moment):
    run = random_run(seed)
    ours, theirs = comparable(sent_by_us(celery_app, run)), comparable(sent_by_celery(celery_app, run))
    assert len(ours) == 2
    assert ours == theirs


@pytest.mark.parametrize("seed", range(0, 500, 10))
def test_in_a_batch_it_is_the_same_message_and_kombu_does_not_send_it_again_by_itself(
    celery_app, seed, one_moment
):
    run = random_run(seed)
    with celery_app.connection_for_write() as connection:
        recorder = Recorder(connection, auto_declare=False)
        recorder.published = []
        dispatch._outboxes[recorder] = redis_client.Outbox(object())
        dispatch.collect(run, producer=recorder, celery_app=celery_app)
        batched = recorder.published
    (ours, ours_with), *_events = comparable(batched)
    (alone, alone_with), *_others = comparable(sent_by_us(celery_app, run))
    assert ours == alone
    assert ours_with.pop("retry") is False
    assert alone_with.pop("retry") is True
    assert ours_with == alone_with


def test_it_carries_our_headers_and_those_of_other_tools(celery_app):
    (_, options), _event = sent_by_us(celery_app, a_run(headers={"tenant": "a"}))
    headers = options["headers"]
    assert headers["tenant"] == "a"
    assert headers["periodic_task_name"] == "nightly"
    assert headers["schedulerui"]["nominal"] == NOW.isoformat()
    assert headers["id"] == a_run().task_id


def test_a_queue_is_declared_once_a_connection(celery_app):
    with celery_app.connection_for_write() as connection:
        recorder = Recorder(connection, auto_declare=False)
        recorder.published = []
        declared = []
        for _ in range(3):
            dispatch.publish(a_run(), producer=recorder, celery_app=celery_app)
            declared.append(recorder.published[-2][1]["declare"])
    assert [bool(given) for given in declared] == [True, False, False]


@pytest.mark.parametrize(
    "run",
    [
        a_run(args=[1, 2, 3]),
        a_run(kwargs={"unknown": 1}),
        a_run(options={"expires": "soon"}),
        a_run(options={"countdown": 1e18}),
    ],
    ids=[
        "too many arguments",
        "unknown argument",
        "expiry that is no time",
        "countdown beyond the calendar",
    ],
)
def test_a_run_that_can_never_be_sent_is_told_apart_from_a_broker_that_is_away(celery_app, run):
    with pytest.raises(dispatch.Unsendable):
        sent_by_us(celery_app, run)


def test_a_broker_that_is_away_is_told_within_seconds():
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    with pytest.raises(dispatch.BrokerUnavailable, match="refused"):
        dispatch.open_producer(away)


def test_what_a_broker_answers_to_a_command_is_told_without_its_password(monkeypatch):
    made = Celery("commanded", broker="memory://", set_as_current=False)

    def away(*_names, **_options):
        raise ConnectionError("no way to redis://:s3same@there:6379/0")

    monkeypatch.setattr(made.control, "broadcast", away)
    with pytest.raises(dispatch.BrokerUnavailable, match=r"no way to redis://:\*\*\*@there"):
        remote.revoke("a-task", terminate=False, celery_app=made)


def test_an_app_that_cannot_be_found_is_told_in_a_sentence(settings):
    for path in ("", "nowhere.at.all", "tests.celery_app.add"):
        settings.SCHEDULERUI = {"CELERY_APP": path}
        with pytest.raises(dispatch.NoCeleryApp, match="CELERY_APP"):
            dispatch.app()


def test_a_message_that_cannot_be_written_is_that_runs_own_affair(celery_app):
    with dispatch.producer(celery_app) as producer, pytest.raises(dispatch.Unsendable, match="nope"):
        dispatch.publish(a_run(options={"serializer": "nope"}), producer=producer, celery_app=celery_app)


class OneClientChannel:
    """What is needed of kombu's channel of Redis."""

    n_made = 0

    def _create_client(self):
        self.n_made += 1
        return object()

    def conn_or_acquire(self, client=None):
        raise AssertionError("each message would make a client")


def test_a_channel_of_redis_makes_one_client_for_all_messages():
    channel = OneClientChannel()
    assert redis_client.keep_one(channel)
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
    with channel.conn_or_acquire("given") as given:
        assert given == "given"
    assert channel.n_made == 1


def test_a_channel_of_another_transport_stays_as_it_is(celery_app):
    with celery_app.connection_for_write() as connection:
        assert not redis_client.keep_one(connection.default_channel)
