from __future__ import annotations

import itertools
import random

import pytest

from schedulerui.dispatch_canvas import write_parts
from schedulerui.facts import RunState
from schedulerui.models import Part, Run, ScheduleState
from schedulerui.operations import canvas, starts
from schedulerui.operations.history import record
from schedulerui.operations.losses import mark_lost
from schedulerui.operations.reports import Report
from schedulerui.operations.runs import mark_sent
from tests.operations.history_cases import NEW, OLD, after, make_run
from tests.web.people import a_schedule

pytestmark = pytest.mark.django_db
S = RunState
STEP = {"type": "task", "task": "tests.add"}


def a_canvas_run(shape="chain", n=3, **fields):
    run = make_run(canvas=canvas.read({"type": shape, "steps": [STEP] * n}), **fields)
    write_parts(run)
    return run


def told(run, path, state, second, *, attempt=0, received=None, instance=OLD, **fields):
    part = Part.objects.get(run=run, path=path)
    return Report(
        task_id=part.task_id,
        state=state,
        moment=after(second),
        attempt=attempt,
        worker="celery@one",
        instance=instance,
        received_at=after(second if received is None else received),
        **fields,
    )


def test_what_a_part_logs_while_it_runs_locks_nobody_out(django_assert_num_queries):
    run = a_canvas_run()
    record(told(run, "0", S.STARTED, 1))
    before = Part.objects.filter(run=run).values_list().order_by("pk")
    as_it_was = list(before.all())
    so_far = told(run, "0", S.STARTED, 1, log="one")
    with django_assert_num_queries(2):
        record(so_far)
    assert list(before.all()) == as_it_was
    record(told(run, "0", S.SUCCEEDED, 3, received=1, log="one\ntwo"))
    assert states(run)[0] == "succeeded"


def states(run):
    return list(run.parts.values_list("state", flat=True))


def test_a_chain_is_started_by_its_first_part_and_over_with_its_last():
    schedule = a_schedule()
    run = a_canvas_run(schedule=schedule)
    seen = []
    for path, second in (("0", 1), ("1", 3), ("2", 5)):
        record(told(run, path, S.STARTED, second, started_at=after(second)))
        record(told(run, path, S.SUCCEEDED, second + 1, received=second, started_at=after(second)))
        run.refresh_from_db()
        seen.append(run.state)
    assert seen == ["started", "started", "succeeded"]
    assert (run.started_at, run.finished_at, run.runtime) == (after(1), after(6), 5.0)
    state = ScheduleState.objects.get(schedule=schedule)
    assert (state.last_state, len(state.recent), state.failure_streak) == ("succeeded", 2, 0)


def test_a_failure_ends_the_run_and_what_waits_for_it():
    schedule = a_schedule()
    run = a_canvas_run(schedule=schedule)
    record(told(run, "0", S.FAILED, 1, exception="ValueError: no", traceback="Traceback: no"))
    run.refresh_from_db()
    assert (run.state, run.exception, run.traceback) == ("failed", "ValueError: no", "Traceback: no")
    assert states(run) == ["failed", "cancelled", "cancelled"]
    assert ScheduleState.objects.get(schedule=schedule).failure_streak == 1


def test_other_parts_of_a_group_go_on_after_a_failure_and_are_counted_once():
    schedule = a_schedule()
    run = a_canvas_run("group", 2, schedule=schedule)
    record(told(run, "0", S.FAILED, 1))
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("started", None)
    record(told(run, "1", S.SUCCEEDED, 2))
    run.refresh_from_db()
    assert run.finished_at == after(2)
    assert (run.state, states(run)) == ("failed", ["failed", "succeeded"])
    assert len(ScheduleState.objects.get(schedule=schedule).recent) == 2


def test_a_retry_of_a_part_keeps_the_run_going():
    run = a_canvas_run(n=1)
    record(told(run, "0", S.RETRYING, 1))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("started", ["retrying"])
    record(told(run, "0", S.SUCCEEDED, 3, attempt=1))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("succeeded", ["succeeded"])


def test_a_lost_part_that_is_delivered_again_opens_its_run():
    run = a_canvas_run(n=2)
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    record(told(run, "0", S.LOST, 2, received=1))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("lost", ["lost", "cancelled"])
    record(told(run, "0", S.SUCCEEDED, 9, instance=NEW))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("started", ["succeeded", "waiting"])
    record(told(run, "1", S.SUCCEEDED, 10, instance=NEW))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("succeeded", ["succeeded", "succeeded"])


def test_repeated_and_disordered_reports_come_to_the_same():
    reports = list(itertools.product("012", [(S.RECEIVED, 1), (S.STARTED, 2), (S.SUCCEEDED, 3)]))
    chance = random.Random(7)
    for _ in range(10):
        run = a_canvas_run("group")
        order = reports * 2
        chance.shuffle(order)
        for path, (state, second) in order:
            record(told(run, path, state, second, received=1, started_at=after(2) if second > 1 else None))
        run.refresh_from_db()
        assert (run.state, set(states(run)), run.runtime) == ("succeeded", {"succeeded"}, 1.0)


def test_writing_parts_twice_makes_them_once():
    run = a_canvas_run()
    write_parts(run)
    assert run.parts.count() == 3


def test_a_report_about_nobody_changes_nothing():
    report = Report(task_id="unknown", state=S.STARTED, moment=after(1))
    assert record(report) is False
    assert Run.objects.count() == 0


def test_a_part_on_a_worker_that_is_gone_is_lost():
    run = a_canvas_run(n=2)
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    assert mark_lost(after(1)) == 0
    assert mark_lost(after(100_000)) == 1
    assert mark_lost(after(100_000)) == 0
    run.refresh_from_db()
    assert (run.state, states(run)) == ("lost", ["lost", "cancelled"])


def test_a_run_that_is_half_sent_stays_pending_so_that_recovery_finds_the_rest():
    run = a_canvas_run("group", 2, state=S.PENDING, lease_until=after(30))
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    record(told(run, "0", S.SUCCEEDED, 2, received=1))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("pending", ["succeeded", "waiting"])
    record(told(run, "1", S.RECEIVED, 3))
    run.refresh_from_db()
    assert run.state == "started"


def test_a_run_that_is_marked_as_sent_catches_up_with_its_parts():
    run = a_canvas_run("group", 2, state=S.PENDING, lease_until=after(30))
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    mark_sent([run], sent_at=after(1))
    run.refresh_from_db()
    assert (run.state, run.lease_until, run.sent_at, run.started_at) == ("started", None, after(1), after(1))


def test_one_that_may_go_once_only_stays_unsent_when_half_of_it_went():
    run = a_canvas_run("group", 2, state=S.UNSENT)
    record(told(run, "0", S.SUCCEEDED, 2))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("unsent", ["succeeded", "waiting"])


def test_a_part_that_was_only_received_waits_again_when_its_worker_dies():
    run = a_canvas_run(n=2)
    record(told(run, "0", S.RECEIVED, 1))
    run.refresh_from_db()
    assert run.state == "received"
    assert mark_lost(after(100_000)) == 1
    assert mark_lost(after(100_000)) == 0
    run.refresh_from_db()
    assert (run.state, states(run)) == ("sent", ["waiting", "waiting"])
    assert "will hand it over again" in run.parts.get(path="0").reason
    for path, second in (("0", 7), ("1", 9)):
        record(told(run, path, S.STARTED, second, started_at=after(second), instance=NEW))
        record(told(run, path, S.SUCCEEDED, second + 1, received=second, instance=NEW))
    run.refresh_from_db()
    assert (run.state, run.delivery, states(run)) == ("succeeded", 2, ["succeeded", "succeeded"])


def test_a_lost_part_has_succeeded_if_what_comes_after_it_has_begun():
    run = a_canvas_run(n=2)
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    record(told(run, "0", S.LOST, 2, received=1))
    record(told(run, "1", S.STARTED, 3, instance=NEW, started_at=after(3)))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("started", ["succeeded", "started"])
    record(told(run, "1", S.SUCCEEDED, 4, received=3, instance=NEW))
    record(told(run, "0", S.SUCCEEDED, 2, received=1, result="7"))
    run.refresh_from_db()
    assert (run.state, run.parts.get(path="0").result) == ("succeeded", "7")


def test_that_another_worker_has_received_a_part_is_no_news_while_one_runs_it():
    run = a_canvas_run(n=1)
    record(told(run, "0", S.STARTED, 1, started_at=after(1)))
    record(told(run, "0", S.RECEIVED, 2, instance=NEW))
    assert states(run) == ["started"]
    record(told(run, "0", S.SUCCEEDED, 3, received=1))
    run.refresh_from_db()
    assert (run.state, run.delivery) == ("succeeded", 1)


def test_the_guard_lets_a_parts_body_begin_once():
    run = a_canvas_run(n=2)
    first = run.parts.get(path="0")

    def begin(may_repeat):
        return starts.begin(first.task_id, run=str(run.uuid), token="here", may_repeat=may_repeat)

    assert begin(False).reason == ""
    assert begin(False).is_duplicate
    assert begin(True).reason == ""
    starts.drop(told(run, "0", S.IGNORED, 2), reason=starts.DUPLICATE)
    first.refresh_from_db()
    assert (first.state, first.reason) == ("waiting", starts.DUPLICATE)
    other = starts.begin("sent-by-the-task-itself", run=str(run.uuid), token="here", may_repeat=False)
    assert other.reason == ""


def test_the_guard_lets_no_part_begin_of_a_run_that_was_cancelled():
    run = a_canvas_run(n=2, cancel_requested_at=after(1), cancel_requested_by="ana")
    task_id = run.parts.get(path="1").task_id
    verdict = starts.begin(task_id, run=str(run.uuid), token="here", may_repeat=True)
    assert verdict.reason == "cancelled by ana before it started"
    assert not verdict.is_duplicate


def test_a_part_that_nobody_has_received_for_a_day_is_lost():
    run = a_canvas_run("group", 2, sent_at=after(0))
    record(told(run, "0", S.SUCCEEDED, 1))
    assert mark_lost(after(80_000)) == 0
    assert mark_lost(after(90_000)) == 1
    run.refresh_from_db()
    assert (run.state, states(run)) == ("lost", ["succeeded", "lost"])


def delivered(run, second, *states, instance=OLD, attempt=0):
    """The reports of one delivery of the first part."""
    return [
        told(run, "0", state, second + n, received=second, instance=instance, attempt=attempt)
        for n, state in enumerate(states)
    ]


def of_three_deliveries(run):
    return [
        *delivered(run, 1, S.STARTED),
        *delivered(run, 10, S.STARTED, instance=NEW),
        *delivered(run, 20, S.STARTED, S.SUCCEEDED),
    ]


def of_a_retry_that_came_twice(run):
    return [
        *delivered(run, 1, S.RETRYING),
        *delivered(run, 10, S.STARTED, attempt=1),
        *delivered(run, 20, S.STARTED, S.SUCCEEDED, attempt=1, instance=NEW),
    ]


def of_two_results(run):
    return [*delivered(run, 1, S.STARTED, S.FAILED), *delivered(run, 20, S.STARTED, S.SUCCEEDED)]


@pytest.mark.parametrize("make", [of_three_deliveries, of_a_retry_that_came_twice, of_two_results])
def test_deliveries_of_a_part_end_as_the_last_one_whatever_order_they_are_told_in(make):
    for order in itertools.permutations(range(4)):
        run = a_canvas_run(n=1)
        reports = make(run)
        for index in (*order, *order):
            record(reports[index])
        run.refresh_from_db()
        assert (run.state, states(run), run.finished_at) == ("succeeded", ["succeeded"], after(21)), order


def test_a_run_is_over_when_a_part_is_lost_after_another_lost_one_has_turned_up():
    run = a_canvas_run(n=2)
    for one in delivered(run, 1, S.STARTED, S.LOST, S.SUCCEEDED):
        record(one)
    for state in (S.STARTED, S.LOST):
        record(told(run, "1", state, 5, received=5))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("lost", ["succeeded", "lost"])
    record(told(run, "1", S.SUCCEEDED, 6, received=5))
    run.refresh_from_db()
    assert (run.state, states(run)) == ("succeeded", ["succeeded", "succeeded"])


def test_the_result_of_an_earlier_delivery_ends_a_part_that_is_lost_and_nothing_told_again_opens_it():
    run = a_canvas_run(n=1)
    first, end = delivered(run, 1, S.STARTED, S.SUCCEEDED)
    again, lost = delivered(run, 10, S.STARTED, S.LOST, instance=NEW)
    for one in (first, again, lost, end, again, first, end):
        record(one)
    run.refresh_from_db()
    assert (run.state, states(run)) == ("succeeded", ["succeeded"])
