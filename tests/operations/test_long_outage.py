"""Forty days without a beat: a few rows a schedule, every time in one of them, and one claim after the other to the end."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from schedulerui.models import Run, Schedule
from schedulerui.operations import claims
from schedulerui.planning import MISSED_ROWS_MAX
from schedulerui.testing import DULL_WEDNESDAY as NOW

pytestmark = pytest.mark.django_db(transaction=True)
AWAY = timedelta(days=40)
N_EACH = 40 * 24 * 60
"""Times of a schedule that is due every minute; the first one is a minute after it was made."""


def claim_all(now, *, limit=20):
    """Claim until nothing is due; returns how many claims that took."""
    for n_claims in range(1, 100):
        lease = claims.Lease(owner="one", until=now + timedelta(seconds=30))
        claims.claim_due(lease=lease, now=now, limit=limit, touch=lambda: None)
        if not Schedule.objects.due(now).exists():
            return n_claims
    pytest.fail("there is always something due")


N_MANY = 1_000 if os.environ.get("SCHEDULERUI_SIMULATE") else 20


@pytest.mark.parametrize("kind", ["crontab", "interval"])
def test_many_schedules_come_back_from_forty_days_with_few_rows(make_schedule, kind):
    """``make simulate`` takes a thousand, and prints what that costs."""
    is_crontab = kind == "crontab"
    rule = {"kind": "crontab", "expression": "* * * * *", "every": None, "period": ""} if is_crontab else {}
    first = make_schedule(**rule)
    Schedule.objects.bulk_create(copies_of(first, N_MANY - 1))
    wall, cpu = time.perf_counter(), time.process_time()
    n_claims = claim_all(NOW + AWAY, limit=500)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    n_rows = Run.objects.count()
    print(
        f"\n40 days without a beat, {N_MANY:,} schedules of every minute ({kind}): "
        f"{n_claims} claims, {n_rows:,} rows, {wall:.1f} s, {cpu:.1f} s of processor time"
    )
    assert n_claims <= 2
    assert n_rows < 25 * N_MANY
    accounted = dict(Run.objects.values_list("schedule").annotate(total=Sum("count")))
    assert set(accounted.values()) == {N_EACH}
    assert len(accounted) == N_MANY


def copies_of(schedule, n):
    """Return schedules like it, not saved, each with a uuid and a name of its own."""
    values = {field.attname: getattr(schedule, field.attname) for field in Schedule._meta.concrete_fields}
    for number in range(n):
        yield Schedule(**values | {"id": None, "uuid": uuid.uuid4(), "name": f"{schedule.name} {number}"})


@pytest.mark.parametrize(("misfire", "n_sent"), [("latest", 1), ("none", 1), ("all", 101)])
def test_forty_days_of_outage_become_a_few_rows_that_account_for_every_time(make_schedule, misfire, n_sent):
    rules: tuple[dict[str, object], ...] = (
        {},
        {"kind": "crontab", "expression": "* * * * *", "every": None, "period": ""},
    )
    made = [make_schedule(misfire=misfire, **rules[number % 2]) for number in range(30)]
    assert claim_all(NOW + AWAY) <= 4
    rows = Run.objects.values_list("schedule_id", "state", "count")
    counted: Counter[int] = Counter()
    n_rows: Counter[int] = Counter()
    for schedule, state, count in rows:
        counted[schedule] += count
        n_rows[schedule] += state == "missed"
    assert set(counted.values()) == {N_EACH}
    assert set(counted) == {schedule.pk for schedule in made}
    assert max(n_rows.values()) <= MISSED_ROWS_MAX + 2
    assert Run.objects.filter(state="pending").count() == len(made) * n_sent
    assert Schedule.objects.filter(next_run_at__lte=NOW + AWAY).count() == 0


def test_claiming_after_a_long_outage_costs_few_statements_however_many_schedules_there_are(make_schedule):
    counts = []
    for n in (10, 40):
        for _ in range(n):
            make_schedule()
        with CaptureQueriesContext(connection) as asked:
            claims.claim_due(
                lease=claims.Lease(owner="one", until=NOW + AWAY),
                now=NOW + AWAY,
                limit=500,
                touch=lambda: None,
            )
        counts.append(len(asked))
        Schedule.objects.all().delete()
    assert counts[0] == counts[1] <= 20
