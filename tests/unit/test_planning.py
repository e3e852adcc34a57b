"""Planning decides about every occurrence between the last look and now."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.facts import Misfire, Overlap, RunState, ScheduleFacts
from schedulerui.planning import AT_ONCE_MAX, MISSED_ROWS_MAX, coming, plan, task_id
from schedulerui.recurrence import parse_rule, upcoming

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MINUTELY = {"kind": "interval", "fields": {"every": 1, "period": "minutes", "anchor": NOON}, "tz": "UTC"}
SECONDLY = {"kind": "interval", "fields": {"every": 1, "period": "seconds", "anchor": NOON}, "tz": "UTC"}
CRON = {"kind": "crontab", "expression": "* * * * *", "tz": "UTC", "semantics": "celery-and"}


def schedule(spec=MINUTELY, **changes):
    facts = {
        "uuid": uuid.UUID(int=7),
        "rule": parse_rule(spec),
        "next_nominal_at": NOON,
        **changes,
    }
    return ScheduleFacts(**facts)


def states(plan_):
    return [str(run.state) for run in plan_.runs]


def covered(plan_):
    return sum(run.count for run in plan_.runs)


def test_it_makes_one_run_for_the_occurrence_that_is_due():
    made = plan(schedule(), now=NOON + timedelta(seconds=1))
    (run,) = made.runs
    assert run.state is RunState.PENDING
    assert run.nominal_at == run.due_at == NOON
    assert run.key == f"s:{uuid.UUID(int=7)}:{int(NOON.timestamp())}"
    assert made.next_nominal_at == made.next_run_at == NOON + timedelta(minutes=1)
    assert made.runs_created == 1


def test_it_makes_nothing_before_the_occurrence_is_due():
    made = plan(schedule(next_nominal_at=NOON + timedelta(minutes=1)), now=NOON)
    assert made.runs == ()
    assert made.next_nominal_at == NOON + timedelta(minutes=1)


def test_the_task_id_of_an_occurrence_is_the_same_in_every_process():
    ident = uuid.UUID(int=7)
    assert task_id(ident, nominal_at=NOON) == task_id(ident, nominal_at=NOON.astimezone(UTC))
    assert task_id(ident, nominal_at=NOON) != task_id(ident, nominal_at=NOON + timedelta(seconds=1))
    assert task_id(ident, nominal_at=NOON) != task_id(ident, nominal_at=NOON, retry=1)


def test_every_occurrence_within_the_grace_runs():
    made = plan(schedule(SECONDLY), now=NOON + timedelta(seconds=5))
    assert states(made) == ["pending"] * 6


@pytest.mark.parametrize("spec", [MINUTELY, CRON], ids=["interval", "crontab"])
@pytest.mark.parametrize(
    ("misfire", "expected"),
    [
        (Misfire.LATEST, ["missed"] * 4 + ["pending"]),
        (Misfire.NONE, ["missed"] * 5),
        (Misfire.ALL, ["pending"] * 5),
    ],
)
def test_after_an_outage_the_misfire_policy_chooses(spec, misfire, expected):
    made = plan(schedule(spec, misfire=misfire), now=NOON + timedelta(minutes=4, seconds=45))
    assert states(made) == expected
    assert made.next_nominal_at == NOON + timedelta(minutes=5)


def test_the_newest_missed_time_does_not_run_when_a_newer_one_is_on_time():
    made = plan(schedule(), now=NOON + timedelta(minutes=5, seconds=10))
    assert states(made) == ["missed"] * 5 + ["pending"]


@pytest.mark.parametrize("spec", [SECONDLY, MINUTELY, CRON], ids=["seconds", "minutes", "crontab"])
def test_a_long_outage_is_accounted_for_in_few_rows(spec):
    made = plan(schedule(spec), now=NOON + timedelta(days=40))
    missed = [run for run in made.runs if run.state is RunState.MISSED]
    assert len(missed) <= MISSED_ROWS_MAX + 2
    assert made.next_nominal_at is not None
    assert made.next_nominal_at > NOON + timedelta(days=40)
    (aggregate,) = [run for run in missed if run.count > 1]
    assert aggregate.covers_until is not None
    assert aggregate.nominal_at < aggregate.covers_until


def test_the_count_of_a_missed_interval_is_exact():
    made = plan(schedule(SECONDLY, misfire=Misfire.NONE), now=NOON + timedelta(days=40))
    on_time = [run for run in made.runs if run.state is RunState.PENDING]
    n_due = 40 * 86_400 + 1
    assert covered(made) == n_due
    assert len(on_time) == 31


def test_a_backlog_of_on_time_occurrences_is_worked_off_in_bounded_rounds():
    now = NOON + timedelta(seconds=250)
    first = plan(schedule(SECONDLY, grace=timedelta(hours=1)), now=now)
    assert len(first.runs) == AT_ONCE_MAX
    assert first.next_nominal_at == NOON + timedelta(seconds=AT_ONCE_MAX)
    assert first.next_nominal_at <= now


@pytest.mark.parametrize("misfire", list(Misfire))
@pytest.mark.parametrize("minutes", [0, 1, 2, 7, 30, 200])
def test_no_occurrence_is_without_a_row_and_none_has_two(misfire, minutes):
    now = NOON + timedelta(minutes=minutes, seconds=3)
    made = plan(schedule(CRON, misfire=misfire), now=now)
    expected = upcoming(parse_rule(CRON), NOON - timedelta(seconds=1), minutes + 1)
    assert covered(made) == len(expected)
    assert len({run.key for run in made.runs}) == len(made.runs)
    assert {run.nominal_at for run in made.runs} <= set(expected)


def test_no_more_runs_than_max_runs_are_ever_made():
    made = plan(schedule(max_runs=3, runs_created=1, misfire=Misfire.ALL), now=NOON + timedelta(minutes=9))
    assert states(made) == ["pending"] * 2
    assert made.runs_created == 3
    assert made.next_nominal_at is None


def test_nothing_follows_the_end_of_the_window():
    made = plan(schedule(end_at=NOON), now=NOON)
    assert states(made) == ["pending"]
    assert made.next_nominal_at is None


def test_overlap_skip_records_the_time_that_is_skipped():
    made = plan(schedule(overlap=Overlap.SKIP), now=NOON, is_active=True)
    (run,) = made.runs
    assert run.state is RunState.SKIPPED
    assert run.task_id is None
    assert run.reason.startswith("overlap")
    assert made.runs_created == 0


def test_overlap_skip_starts_only_one_of_several_due_times():
    made = plan(schedule(SECONDLY, overlap=Overlap.SKIP), now=NOON + timedelta(seconds=2))
    assert states(made) == ["pending", "skipped", "skipped"]


def test_it_plans_by_the_due_time_when_occurrences_are_spread():
    facts = schedule(CRON, jitter=timedelta(seconds=59))
    occurrence = facts.timetable.first(NOON - timedelta(seconds=1))
    assert occurrence is not None
    assert occurrence.due_at > occurrence.nominal_at
    early = plan(facts, now=occurrence.due_at - timedelta(milliseconds=1))
    assert early.runs == ()
    assert (early.next_nominal_at, early.next_run_at) == (NOON, occurrence.due_at)
    made = plan(facts, now=occurrence.due_at)
    (run,) = made.runs
    assert (run.nominal_at, run.due_at) == (NOON, occurrence.due_at)
    following = facts.timetable.first(NOON)
    assert following is not None
    assert (made.next_nominal_at, made.next_run_at) == (following.nominal_at, following.due_at)


def test_an_occurrence_is_late_by_its_due_time_and_not_by_its_nominal_time():
    facts = schedule(
        {**CRON, "expression": "0 * * * *"}, jitter=timedelta(hours=1), grace=timedelta(seconds=10)
    )
    occurrence = facts.timetable.first(NOON - timedelta(seconds=1))
    assert occurrence is not None
    assert occurrence.due_at - NOON > timedelta(seconds=10)
    assert states(plan(facts, now=occurrence.due_at + timedelta(seconds=10))) == ["pending"]
    late = plan(
        schedule({**CRON, "expression": "0 * * * *"}, jitter=timedelta(hours=1), misfire=Misfire.NONE),
        now=occurrence.due_at + timedelta(seconds=31),
    )
    assert states(late) == ["missed"]


@pytest.mark.parametrize("misfire", list(Misfire))
@pytest.mark.parametrize("minutes", [0, 1, 2, 7, 30, 200])
def test_every_spread_occurrence_has_one_row_after_an_outage(misfire, minutes):
    now = NOON + timedelta(minutes=minutes, seconds=3)
    facts = schedule(CRON, misfire=misfire, jitter=timedelta(seconds=45))
    made = plan(facts, now=now)
    expected = [
        occurrence
        for occurrence in itertools.islice(facts.timetable.after(NOON - timedelta(seconds=1)), minutes + 5)
        if occurrence.due_at <= now
    ]
    assert covered(made) == len(expected)
    assert made.next_run_at is not None
    assert made.next_run_at > now or covered(made) >= AT_ONCE_MAX


def test_a_skipped_time_gets_a_row_with_the_reason_and_does_not_count():
    skips = {NOON + timedelta(minutes=1): "skipped by ana: holiday"}
    made = plan(
        schedule(skips=skips, max_runs=2, grace=timedelta(hours=1)),
        now=NOON + timedelta(minutes=5),
    )
    assert states(made) == ["pending", "skipped", "pending"]
    assert made.runs[1].reason == "skipped by ana: holiday"
    assert made.runs[1].task_id is None
    assert made.runs_created == 2
    assert made.next_run_at is None


def test_a_skipped_time_is_no_matter_of_the_misfire_policy():
    skips = {NOON + timedelta(minutes=2): "skipped by ana: holiday"}
    made = plan(schedule(skips=skips), now=NOON + timedelta(minutes=2, seconds=40))
    assert sorted(states(made)) == ["missed", "pending", "skipped"]
    (run,) = [run for run in made.runs if run.state is RunState.PENDING]
    assert run.nominal_at == NOON + timedelta(minutes=1)


def test_a_time_that_the_overlap_policy_skipped_does_not_use_up_the_runs():
    made = plan(schedule(overlap=Overlap.SKIP, max_runs=1), now=NOON, is_active=True)
    assert states(made) == ["skipped"]
    assert made.runs_created == 0
    assert made.next_run_at == NOON + timedelta(minutes=1)


def test_what_is_coming_is_what_will_be_planned():
    facts = schedule(
        CRON,
        jitter=timedelta(seconds=45),
        max_runs=3,
        skips={NOON + timedelta(minutes=1): "skipped by ana: holiday"},
    )
    promised = list(coming(facts.timetable, after=NOON - timedelta(seconds=1), n_left=3, skips=facts.skips))
    made = plan(dataclasses.replace(facts, grace=timedelta(hours=1)), now=NOON + timedelta(hours=1))
    assert [(run.nominal_at, run.due_at, run.reason) for run in made.runs] == [
        (each.nominal_at, each.due_at, each.skipped) for each in promised
    ]
    assert [bool(each.skipped) for each in promised] == [False, True, False, False]
