"""The scan of the invariants: it finds each kind of what should never be, and nothing where all is well."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection

from schedulerui.models import Beat, Change, Finding, Queue, Run, Schedule
from schedulerui.operations import adoption, claims, scanner, schedules
from schedulerui.operations.scanner import Invariant
from schedulerui.testing import DULL_WEDNESDAY as NOON
from tests.operations.history_cases import make_run

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def beat(db):
    """A beat that has ticked at every moment of these tests."""
    return Beat.objects.create(host="one", pid=1, started_at=NOON, seen_at=NOON + timedelta(days=2))


def found(now, **kwargs):
    """What a scan found, by invariant, without those that hold."""
    return {each.invariant: each for each in scanner.scan(now=now, **kwargs).found if each.n}


def claim(now):
    lease = claims.Lease(owner="beat-1", until=now + 30 * SECOND)
    return claims.claim_due(lease=lease, now=now, limit=100, touch=lambda: None).runs


def claim_minutes(n):
    """Claim each minute of the first ``n`` in time, as beat does."""
    for minute in range(1, n + 1):
        claim(NOON + minute * MINUTE)
    Run.objects.filter(state="pending").update(state="succeeded", lease_until=None)


def test_it_finds_nothing_when_all_is_well(beat, make_schedule):
    make_schedule(every=1, period="minutes")
    make_schedule(kind="manual", every=None, period="")
    claim_minutes(5)
    assert found(NOON + 5 * MINUTE + SECOND, limit=None) == {}


def test_it_finds_a_schedule_that_is_overdue_although_a_beat_ticks(beat, make_schedule):
    late = make_schedule(every=1, period="minutes", grace=30)
    make_schedule(every=1, period="minutes", grace=300)
    (example,) = found(NOON + 2 * MINUTE)[Invariant.OVERDUE].examples
    assert (example.name, example.schedule) == (late.name, late.pk)


def test_it_calls_nothing_overdue_while_no_beat_ticks(make_schedule):
    make_schedule(every=1, period="minutes", grace=30)
    scanned = scanner.scan(now=NOON + 5 * MINUTE)
    assert not scanned.is_beating
    assert scanned.n == 0


def test_it_finds_a_claimed_run_past_its_lease(beat, make_schedule):
    make_schedule(every=1, period="hours")
    (run,) = claim(NOON + 60 * MINUTE)
    assert Invariant.LEASE not in found(run.lease_until + 5 * SECOND)
    lease = found(run.lease_until + 11 * SECOND)[Invariant.LEASE]
    assert (lease.n, lease.examples[0].run) == (1, str(run.uuid))
    assert "beat-1" in lease.examples[0].detail


@pytest.mark.parametrize(
    ("queue", "depth", "n"),
    [("", 0, 1), ("", 7, 0), ("", None, 0), ("reports", 0, 1), ("elsewhere", 0, 0)],
)
def test_it_finds_what_was_sent_and_never_received_where_a_worker_consumes_an_empty_queue(
    beat, make_worker, queue, depth, n
):
    sent = make_run(state="sent", sent_at=NOON, queue=queue)
    make_worker(instance=uuid.uuid4(), queues=["celery", "reports"], seen_at=NOON + 5 * MINUTE)
    Queue.objects.create(name="celery", depth=depth, measured_at=NOON)
    received = found(NOON + 5 * MINUTE).get(
        Invariant.NEVER_RECEIVED, scanner.Found(invariant=Invariant.LEASE)
    )
    assert [example.run for example in received.examples] == [str(sent.uuid)] * n


def test_it_does_not_wait_for_workers_that_nobody_hears(beat):
    make_run(state="sent", sent_at=NOON)
    assert found(NOON + 5 * MINUTE) == {}


def test_it_finds_a_time_without_a_row(beat, make_schedule):
    schedule = make_schedule(every=1, period="minutes")
    claim_minutes(5)
    Run.objects.filter(nominal_at=NOON + 3 * MINUTE).delete()
    (example,) = found(NOON + 5 * MINUTE + SECOND)[Invariant.UNACCOUNTED].examples
    assert (example.schedule, example.detail) == (schedule.pk, "no row for 2026-03-04 12:03:00 UTC")


def test_a_row_of_many_times_stands_for_all_of_them(beat, make_schedule):
    make_schedule(every=1, period="minutes", misfire="none")
    now = NOON + timedelta(minutes=55)
    claim(now)
    assert Run.objects.filter(count__gt=1).exists()
    assert found(now + SECOND, limit=None) == {}


def test_times_that_were_purged_for_their_number_are_not_asked_for(beat, make_schedule, settings):
    make_schedule(every=1, period="minutes")
    claim_minutes(6)
    Run.objects.filter(nominal_at=NOON + 2 * MINUTE).delete()
    now = NOON + 6 * MINUTE + SECOND
    assert found(now)[Invariant.UNACCOUNTED].n == 1
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "KEEP_RUNS_PER_SCHEDULE": 3}
    assert found(now) == {}


def test_times_before_an_edit_are_not_asked_for(beat, make_schedule, actor):
    schedule = make_schedule(every=1, period="minutes")
    claim_minutes(3)
    Run.objects.all().delete()
    now = NOON + 3 * MINUTE + 10 * SECOND
    schedules.disable(schedule.pk, actor=actor, now=now)
    schedules.enable(schedule.pk, actor=actor, now=now + SECOND)
    assert found(now + 2 * SECOND, limit=None) == {}


def test_it_goes_through_the_table_in_parts(beat, make_schedule):
    for _ in range(5):
        make_schedule(every=1, period="minutes")
    claim_minutes(2)
    broken = Schedule.objects.order_by("pk").last()
    Run.objects.filter(schedule=broken, nominal_at=NOON + MINUTE).delete()
    now, after, n_scans, gaps = NOON + 2 * MINUTE + SECOND, 0, 0, 0
    while True:
        scanned = scanner.scan(now=now, after=after, limit=2)
        gaps += scanned.n
        n_scans, after = n_scans + 1, scanned.next_after
        if not after:
            break
    assert (n_scans, gaps) == (3, 1)


def test_it_finds_a_schedule_that_is_on_and_will_never_run(beat, make_schedule):
    stranded = make_schedule(every=1, period="minutes")
    used_up = make_schedule(every=1, period="minutes", max_runs=1)
    ended = make_schedule(every=1, period="minutes", end_at=NOON + MINUTE)
    off = make_schedule(every=1, period="minutes", enabled=False)
    Schedule.objects.filter(pk=used_up.pk).update(runs_created=1)
    for schedule in (stranded, used_up, ended, off):
        Schedule.objects.filter(pk=schedule.pk).update(next_run_at=None, next_nominal_at=None)
    (example,) = found(NOON + 2 * MINUTE)[Invariant.STRANDED].examples
    assert example.schedule == stranded.pk


def test_it_finds_what_runs_on_a_worker_that_is_gone(beat, make_worker):
    gone, living = uuid.uuid4(), uuid.uuid4()
    make_worker(instance=gone, seen_at=NOON)
    make_worker(instance=living, seen_at=NOON + 5 * MINUTE)
    lost = make_run(state="started", worker="celery@one", worker_instance=gone)
    make_run(state="started", worker="celery@two", worker_instance=living)
    (example,) = found(NOON + 5 * MINUTE)[Invariant.ORPHANED].examples
    assert example.run == str(lost.uuid)


def test_what_it_counts_is_bounded(beat, make_schedule, monkeypatch):
    monkeypatch.setattr(scanner, "COUNT_MAX", 2)
    for _ in range(4):
        make_schedule(every=1, period="minutes", grace=0)
    overdue = found(NOON + 5 * MINUTE)[Invariant.OVERDUE]
    assert (overdue.n, overdue.is_lower_bound) == (2, True)


def test_it_asks_a_fixed_number_of_questions(beat, make_schedule, django_assert_max_num_queries):
    for _ in range(30):
        make_schedule(every=1, period="minutes")
    claim_minutes(1)
    with django_assert_max_num_queries(45):
        scanner.scan(now=NOON + MINUTE + SECOND)


def test_its_questions_are_answered_by_indexes(
    beat, make_schedule, make_worker, django_assert_max_num_queries
):
    if connection.vendor != "sqlite":
        return  # the planners of the others choose by statistics, which an empty table does not have
    make_schedule(every=1, period="minutes")
    make_worker(instance=uuid.uuid4(), queues=["celery"], seen_at=NOON + 5 * MINUTE)
    with django_assert_max_num_queries(20) as captured:
        scanner.scan(now=NOON + 5 * MINUTE)
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = " ".join(str(row[-1]) for row in cursor.fetchall())
        assert "SCAN schedulerui_run" not in plan, query["sql"]
        assert "SCAN schedulerui_schedule" not in plan or "su_schedule_due" in plan, query["sql"]


def test_the_last_scan_is_kept_a_kind_a_row(beat, make_schedule):
    schedule = make_schedule(every=1, period="minutes", grace=0)
    scanner.store(scanner.scan(now=NOON + 5 * MINUTE).found, at=NOON)
    overdue = Finding.objects.get(kind="overdue")
    assert (overdue.n, overdue.examples[0]["schedule"]) == (1, schedule.pk)
    claim(NOON + 5 * MINUTE)
    scanner.store(scanner.scan(now=NOON + 5 * MINUTE + SECOND).found, at=NOON + SECOND)
    assert Finding.objects.count() == len(Invariant)
    kept = Finding.objects.get(kind="overdue")
    assert (kept.n, kept.checked_at) == (0, NOON + SECOND)


def test_it_finds_what_the_code_of_an_app_without_a_beat_defined_and_its_new_name_mends_it(
    beat, make_schedule, actor
):
    entry = {"task": "tests.add", "kind": "interval", "every": 60, "period": "seconds"}
    adoption.adopt({"close": entry, "gone": entry}, app="shop", now=NOON)
    Beat.objects.update(software={"app": "shop"})
    assert Invariant.OWNERLESS not in found(NOON)
    Beat.objects.update(software={"app": "store"})
    changed = entry | {"every": 30}
    assert (
        "give one of them another name" in adoption.adopt({"close": changed}, app="store", now=NOON)["close"]
    )
    ownerless = found(NOON)[Invariant.OWNERLESS]
    assert (ownerless.n, ownerless.examples[0].detail) == (2, "from the code of shop")
    assert adoption.rename_app("shop", "store", actor=actor, now=NOON) == 2
    assert adoption.adopt({"close": changed}, app="store", now=NOON) == {}
    assert Invariant.OWNERLESS not in found(NOON)
    assert list(Schedule.objects.order_by("name").values_list("name", "enabled", "every")) == [
        ("close", True, 30),
        ("gone", False, 60),
    ]
    assert Change.objects.filter(action="rename_app", actor=actor.name).count() == 2


def test_it_does_not_ask_whose_code_it_was_while_a_beat_does_not_tell_its_app(beat, make_schedule):
    adoption.adopt({"close": {"task": "tests.add", "kind": "manual"}}, app="shop", now=NOON)
    assert Invariant.OWNERLESS not in found(NOON)
    Beat.objects.all().delete()
    assert Invariant.OWNERLESS not in found(NOON)
