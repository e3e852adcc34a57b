"""What every list asks of the database: the same number of queries for sixty rows, more than a page has, as for a thousand, and few."""

from __future__ import annotations

import uuid
from datetime import timedelta
from html.parser import HTMLParser

import pytest
import time_machine as clocks
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.models import (
    Alert,
    Beat,
    Change,
    Notification,
    Queue,
    Run,
    SavedView,
    Schedule,
    Silence,
    Worker,
)
from tests.benchmarks.big_data import fill
from tests.web.people import OF_THE_PERSON, a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db
FEW, MANY = 60, 1_000
LISTS = {
    "/schedules/": 6,
    "/schedules/?sort=name": 6,
    "/schedules/?sort=last": 6,
    "/schedules/?sort=failing": 6,
    "/schedules/?sort=rate": 6,
    "/schedules/?sort=duration": 6,
    "/schedules/?on=off": 6,
    "/schedules/?state=failing": 6,
    "/schedules/?q=team+next<30d+-tag:none": 6,
    "/runs/": 6,
    "/runs/?state=failed": 6,
    "/runs/?q=job+trigger:schedule": 6,
    "/runs/?sort=longest": 6,
    "/workers/": 6,
    "/alerts/": 6,
    "/audit/": 6,
    "/audit/?action=edit": 6,
    "/timeline/": 8,
    "/timeline/?q=team": 8,
    "/timeline/?span=7d": 8,
    "/timeline/?span=month": 8,
    "/": 8,
    "/complete/?q=task:": 1,
    "/complete/?q=tag:": 1,
    "/complete/?of=runs&q=worker:": 1,
}
"""An address and the most queries that it may ask, besides those about the person."""


def fill_all(n):
    """Make ``n`` rows of everything that a list shows."""
    now = clock.now()
    fill(n_schedules=n, n_runs=n, now=now)
    schedules = list(Schedule.objects.order_by("pk"))
    Worker.objects.bulk_create(
        Worker(
            instance=uuid.uuid4(), hostname=f"celery@{number}", pid=number, started_at=now, seen_at=now, queues=["mail"],
            tasks=["project.tasks.job_1"],
        )
        for number in range(n)
    )  # fmt: skip
    Beat.objects.bulk_create(
        Beat(host=f"h{number}", pid=number, started_at=now, seen_at=now) for number in range(n)
    )
    Queue.objects.bulk_create(Queue(name=f"q{number}", depth=1, measured_at=now) for number in range(n))
    Alert.objects.bulk_create(
        Alert(key=f"schedule:{each.pk}", kind="schedule", schedule=each, state="failing", since=now)
        for each in schedules
    )
    Notification.objects.bulk_create(
        Notification(key=f"n{alert.pk}", alert=alert, channel="mail", event="failing", next_try_at=now, created_at=now)
        for alert in Alert.objects.all()
    )  # fmt: skip
    Silence.objects.bulk_create(
        Silence(starts_at=now, ends_at=now + timedelta(hours=1), schedule=each, created_at=now)
        for each in schedules
    )
    Change.objects.bulk_create(
        Change(at=now, action="edit", actor="ana", via="browser", schedule=each, diff={"queue": ["", "mail"]})
        for each in schedules
    )
    SavedView.objects.bulk_create(
        SavedView(user=user, page=page, name=f"v{number}", query="on=on")
        for user in User.objects.all()
        for page in ("schedules", "runs")
        for number in range(min(n, 50))
    )


def count(client, address, **headers):
    client.get(address)  # what is loaded once for all, as content types, is loaded
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address, headers=headers)
    assert response.status_code == 200, address
    return len(asked) - OF_THE_PERSON


@pytest.fixture(scope="module")
def counts(django_db_setup, django_db_blocker):
    """Every address at sixty and at a thousand rows, asked once for all tests; nothing of it stays.

    The clock stands: a worker that falls silent between two looks would be news.
    """
    found = {}
    with django_db_blocker.unblock(), clocks.travel(clock.now(), tick=False):
        for n in (FEW, MANY):
            with transaction.atomic():
                client = logged_in("view", "operate", "change", "view_audit")
                fill_all(n)
                assert Run.objects.count() == n
                found[n] = {address: count(client, address) for address in LISTS}
                transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("address", LISTS)
def test_it_asks_few_queries_and_as_many_for_a_thousand_rows_as_for_sixty(counts, address):
    few, many = counts[FEW][address], counts[MANY][address]
    assert few == many
    assert many <= LISTS[address]


class _Live(HTMLParser):
    """What a page asks again: the addresses of its polls, each with what the browser tells of the page."""

    def __init__(self, page):
        super().__init__()
        self.polls, self.have = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        of_tag = dict(attributes)
        if "data-v" in of_tag:
            self.have.append(f"{of_tag['id']}:{of_tag['data-v']}")
        if "data-live" in of_tag and "hx-get" in of_tag:
            self.polls.append((of_tag["hx-get"], "data-live-have" in of_tag))

    def asked(self):
        told = f"have={','.join(self.have)}"
        return [
            f"{address}{'&' if '?' in address else '?'}{told}" if is_told else address
            for address, is_told in self.polls
        ]


@pytest.fixture
def pages():
    """Every page that asks again, by the number of its polls, with something to show on each."""
    fill_all(3)
    now = clock.now()
    schedule, worker = a_schedule(), a_worker(seen_at=now)
    sent = a_run(schedule, state="sent", sent_at=now - timedelta(hours=1), due_at=now)
    started = a_run(schedule, state="started", worker_instance=worker.instance, due_at=now)
    of_runs = {f"/runs/{run.uuid}/": 2 for run in (sent, started)}
    return {
        "/": 2, "/schedules/": 2, "/schedules/?sort=duration": 2, f"/schedules/{schedule.pk}/": 2, "/runs/": 2, "/workers/": 2,
        f"/workers/{worker.instance}/": 2, "/alerts/": 2, "/timeline/": 1, "/audit/": 1, **of_runs,
    }  # fmt: skip


def test_a_poll_without_news_is_one_query_and_no_byte_on_every_page(pages, time_machine):
    time_machine.move_to(clock.now() + timedelta(seconds=1), tick=False)
    client = logged_in("view", "operate", "change", "view_audit", "view_values", "control_workers")
    for page, n_polls in pages.items():
        polls = _Live(text_of(client.get(page))).asked()
        assert len(polls) == n_polls, page
        for address in polls:
            with CaptureQueriesContext(connection) as asked:
                response = client.get(address, headers={"HX-Request": "true"})
            assert (response.status_code, response.content) == (204, b""), (page, address)
            assert len(asked) - OF_THE_PERSON <= 1, (page, address)
