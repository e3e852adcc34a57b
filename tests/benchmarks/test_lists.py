"""What each list costs with 100,000 schedules and 1,000,000 runs; BENCH_SCHEDULES and BENCH_RUNS make it smaller.

SQLite by default; TEST_DATABASE_URL names another database.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import pytest
from django.db import connection
from django.template import Template

from schedulerui import clock
from schedulerui.models import Run, Schedule
from schedulerui.operations import word_index
from tests.benchmarks.big_data import fill, fill_changes
from tests.web.people import logged_in

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]
N_SCHEDULES = int(os.environ.get("BENCH_SCHEDULES", "100000"))
N_RUNS = int(os.environ.get("BENCH_RUNS", "1000000"))
TIMES = 40
LIST, TEXT, PREVIEW, POLL = 0.100, 0.400, 0.050, 0.050
"""Budgets in seconds at the 95th percentile: a list, words looked for without an index, the preview, a poll with no news."""
WORDS = LIST if connection.vendor == "postgresql" else TEXT
"""Words: PostgreSQL has an index for those in schedules, and runs are found by their schedules."""
PAGES = {
    "/schedules/": LIST,
    "/schedules/?sort=name": LIST,
    "/schedules/?sort=last": LIST,
    "/schedules/?sort=failing": LIST,
    "/schedules/?sort=rate": LIST,
    "/schedules/?sort=duration": LIST,
    "/schedules/?state=failing": LIST,
    "/schedules/?on=off": LIST,
    "/schedules/?q=queue:mail+next<1h": LIST,
    "/schedules/?q=tag:team5": WORDS,
    "/schedules/?q=000123": WORDS,
    "/schedules/?q=team+55": WORDS,
    "/schedules/?q=team": WORDS,
    "/schedules/?q=nothing-like-it": WORDS,
    "/runs/": LIST,
    "/runs/?state=failed": LIST,
    "/runs/?q=state:failed+due<24h": LIST,
    "/runs/?q=schedule:%22schedule+000123+of+team+26%22": LIST,
    "/runs/?sort=longest": TEXT,
    "/runs/?trigger=manual": TEXT,
    "/runs/?q=duration>95s": TEXT,
    "/runs/?q=late>5s": TEXT,
    "/runs/?q=job_55": WORDS,
    "/runs/?q=team": WORDS,
    "/runs/?q=team+55": WORDS,
    "/runs/?q=nothing-like-it": WORDS,
    "/complete/?q=task:": LIST,
    "/complete/?q=tag:team1": TEXT,
    "/": LIST,
    "/live/overview/": LIST,
    "/preview/?kind=crontab&expression=30+2+*+*+*&tz=Europe/Berlin": PREVIEW,
    "/workers/": LIST,
    "/alerts/": LIST,
    "/audit/": LIST,
    "/audit/?actor=nobody-like-it": LIST,
    "/timeline/": LIST,
    "/timeline/?span=7d": LIST,
    "/timeline/?span=month": LIST,
}


def processor_time():
    """Seconds that this process and its session of PostgreSQL have had of a processor: other jobs do not change them."""
    spent = time.process_time()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        spent += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return spent


def seconds_of(client, address, expected=200):
    """Return the 95th percentile of processor time."""
    took: list[float] = []
    client.get(address)
    for _again in range(TIMES):
        began = processor_time()
        assert client.get(address).status_code == expected
        took.append(processor_time() - began)
    return sorted(took)[TIMES * 95 // 100]


def far_pages(client):
    """Addresses of pages deep in the lists, as their neighbours' links would name them."""
    middle = Schedule.objects.order_by("name")[N_SCHEDULES - 200]
    due = Schedule.objects.exclude(next_run_at=None).order_by("next_run_at", "id")[int(N_SCHEDULES * 0.9)]
    run = Run.objects.newest_first()[N_RUNS - 200]
    assert due.next_run_at is not None
    return {
        f"/schedules/?sort=name&older=={middle.name}_{middle.pk}": LIST,
        f"/schedules/?older=={due.next_run_at.isoformat().replace('+', '%2B')}_{due.pk}": LIST,
        f"/runs/?older={run.due_at.isoformat().replace('+', '%2B')}_{run.pk}": LIST,
    }


def polls(client):
    """Addresses that open lists ask again, with what their pages have.

    Schedules by name: nothing sends those that are due next, so they look late when the poll is asked.
    """
    found = {}
    for page, order, name in (("/schedules/", "?sort=name", "schedule"), ("/runs/", "", "run")):
        shown = client.get(page + order).context
        have = ",".join(f"{name}-{row.pk}:{row.digest}" for row in shown["rows"])
        found[f"/live{page}?newest={shown['newest']}&have={have},news:0"] = POLL
    return found


def as_a_server_does(template, context):
    """Draw a template; without the copy of its context that Django keeps for tests."""
    return template.nodelist.render(context)


def test_every_list_stays_within_its_budget(monkeypatch):
    began = time.perf_counter()
    fill(n_schedules=N_SCHEDULES, n_runs=N_RUNS, now=clock.now())
    fill_changes(N_RUNS // 5, now=clock.now())
    if connection.vendor == "postgresql":
        word_index.create()
        with connection.cursor() as cursor:
            cursor.execute(
                "VACUUM (ANALYZE)"
            )  # as autovacuum does it within minutes, but not while something is measured
            cursor.execute("SET max_parallel_workers_per_gather = 0")  # whose time would not be counted
    print(f"\n{connection.vendor}: filled in {time.perf_counter() - began:.0f} s")
    # What filled the tables left objects behind that a server would not have: no collection looks through them again.
    gc.collect()
    gc.freeze()
    client, slow = logged_in("view", "operate", "view_audit"), []
    asked_again = polls(client)
    monkeypatch.setattr(Template, "_render", as_a_server_does)
    asked = {**PAGES, **far_pages(client), **asked_again}
    for address, budget in asked.items():
        p95 = seconds_of(client, address, expected=204 if address in asked_again else 200)
        print(f"{p95 * 1e3:7.1f} ms  (budget {budget * 1e3:.0f})  {address[:90]}", flush=True)
        if p95 > budget:
            slow.append((address, p95))
    assert slow == []
