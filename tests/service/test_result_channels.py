"""A sender that uses a result backend: nobody waits for results there, so nothing may pile up for them."""

from __future__ import annotations

import gc
import uuid

import pytest
import redis
from celery import Celery

from schedulerui import clock, dispatch
from schedulerui.models import Run

pytestmark = [pytest.mark.service, pytest.mark.django_db]
N_RUNS = 50


@pytest.mark.parametrize("options", [{}, {"countdown": 1}], ids=["the short way", "Celery's own way"])
def test_it_is_not_told_of_the_results_of_what_it_sent(redis_server, options):
    app = Celery("sender", broker=redis_server.url, backend=redis_server.url, set_as_current=False)
    app.conf.task_default_queue = f"q-{uuid.uuid4().hex[:8]}"
    with redis.Redis.from_url(redis_server.url) as client:
        before = set(client.pubsub_channels("celery-task-meta-*"))
        with dispatch.producer(app) as producer:
            for _ in range(N_RUNS):
                dispatch.publish(run_of(options), producer=producer, celery_app=app)
            dispatch.flush(producer=producer)
            gc.collect()
            assert client.llen(app.conf.task_default_queue) == N_RUNS
            # Those of others may end meanwhile.
            assert set(client.pubsub_channels("celery-task-meta-*")) <= before
    app.close()


def run_of(options):
    now = clock.now()
    return Run(
        uuid=uuid.uuid4(),
        key=f"m:{uuid.uuid4()}",
        due_at=now,
        created_at=now,
        task_id=str(uuid.uuid4()),
        task="tests.add",
        args=[],
        kwargs={},
        options=options,
    )
