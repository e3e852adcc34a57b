"""Cancel a run from its page."""

from __future__ import annotations

from unittest import mock

import pytest

from schedulerui import remote
from tests.web.people import a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders():
    with mock.patch.object(remote, "_broadcast", return_value=None) as broadcast:
        yield broadcast


@pytest.fixture
def running():
    return a_run(a_schedule(), state="started", task_id="abc", worker="celery@one")


def url(run):
    return f"/runs/{run.uuid}/cancel/"


def test_its_page_offers_it_while_it_has_not_ended(running):
    link = f'href="{url(running)}"'
    assert link in text_of(logged_in("view", "operate").get(f"/runs/{running.uuid}/"))
    assert link not in text_of(logged_in("view").get(f"/runs/{running.uuid}/"))
    ended = a_run(a_schedule("Other"))
    assert url(ended) not in text_of(logged_in("view", "operate").get(f"/runs/{ended.uuid}/"))


def test_it_keeps_a_run_from_beginning(running, orders):
    answer = logged_in("view", "operate").post(url(running), follow=True)
    assert "told not to begin it" in text_of(answer)
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert running.cancel_terminate is False


def test_ending_a_body_needs_the_right_to_control_workers(running, orders):
    operator = logged_in("view", "operate")
    assert 'name="terminate"' not in text_of(operator.get(url(running)))
    assert operator.post(url(running), {"terminate": "yes"}).status_code == 403
    assert not orders.called
    controller = logged_in("view", "operate", "control_workers")
    assert 'name="terminate"' in text_of(controller.get(url(running)))
    assert "told to end it" in text_of(controller.post(url(running), {"terminate": "yes"}, follow=True))
    assert orders.call_args.args[1] == "revoke"
    assert orders.call_args.args[3] == ["celery@one"]


def test_a_run_that_has_ended_says_so():
    ended = a_run(a_schedule())
    client = logged_in("view", "operate")
    assert "nothing to cancel" in text_of(client.get(url(ended)))
    assert "has ended already" in text_of(client.post(url(ended), follow=True))
