from __future__ import annotations

import itertools
import random

import pytest

from schedulerui.dispatch_canvas import write_parts
from schedulerui.facts import RunState
from schedulerui.models import Part, Run, ScheduleState
from schedulerui.operations import canvas
from schedulerui.operations.history import record
from schedulerui.operations.losses import mark_lost
from schedulerui.operations.reports import Report
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
    record(told(run, "1", S.SUCCEEDED, 2))
    run.refresh_from_db()
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
