"""Claims: once per occurrence, whoever else is claiming; nothing lost, nothing sent twice under another id."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.operations import claims, recovery, runs
from schedulerui.testing import DULL_WEDNESDAY as NOON

DUE = NOON + timedelta(minutes=1)
MINUTE = timedelta(seconds=60)


def claim(now=DUE, owner="beat-1", limit=100, touch=lambda: None):
    lease = claims.Lease(owner=owner, until=now + timedelta(seconds=30))
    return claims.claim_due(lease=lease, now=now, limit=limit, touch=touch)


def recover(now, owner="beat-2"):
    lease = claims.Lease(owner=owner, until=now + timedelta(seconds=30))
    return recovery.recover(lease=lease, now=now, limit=100, manual_within=MINUTE)


def test_it_claims_what_is_due_and_moves_the_schedule_on(make_schedule):
    schedule = make_schedule(args=[1, 2], kwargs={"a": 3}, queue="reports")
    (run,) = claim().runs
    stored = Schedule.objects.get()
    assert stored.next_run_at == DUE + MINUTE
    assert stored.runs_created == 1
    assert (run.task, run.args, run.kwargs, run.queue) == ("tests.add", [1, 2], {"a": 3}, "reports")
    assert (run.state, run.owner, run.publishes) == ("pending", "beat-1", 1)
    state = ScheduleState.objects.get(schedule=schedule)
    assert (state.last_run_id, state.last_state) == (run.pk, "pending")


def test_the_last_run_is_told_with_the_dispatch_or_neither_is(make_schedule):
    schedule = make_schedule()

    class Away(Exception):
        pass

    def claim_in_vain():
        with transaction.atomic():
            claim()
            raise Away

    with pytest.raises(Away):
        claim_in_vain()
    state = ScheduleState.objects.filter(schedule=schedule).first()
    assert (Run.objects.count(), state and state.last_run_id) == (0, None)
    (run,) = claim().runs
    state = ScheduleState.objects.get(schedule=schedule)
    assert (state.last_run_id, state.last_run_at) == (run.pk, run.due_at)


def test_a_second_beat_finds_nothing(make_schedule):
    make_schedule()
    assert len(claim().runs) == 1
    assert claim(owner="beat-2").runs == ()
    assert Run.objects.count() == 1


def test_a_row_that_changed_under_the_claim_is_dropped(make_schedule):
    make_schedule()

    def somebody_edits():
        Schedule.objects.update(version=2)

    batch = claims._Batch(lease=claims.Lease(owner="x", until=DUE), now=DUE)
    claims._plan_all(batch, claims._take(batch, limit=10))
    somebody_edits()
    with pytest.raises(claims._LostRace):
        claims._apply(batch)
    assert not Run.objects.exists()


def test_the_unique_key_is_the_last_line_of_defence(make_schedule):
    schedule = make_schedule()
    other = make_schedule()
    claim()
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=DUE, next_nominal_at=DUE)
    Schedule.objects.filter(pk=other.pk).update(next_run_at=DUE + MINUTE)
    claimed = claim(now=DUE + timedelta(seconds=61))
    assert {(run.schedule_id, run.nominal_at) for run in claimed.runs} == {
        (schedule.pk, DUE + MINUTE),
        (other.pk, DUE + MINUTE),
    }
    # It was led back to an occurrence that has its row: that one is passed over, and the schedule goes on.
    assert Run.objects.filter(schedule=schedule, nominal_at=DUE).count() == 1
    stored = Schedule.objects.get(pk=schedule.pk)
    assert (stored.error, stored.next_run_at) == ("", DUE + 2 * MINUTE)


def test_a_poison_row_costs_one_row(make_schedule):
    good = make_schedule()
    bad = make_schedule(kind="crontab", expression="* * * * *")
    Schedule.objects.filter(pk=bad.pk).update(expression="99 * * * *")
    claimed = claim()
    assert [run.schedule_id for run in claimed.runs] == [good.pk]
    stored = Schedule.objects.get(pk=bad.pk)
    assert stored.next_run_at is None
    assert "99" in stored.error


@pytest.mark.parametrize("text", ["deep", '"text"', "7"])
def test_values_written_by_sql_that_no_form_would_take_do_not_stop_the_others(make_schedule, text):
    good, bad = make_schedule(), make_schedule()
    table = Schedule._meta.db_table
    if text == "deep":
        depth = 31 if connection.vendor == "mysql" else 900  # what the database itself lets in
        text = "[" * depth + "]" * depth
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET headers = %s WHERE id = %s", [text, bad.pk])
    claimed = claim()
    assert good.pk in [run.schedule_id for run in claimed.runs]
    assert bad.pk not in [run.schedule_id for run in claimed.runs]
    assert Schedule.objects.filter(pk=bad.pk, next_run_at__isnull=True).exclude(error="").exists()


def test_the_first_statement_of_a_claim_is_the_callers_write(make_schedule, django_assert_max_num_queries):
    make_schedule()
    seen = []
    claim(touch=lambda: seen.append(Run.objects.count()))
    assert seen == [0]


def test_a_claim_takes_no_more_than_its_limit_the_longest_overdue_first(make_schedule):
    late = make_schedule(now=NOON - timedelta(seconds=20))
    make_schedule()
    claimed = claim(limit=1)
    assert [run.schedule_id for run in claimed.runs] == [late.pk]


def test_the_number_of_statements_does_not_grow_with_the_batch(
    make_schedule, django_assert_num_queries, settings
):
    for _ in range(3):
        make_schedule()
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        assert len(claim().runs) == 3
    for _ in range(9):
        make_schedule(now=DUE)
    with CaptureQueriesContext(connection) as many:
        assert len(claim(now=DUE + MINUTE).runs) == 12
    assert len(many) == len(few)


def test_a_run_whose_beat_died_is_taken_over_under_the_same_task_id(make_schedule):
    make_schedule()
    (run,) = claim().runs
    assert recover(DUE + timedelta(seconds=29)).runs == ()
    (again,) = recover(DUE + timedelta(seconds=31)).runs
    assert (again.pk, again.task_id, again.publishes, again.owner) == (run.pk, run.task_id, 2, "beat-2")
    assert recover(DUE + timedelta(seconds=31), owner="beat-3").runs == ()


def test_a_run_that_must_go_at_most_once_becomes_unsent_instead(make_schedule):
    make_schedule(delivery="at_most_once")
    claim()
    assert recover(DUE + timedelta(seconds=31)).runs == ()
    run = Run.objects.get()
    assert run.state == "unsent"
    assert "at most once" in run.reason
    assert ScheduleState.objects.get().last_state == "unsent"


def test_runs_given_back_may_be_taken_at_once(make_schedule):
    make_schedule()
    claimed = list(claim().runs)
    assert recovery.release(claimed, owner="beat-1", now=DUE, reason="broker away", is_tried=True) == 1
    assert len(recover(DUE + timedelta(milliseconds=1)).runs) == 1


def test_marking_does_not_set_back_a_run_that_a_worker_has_already_finished(make_schedule):
    from schedulerui.facts import RunState, progress

    make_schedule()
    (run,) = claim().runs
    Run.objects.update(state="rejected", progress=progress(RunState.REJECTED), reason="unknown task")
    runs.mark_sent([run], sent_at=DUE)
    run.refresh_from_db()
    assert (run.state, run.sent_at, run.lease_until) == ("rejected", DUE, None)
    assert run.reason == "unknown task"


def test_what_was_missed_and_skipped_stands_among_the_last_outcomes(make_schedule):
    make_schedule(misfire="none")
    make_schedule(misfire="none", overlap="skip")
    claim(now=DUE + 3 * MINUTE + timedelta(seconds=5))
    assert list(ScheduleState.objects.order_by("pk").values_list("recent", flat=True)) == ["m0m0m0", "m0m0m0"]
    claim(now=DUE + 4 * MINUTE)
    assert list(ScheduleState.objects.order_by("pk").values_list("recent", flat=True)) == [
        "m0m0m0",
        "m0m0m0k0",
    ]


def test_a_message_that_never_arrived_blocks_a_schedule_that_must_not_overlap_only_for_so_long(
    make_schedule, settings
):
    settings.SCHEDULERUI = {"CELERY_APP": "tests.celery_app.app", "STALE_QUEUED_AFTER": 120}
    make_schedule(overlap="skip")
    (stuck,) = claim().runs
    runs.mark_sent([stuck], sent_at=DUE)
    assert claim(now=DUE + MINUTE).runs == ()
    assert len(claim(now=DUE + 3 * MINUTE).runs) == 1


def test_marking_twice_keeps_the_first_moment(make_schedule):
    make_schedule()
    (run,) = claim().runs
    runs.mark_sent([run], sent_at=DUE)
    runs.mark_sent([run], sent_at=DUE + MINUTE)
    run.refresh_from_db()
    assert (run.state, run.sent_at) == ("sent", DUE)
    assert ScheduleState.objects.get().last_state == "sent"


def test_an_edit_after_the_claim_does_not_change_what_is_sent(make_schedule, actor):
    from schedulerui.operations import schedules

    schedule = make_schedule(kwargs={"a": 1})
    claim()
    schedules.edit(schedule.pk, {"kwargs": {"a": 2}}, version=1, actor=actor, now=DUE)
    assert Run.objects.get().kwargs == {"a": 1}


def test_a_run_that_was_never_tried_is_sent_later_even_if_it_must_go_at_most_once(make_schedule):
    make_schedule(delivery="at_most_once")
    claimed = list(claim().runs)
    recovery.release(claimed, owner="beat-1", now=DUE, reason="broker away", is_tried=False)
    (again,) = recover(DUE + timedelta(milliseconds=1)).runs
    assert again.publishes == 1
