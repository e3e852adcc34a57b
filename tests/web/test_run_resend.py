"""A run that nobody picks up: its page says where the message is, and offers to send it again to those who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from schedulerui import clock
from schedulerui.dispatch_canvas import write_parts
from schedulerui.models import Change, Part, Queue, Run
from schedulerui.operations import canvas
from schedulerui.testing import recording
from tests.web.people import HOSTILE, a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db(transaction=True)
OFFER = "Send it again"


@pytest.fixture
def operator():
    return logged_in("view", "operate")


@pytest.fixture
def reader():
    return logged_in("view")


def a_lost_run(*, queue="fast", depth=0, **fields):
    now = clock.now()
    a_worker(queues=[queue], seen_at=now)
    Queue.objects.create(name=queue, depth=depth, measured_at=now)
    values: dict[str, Any] = {"sent_at": now - timedelta(hours=1), "publishes": 1, "task_id": "t-1"}
    return a_run(a_schedule(), state="sent", queue=queue, **(values | fields))


def page_of(client, run):
    return text_of(client.get(reverse("schedulerui:run", args=[run.uuid])))


def post(client, run, **values):
    address = reverse("schedulerui:run-resend", args=[run.uuid])
    with recording() as outbox:
        response = client.post(address, values, follow=True)
    return text_of(response), outbox.task_ids


def test_it_says_that_the_broker_has_lost_it_and_offers_to_send_it_again(operator, reader):
    run = a_lost_run(reason="the broker has lost it: it is not in queue fast and no worker has received it")
    page = page_of(operator, run)
    assert "The broker has lost it: it is not in queue fast" in page
    assert "the broker has lost it" not in page
    assert OFFER in page
    assert OFFER not in page_of(reader, run)


def test_it_shows_how_many_messages_wait_and_offers_nothing(operator):
    page = page_of(operator, a_lost_run(depth=17))
    assert "It waits among 17 messages in queue fast." in page
    assert OFFER not in page


def test_a_poll_brings_the_new_depth(reader):
    run = a_lost_run(depth=17)
    address = reverse("schedulerui:run", args=[run.uuid])
    since = reader.get(address).context["since"]
    htmx = {"HX-Request": "true"}
    assert reader.get(address, {"since": since}, headers=htmx).status_code == 204
    Queue.objects.update(depth=16)
    assert "16 messages" in text_of(reader.get(address, {"since": since}, headers=htmx))


def test_sending_again_is_the_same_run_once(operator):
    run = a_lost_run()
    page, outbox = post(operator, run, publishes=1)
    assert "Sent again under the same task id." in page
    again, second = post(operator, run, publishes=1)
    assert "just sent this run again" in again
    assert (len(outbox), len(second)) == (1, 0)
    assert Run.objects.get().publishes == 2
    assert Change.objects.filter(action="resend").count() == 1


@pytest.mark.parametrize("publishes", ["", "x", "9" * 99, "-1"])
def test_a_damaged_form_sends_nothing(operator, publishes):
    run = a_lost_run()
    _page, outbox = post(operator, run, publishes=publishes)
    assert len(outbox) == 0
    assert Run.objects.get().publishes == 1


def test_a_reader_may_not(reader):
    run = a_lost_run()
    page, outbox = post(reader, run, publishes=1)
    assert "may not" in page
    assert len(outbox) == 0


STEP = {"type": "task", "task": "tests.add", "args": [1]}


@pytest.mark.parametrize(("n_ended", "is_first"), [(0, True), (1, False)])
def test_a_lost_part_is_sent_again_only_where_that_is_a_way_and_otherwise_says_what_to_do(
    operator, n_ended, is_first
):
    chain = canvas.read({"type": "chain", "steps": [STEP] * 2})
    run = a_lost_run(canvas=chain)
    write_parts(run)
    long_ago = clock.now() - timedelta(minutes=50)
    Part.objects.filter(run=run, position__lt=n_ended).update(state="succeeded", finished_at=long_ago)
    Run.objects.filter(pk=run.pk).update(state="started" if n_ended else "sent")
    page = page_of(operator, run)
    assert f"Part {n_ended + 1}: The broker has lost it" in page
    assert (OFFER in page) is is_first
    assert ("Only the first tasks of a canvas can be sent again" in page) is not is_first


@pytest.mark.parametrize("queue", HOSTILE)
def test_a_hostile_queue_name_is_text(reader, queue):
    page = page_of(reader, a_lost_run(queue=queue))
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def none_of_them(_user, schedules):
    return schedules.none()


@pytest.mark.parametrize(("name", "verb"), [("run", "get"), ("run-result", "get"), ("run-resend", "post")])
def test_a_run_of_a_schedule_that_one_may_not_know_of_is_not_there(settings, name, verb):
    run = a_lost_run()
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.none_of_them"}
    client = logged_in("view", "operate", "view_values")
    address = reverse(f"schedulerui:{name}", args=[run.uuid])
    assert getattr(client, verb)(address, {"publishes": 1}).status_code == 404
    assert Run.objects.get().publishes == 1
