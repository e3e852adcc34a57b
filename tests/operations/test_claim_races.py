"""Two who want the same rows at the same moment, many times over: each occurrence gets one row, each run one owner.

The service tests run this on PostgreSQL and MariaDB too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import OperationalError, connection, transaction

from schedulerui.facts import RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import claims, recovery, runs, schedules
from schedulerui.testing import DULL_WEDNESDAY as NOON
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

N_ROUNDS = 15
N_SCHEDULES = 12
MINUTE = timedelta(minutes=1)


def claim(now, *, owner):
    lease = claims.Lease(owner=owner, until=now + timedelta(seconds=30))
    return claims.claim_due(lease=lease, now=now, limit=100, touch=write_something).runs


def write_something():
    """What a beat's heartbeat is to a claim: a write that comes before the reads."""
    Schedule.objects.filter(pk=0).update(name="nobody")


def recover(now, *, owner):
    lease = claims.Lease(owner=owner, until=now + timedelta(seconds=30))
    return recovery.recover(lease=lease, now=now, limit=100, manual_within=MINUTE).runs


def promote(now, *, owner):
    lease = claims.Lease(owner=owner, until=now + timedelta(seconds=30))
    return recovery.promote(lease=lease, now=now, limit=100, queued_since=now - timedelta(days=1)).runs


def at_the_same_moment(*actions):
    """Do these in a thread each, begun together; returns what they returned. A refused lock is tried again, as beat does."""
    barrier = Barrier(len(actions))

    def do(action):
        try:
            barrier.wait(timeout=60)
            answers = []

            def once():
                answers.append(action())
                return True

            eventually(once, within=60, every=0.005, ignoring=OperationalError)
            return answers[-1]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(do, actions))


@pytest.fixture
def minutely(make_schedule):
    return [make_schedule(every=1, period="minutes") for _ in range(N_SCHEDULES)]


def assert_one_row_an_occurrence(*, n_minutes):
    """Each schedule has exactly the minutes that have passed; the unique key would have refused a second row."""
    for pk in Schedule.objects.values_list("pk", flat=True):
        minutes = Run.objects.filter(schedule=pk).order_by("nominal_at").values_list("nominal_at", flat=True)
        assert list(minutes) == [NOON + n * MINUTE for n in range(1, n_minutes + 1)]


def test_two_beats_that_claim_the_same_rows_get_each_of_them_once(minutely):
    for number in range(1, N_ROUNDS + 1):
        now = NOON + number * MINUTE
        first, second = at_the_same_moment(partial(claim, now, owner="one"), partial(claim, now, owner="two"))
        left = claim(now, owner="one")  # what one of them dropped because the other held it
        claimed = [(run.schedule_id, run.nominal_at) for run in (*first, *second, *left)]
        assert len(claimed) == len(set(claimed)) == N_SCHEDULES
        assert {run.task_id for run in (*first, *second, *left)} == set(
            Run.objects.filter(nominal_at=now).values_list("task_id", flat=True)
        )
    assert_one_row_an_occurrence(n_minutes=N_ROUNDS)


def test_a_claim_and_an_edit_of_the_same_rows_lose_neither(minutely, actor):
    def edit_all(now, words):
        for schedule in minutely:
            version = Schedule.objects.get(pk=schedule.pk).version
            schedules.edit(schedule.pk, {"description": words}, version=version, actor=actor, now=now)

    for number in range(1, N_ROUNDS + 1):
        now = NOON + number * MINUTE
        at_the_same_moment(partial(claim, now, owner="one"), partial(edit_all, now, f"words {number}"))
        claim(now, owner="one")
        assert set(Schedule.objects.values_list("next_run_at", flat=True)) == {now + MINUTE}
        assert set(Schedule.objects.values_list("description", flat=True)) == {f"words {number}"}
    assert_one_row_an_occurrence(n_minutes=N_ROUNDS)


def test_a_claim_and_a_switch_leave_no_run_to_send_of_what_is_off(minutely, actor):
    def disable_all(now):
        return [schedules.disable(schedule.pk, actor=actor, now=now).changed for schedule in minutely]

    for number in range(1, N_ROUNDS + 1):
        now = NOON + number * MINUTE
        at_the_same_moment(partial(claim, now, owner="one"), partial(disable_all, now))
        assert claim(now, owner="one") == ()
        assert not Schedule.objects.exclude(next_run_at=None).exists()
        made = Run.objects.filter(nominal_at=now)
        assert set(made.values_list("state", flat=True)) <= {str(RunState.CANCELLED)}
        for schedule in minutely:
            schedules.enable(schedule.pk, actor=actor, now=now)
        assert set(Schedule.objects.values_list("next_run_at", flat=True)) == {now + MINUTE}


def test_two_beats_that_recover_the_same_runs_take_each_of_them_once(minutely):
    now = NOON + MINUTE
    claim(now, owner="gone")
    for number in range(1, N_ROUNDS + 1):
        now += timedelta(seconds=31)
        first, second = at_the_same_moment(
            partial(recover, now, owner="one"), partial(recover, now, owner="two")
        )
        taken = [run.pk for run in (*first, *second)]
        assert len(taken) == len(set(taken))
        assert not Run.objects.filter(lease_until__lte=now).exists()
        assert set(Run.objects.values_list("publishes", flat=True)) == {1 + number}


def test_a_claim_and_a_recovery_do_not_get_in_each_others_way(minutely):
    claim(NOON + MINUTE, owner="gone")
    now = NOON + MINUTE + timedelta(seconds=61)
    for number in range(1, N_ROUNDS + 1):
        claimed, recovered = at_the_same_moment(
            partial(claim, now, owner="one"), partial(recover, now, owner="two")
        )
        assert {run.nominal_at for run in claimed} == {NOON + (number + 1) * MINUTE}
        assert len(claimed) == N_SCHEDULES
        assert len(recovered) >= N_SCHEDULES
        assert {run.owner for run in recovered} == {"two"}
        now += MINUTE
    assert_one_row_an_occurrence(n_minutes=N_ROUNDS + 1)


def test_a_claim_and_a_click_never_put_two_runs_beside_each_other(make_schedule, actor):
    busy = [make_schedule(every=1, period="minutes", overlap="skip") for _ in range(N_SCHEDULES)]

    def click_all(number, now):
        for schedule in busy:
            runs.run_now(schedule.pk, token=str(number), actor=actor, now=now, publish=lambda run: None)

    for number in range(1, N_ROUNDS + 1):
        now = NOON + number * MINUTE
        at_the_same_moment(partial(claim, now, owner="one"), partial(click_all, number, now))
        claim(now, owner="one")
        alive = Run.objects.active().values_list("schedule_id", flat=True)
        assert sorted(alive) == sorted(schedule.pk for schedule in busy)
        Run.objects.exclude(state="skipped").update(state="succeeded", lease_until=None)


def test_two_beats_that_promote_at_one_moment_let_one_run_of_a_schedule_go(make_schedule):
    busy = [
        make_schedule(every=1, period="minutes", overlap="queue", queue_max=3) for _ in range(N_SCHEDULES)
    ]
    claim(NOON + MINUTE, owner="gone")
    for number in range(1, N_ROUNDS + 1):
        now = NOON + (number + 1) * MINUTE
        claim(now, owner="one")
        Run.objects.active().update(state="succeeded", lease_until=None)
        first, second = at_the_same_moment(
            partial(promote, now, owner="one"), partial(promote, now, owner="two")
        )
        assert sorted(run.schedule_id for run in (*first, *second)) == sorted(each.pk for each in busy)


def test_a_claim_passes_over_rows_that_somebody_holds_and_is_not_held_up(minutely):
    if not connection.features.has_select_for_update_skip_locked:
        return  # SQLite lets one write at a time: there is no row that somebody else could hold
    held = [schedule.pk for schedule in minutely[:5]]
    now = NOON + MINUTE

    def claim_beside():
        try:
            return claim(now, owner="one")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(Schedule.objects.filter(pk__in=held).select_for_update())
            claimed = pool.submit(claim_beside).result(timeout=60)  # while the others are held
        assert {run.schedule_id for run in claimed} == {schedule.pk for schedule in minutely} - set(held)
    assert {run.schedule_id for run in claim(now, owner="one")} == set(held)


def test_a_click_and_a_deletion_end_as_one_after_the_other_would(make_schedule, actor):
    def click(pk, token):
        try:
            return runs.run_now(pk, token=token, actor=actor, now=NOON, publish=lambda _run: None).created
        except Schedule.DoesNotExist:
            return False

    for number in range(N_ROUNDS):
        made = make_schedule()
        at_the_same_moment(
            partial(click, made.pk, f"token {number}"),
            partial(schedules.delete, made.pk, actor=actor, now=NOON),
        )
    assert not Schedule.objects.exists()
    assert not Run.objects.filter(schedule__isnull=False).exists()
