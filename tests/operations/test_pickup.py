"""Where the message of a sent run is, as far as depths, workers and the order of sending tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import dispatch
from schedulerui.facts import Actor, RunState, Trigger
from schedulerui.models import Change, Queue, Run
from schedulerui.operations import pickup
from schedulerui.operations.history import record
from schedulerui.operations.losses import mark_lost
from schedulerui.operations.pickup import Whereabouts
from schedulerui.operations.resend import NotResendable, resend
from tests.operations.history_cases import NEW, OLD, after, make_run, received

pytestmark = pytest.mark.django_db

S, W = RunState, Whereabouts
NOW = after(1_000)
HOUR = timedelta(hours=1)
ANA = Actor(name="ana", via="browser")


def sent(second=0.0, **fields):
    return make_run(sent_at=after(second), publishes=1, **{"queue": "fast", **fields})


@pytest.fixture
def depth():
    """Say how many messages were measured a second ago."""

    def measured(n_messages, *, consumers=None, name="fast", error="", at=999.0):
        values = {"depth": n_messages, "consumers": consumers, "measured_at": after(at), "error": error}
        Queue.objects.update_or_create(name=name, defaults=values)

    return measured


@pytest.fixture
def worker(make_worker):
    """A worker of ours that reads the queue, heard of a moment ago."""

    def reads(**fields):
        return make_worker(**{"instance": OLD, "queues": ["fast"], "seen_at": after(998), **fields})

    return reads


def where(run, *, redelivery=HOUR, now=NOW):
    found = pickup.locate(run, queue="fast", redelivery=redelivery, now=now)
    return None if found is None else found.where


def test_it_waits_behind_the_messages_of_a_queue_that_is_read(depth, worker):
    worker()
    depth(17)
    found = pickup.locate(sent(), queue="fast", redelivery=HOUR, now=NOW)
    assert found is not None
    assert (found.where, found.depth, found.measured_at) == (W.IN_QUEUE, 17, after(999))


def test_nobody_reads_its_queue(depth, worker):
    worker(queues=["slow"])
    depth(1)
    assert where(sent()) is W.NO_CONSUMER


def test_the_broker_tells_of_a_reader_that_we_do_not_know(depth):
    depth(1, consumers=1)
    assert where(sent()) is W.IN_QUEUE


def test_the_broker_has_lost_it_when_its_queue_is_read_and_empty(depth, worker):
    worker()
    depth(0)
    assert where(sent()) is W.GONE


def test_the_oldest_are_lost_when_fewer_messages_wait_than_runs(depth, worker):
    worker()
    depth(2)
    runs = [sent(number) for number in range(4)]
    assert [where(run) for run in runs] == [W.GONE, W.GONE, W.IN_QUEUE, W.IN_QUEUE]


def test_it_is_not_lost_within_the_grace(depth, worker):
    worker()
    depth(0)
    assert where(sent(950)) is W.IN_QUEUE
    assert where(sent(930)) is W.GONE


def test_a_measurement_that_is_older_than_the_message_says_nothing_of_it(depth, worker):
    worker()
    depth(0, at=100)
    assert where(sent(200)) is W.IN_QUEUE


def test_a_dead_worker_may_have_had_it_until_the_broker_has_handed_it_over_again(depth, worker):
    worker(died_at=after(500), seen_at=after(480))
    worker(instance=NEW)
    depth(0)
    assert where(sent()) is W.HANDED_OVER
    assert where(sent(490)) is W.GONE
    assert where(sent(), redelivery=timedelta(0)) is W.GONE


def test_what_a_dead_worker_held_is_lost_when_it_never_comes_back(depth, worker):
    worker(died_at=after(100), seen_at=after(50))
    worker(instance=NEW, seen_at=after(9_000))
    run = sent()
    record(received(run))
    mark_lost(after(300))
    run.refresh_from_db()
    depth(0)
    assert where(run) is W.HANDED_OVER
    depth(0, at=9_000)
    assert where(run, now=after(9_001)) is W.GONE


@pytest.mark.parametrize(
    "readers", [{"heard_by": "events"}, {"stopped_at": after(900)}, {"queues": "broken"}]
)
def test_only_a_reader_that_tells_everything_makes_it_lost(depth, worker, readers):
    worker(**readers)
    depth(0)
    assert where(sent()) is W.UNHEARD


def test_a_reader_beside_ours_may_have_it(depth, worker):
    worker()
    depth(0, consumers=2)
    assert where(sent()) is W.UNHEARD


def test_nothing_is_known_of_a_queue_that_could_not_be_measured(depth, worker):
    worker()
    assert where(sent()) is W.UNKNOWN
    depth(0, error="The broker does not answer")
    assert where(sent()) is W.UNKNOWN


@pytest.mark.parametrize("state", [S.RECEIVED, S.STARTED, S.SUCCEEDED, S.UNSENT])
def test_only_a_run_that_waits_is_asked_about(state):
    assert where(sent(state=state)) is None


def note(now=NOW):
    return pickup.note(now, queue_of=lambda run: run.queue, redelivery=HOUR)


def test_the_monitor_writes_what_it_found_and_takes_it_back(depth, worker):
    worker()
    depth(0)
    run = sent()
    assert note() == 1
    run.refresh_from_db()
    assert run.reason == "the broker has lost it: it is not in queue fast and no worker has received it"
    depth(1)
    assert note() == 0
    run.refresh_from_db()
    assert run.reason == ""


def test_the_monitor_leaves_other_reasons_and_young_runs_alone(depth, worker):
    depth(9)
    young, told, unread = sent(999), sent(0, reason="celery@one died"), sent(1)
    note()
    assert [Run.objects.get(pk=run.pk).reason for run in (young, unread)] == [
        "",
        "no worker consumes queue fast",
    ]
    worker()
    note()
    told.refresh_from_db()
    assert told.reason in {"celery@one died", ""}


def test_the_monitor_asks_as_little_for_many_runs_as_for_one(depth, worker, django_assert_num_queries):
    worker()
    depth(100)
    for number in range(50):
        sent(number)
    with django_assert_num_queries(3):
        note()


@pytest.mark.parametrize(
    ("expires", "state"),
    [
        (after(500).isoformat(), S.EXPIRED),
        (after(2_000).isoformat(), S.SENT),
        ("2026-01-01T00:00:00", S.SENT),
        ("never", S.SENT),
        (7, S.SENT),
    ],
)
def test_a_message_that_the_broker_dropped_after_its_expiry_has_expired(depth, worker, expires, state):
    worker()
    depth(0)
    run = sent(options={"expires": expires})
    note()
    run.refresh_from_db()
    assert run.state == state


def test_resending_keeps_the_row_and_the_task_id_and_is_audited(make_schedule):
    run = sent(schedule=make_schedule(), reason="the broker has lost it: ...")
    published: list[Run] = []
    queued = resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=published.append)
    assert queued.sent
    assert [found.task_id for found in published] == [run.task_id]
    run.refresh_from_db()
    assert (run.state, run.publishes, run.sent_at, run.reason) == (S.SENT, 2, NOW, "")
    change = Change.objects.get(action="resend")
    assert (change.actor, change.schedule, change.note) == ("ana", run.schedule, f"run {run.uuid}")


def test_the_same_click_twice_sends_once():
    run = sent()
    published: list[Run] = []
    resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=published.append)
    with pytest.raises(NotResendable, match="just"):
        resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=published.append)
    assert len(published) == 1


@pytest.mark.parametrize("fields", [{"state": S.RECEIVED}, {"state": S.SUCCEEDED}, {"trigger": Trigger.TASK}])
def test_it_sends_nothing_again_that_does_not_wait_for_a_worker(fields):
    run = sent(**fields)
    with pytest.raises(NotResendable, match="does not wait"):
        resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=lambda run: pytest.fail("sent"))


def test_a_broker_that_does_not_answer_leaves_the_run_as_it_was():
    run = sent(reason="the broker has lost it: ...")

    def away(run):
        raise dispatch.BrokerUnavailable("away")

    queued = resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=away)
    assert (queued.sent, queued.reason) == (False, "away")
    run.refresh_from_db()
    assert (run.state, run.publishes, run.sent_at) == (S.SENT, 2, after(0))
    assert resend(run.pk, publishes=2, actor=ANA, now=NOW, publish=lambda run: None).sent


def test_a_worker_that_was_faster_keeps_its_state():
    run = sent()

    def fast_worker(run):
        record(received(run))

    queued = resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=fast_worker)
    assert queued.sent
    run.refresh_from_db()
    assert (run.state, run.sent_at) == (S.RECEIVED, after(0))


def test_a_run_whose_schedule_is_deleted_can_be_sent_again_and_is_audited():
    run = sent()
    Run.objects.update(schedule_name="Nightly")
    resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=lambda run: None)
    assert Change.objects.get(action="resend").schedule_name == "Nightly"
