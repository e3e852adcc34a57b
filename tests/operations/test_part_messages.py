"""Parts on their way: where their messages are, what is sent again, and who is told when the run is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import Celery, signals

from schedulerui import dispatch
from schedulerui.canvas import entries, group_id_of, task_id_of
from schedulerui.dispatch_canvas import write_parts
from schedulerui.facts import Actor, RunState
from schedulerui.models import Part, Queue, Run
from schedulerui.operations import cancellations, canvas, claims, housekeeping, part_messages, pickup
from schedulerui.operations.history import record
from schedulerui.operations.resend import NotResendable, resend
from tests.celery_app import app
from tests.operations.history_cases import OLD, after, make_run
from tests.operations.test_parts import told

pytestmark = pytest.mark.django_db(transaction=True)

S = RunState
ANA = Actor(name="ana", via="browser")
NOW = after(1_000)
HOUR = timedelta(hours=1)
LOST = "the broker has lost it: it is not in queue fast and no worker has received it"


def step(**fields):
    return {"type": "task", "task": "tests.add", "args": [1], **fields}


def a_sent_run(*steps, shape="group", **fields):
    read = canvas.read({"type": shape, "steps": list(steps)})
    run = make_run(canvas=read, **{"sent_at": after(0), "publishes": 1, "queue": "fast", **fields})
    write_parts(run)
    return run


@pytest.fixture
def emptied(make_worker):
    """A worker of ours reads the queues, and nothing waits in them."""
    make_worker(instance=OLD, queues=["fast", "slow"], seen_at=after(998))
    for name in ("fast", "slow"):
        Queue.objects.create(name=name, depth=0, measured_at=after(999))


def note(now=NOW):
    pickup.note(now, queue_of=lambda run: run.queue, redelivery=HOUR)
    return part_messages.note(now, queue_of=lambda run: run.queue, redelivery=HOUR)


def reasons(run):
    return list(run.parts.values_list("reason", flat=True))


@pytest.fixture
def published():
    """Task id and group of every message that leaves, in their order."""
    seen = []

    def note_message(headers=None, **_):
        seen.append((headers["id"], headers["group"]))

    signals.before_task_publish.connect(note_message)
    yield seen
    signals.before_task_publish.disconnect(note_message)


def really(run):
    with dispatch.producer(app) as producer:
        dispatch.publish(run, producer=producer, celery_app=app)


def test_each_part_that_the_broker_has_lost_says_so_and_the_run_too(emptied):
    run = a_sent_run(step(), step(options={"queue": "slow"}))
    assert note() == 2
    run.refresh_from_db()
    assert reasons(run) == [LOST, LOST.replace("fast", "slow")]
    assert run.reason in reasons(run)


def test_a_part_in_a_queue_with_messages_waits(emptied):
    Queue.objects.update(depth=1)
    run = a_sent_run(step(), step())
    assert note() == 0
    assert reasons(run) == ["", ""]


def test_it_looks_for_the_next_step_of_a_chain_from_the_end_of_the_one_before(emptied):
    fresh, run = [a_sent_run(step(), step(), step(), shape="chain") for _ in range(2)]
    record(told(fresh, "0", S.SUCCEEDED, 995))
    record(told(run, "0", S.SUCCEEDED, 100))
    assert note() == 1
    assert reasons(fresh) == ["", "", ""]
    run.refresh_from_db()
    assert reasons(run) == ["", LOST, ""]
    assert run.state == "started"
    with pytest.raises(NotResendable):
        resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=really)


def test_sending_a_group_again_sends_only_what_no_worker_has_received(published):
    run = a_sent_run(step(), step(), step())
    record(told(run, "1", S.SUCCEEDED, 1))
    run.refresh_from_db()
    assert run.state == "started"
    assert resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=really).sent
    group = group_id_of(run.task_id, "")
    assert published == [(task_id_of(run.task_id, path), group) for path in "02"]
    run.refresh_from_db()
    assert (run.state, run.publishes, run.sent_at) == ("started", 2, NOW)


def canvases():
    three = {"type": "group", "steps": [step(), step(), step()]}
    chord = {"type": "chord", "header": [step(), step()], "body": step(args=[])}
    return [
        three,
        chord,
        {"type": "group", "steps": [chord, step(), three]},
        {"type": "chain", "steps": [three, step(args=[])]},
        {"type": "chain", "steps": [chord, step(args=[])]},
        {"type": "chord", "header": [chord, step(), three], "body": step(args=[])},
    ]


@pytest.mark.parametrize("given", canvases())
def test_a_second_sending_names_the_same_groups_so_that_a_chord_counts_each_task_once(published, given):
    joining = Celery("joins", broker="memory://", backend="cache+memory://", set_as_current=False)
    run = make_run(canvas=canvas.read(given))
    for _ in range(2):
        with dispatch.producer(joining) as producer:
            dispatch.publish(run, producer=producer, celery_app=joining)
    expected = {task_id_of(run.task_id, path) for path in entries(run.canvas)}
    assert len(published) == 2 * len(expected)
    assert {task_id for task_id, _group in set(published)} == expected
    assert len(set(published)) == len(expected)


def test_sending_a_chain_again_sends_its_first_step_under_its_own_id(published):
    run = a_sent_run(step(), step(), shape="chain")
    resend(run.pk, publishes=1, actor=ANA, now=NOW, publish=really)
    assert [task_id for task_id, _group in published] == [task_id_of(run.task_id, "0")]


def test_what_has_arrived_completely_is_not_sent_again_when_it_is_recovered(published):
    run = a_sent_run(step(), step(), publishes=2)
    for path in "01":
        record(told(run, path, S.RECEIVED, 1))
    really(run)
    assert published == []


def test_workers_are_told_of_the_parts_that_have_not_begun_of_a_run_that_is_given_up():
    run = a_sent_run(step(), step(), step(), shape="chain")
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    orders = []
    cancellations.cancel(
        run.pk,
        terminate=True,
        actor=ANA,
        now=NOW,
        tell=lambda task_id, **how: orders.append((task_id, how["terminate"])),
    )
    ids = [task_id_of(run.task_id, path) for path in "012"]
    assert orders == [(ids[0], True), (ids[1], False), (ids[2], False)]
    assert sorted(cancellations.unwanted(NOW)) == sorted(ids[1:])


def test_a_claim_fills_the_moments_into_the_parts_arguments_and_not_into_the_schedules(make_schedule):
    stored = canvas.read(
        {"type": "chain", "steps": [step(args=["$nominal"]), step(kwargs={"at": "$nominal!"})]}
    )
    schedule = make_schedule(canvas=stored)
    now = schedule.next_run_at
    lease = claims.Lease(owner="me", until=now + timedelta(seconds=30))
    (run,) = claims.claim_due(lease=lease, now=now, limit=10, touch=lambda: None).runs
    assert run.nominal_at is not None
    first, second = run.canvas["steps"]
    assert (first["args"], second["kwargs"]) == ([run.nominal_at.isoformat()], {"at": "$nominal!"})
    schedule.refresh_from_db()
    assert (schedule.canvas, schedule.runs_created) == (stored, 1)


def test_old_runs_take_their_parts_with_them_and_count_once(make_schedule):
    run = a_sent_run(step(), step(), schedule=make_schedule())
    for path in "01":
        record(told(run, path, S.SUCCEEDED, 1))
    assert housekeeping.purge_runs(NOW + timedelta(days=3_000)) == 1
    assert (Run.objects.count(), Part.objects.count()) == (0, 0)
