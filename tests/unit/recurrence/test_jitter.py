"""Jitter spreads evenly, changes no order, and is the same everywhere."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.recurrence import parse_rule
from schedulerui.recurrence.jitter import delay
from schedulerui.recurrence.window import Timetable
from tests.counting import calls_of

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERLIN_NIGHT = datetime(2026, 10, 24, 12, tzinfo=UTC)
RULES = [
    {"kind": "crontab", "expression": "*/7 * * * *", "tz": "Europe/Berlin"},
    {"kind": "crontab", "expression": "30 2 * * *", "tz": "Europe/Berlin"},
    {"kind": "interval", "fields": {"every": 1, "period": "seconds", "anchor": NOON}, "tz": "UTC"},
    {"kind": "interval", "fields": {"every": 5, "period": "hours", "anchor": NOON}, "tz": "UTC"},
]


def test_it_is_nothing_without_jitter():
    assert delay(
        uuid.UUID(int=1), nominal_at=NOON, jitter=timedelta(0), following_at=NOON + HOUR
    ) == timedelta(0)


def test_it_is_uniform_over_ten_thousand_schedules():
    n, bins = 10_000, 20
    counts = [0] * bins
    for seed in range(n):
        put_off = delay(uuid.UUID(int=seed), nominal_at=NOON, jitter=HOUR, following_at=None)
        assert timedelta(0) <= put_off < HOUR
        counts[int(put_off / HOUR * bins)] += 1
    chi_square = sum((count - n / bins) ** 2 / (n / bins) for count in counts)
    assert chi_square < 43.8  # 19 degrees of freedom, p = 0.001; the seeds are fixed, so this never flickers


def test_it_is_uniform_over_the_occurrences_of_one_schedule():
    counts = [0] * 10
    for hour in range(5_000):
        nominal_at = NOON + hour * HOUR
        put_off = delay(uuid.UUID(int=9), nominal_at=nominal_at, jitter=HOUR, following_at=nominal_at + HOUR)
        counts[int(put_off / HOUR * 10)] += 1
    assert sum((count - 500) ** 2 / 500 for count in counts) < 27.9  # 9 degrees of freedom, p = 0.001


def test_it_is_the_same_in_a_process_with_another_hash_seed():
    code = (
        "import uuid; from datetime import *; from schedulerui.recurrence.jitter import delay; "
        "noon = datetime(2026, 3, 4, 12, tzinfo=UTC); hour = timedelta(hours=1); "
        "print([delay(uuid.UUID(int=n), nominal_at=noon, jitter=hour, following_at=None) / timedelta(milliseconds=1)"
        " for n in range(20)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = [
        delay(uuid.UUID(int=n), nominal_at=NOON, jitter=HOUR, following_at=None) / timedelta(milliseconds=1)
        for n in range(20)
    ]
    assert said == {f"{here}\n"}


@pytest.mark.parametrize("spec", RULES, ids=["crontab", "night", "seconds", "hours"])
@pytest.mark.parametrize("seconds", [1, 90, 3_600, 86_400])
def test_an_occurrence_is_always_due_before_the_next_one_nominally(spec, seconds):
    for seed in range(5):
        timetable = Timetable(
            rule=parse_rule(spec), seed=uuid.UUID(int=seed), jitter=timedelta(seconds=seconds)
        )
        found = list(itertools.islice(timetable.after(BERLIN_NIGHT), 60))
        assert len(found) == 60
        for occurrence, following in itertools.pairwise(found):
            assert occurrence.nominal_at <= occurrence.due_at < following.nominal_at
            assert occurrence.due_at - occurrence.nominal_at < timedelta(seconds=seconds)
            assert occurrence.due_at.microsecond % 1_000 == 0


def test_it_costs_a_handful_of_calls():
    seed = uuid.UUID(int=7)
    assert calls_of(lambda: delay(seed, nominal_at=NOON, jitter=HOUR, following_at=NOON + HOUR)) < 50


def test_the_newest_due_occurrence_is_found_without_walking_through_the_outage():
    spec = {"kind": "interval", "fields": {"every": 1, "period": "seconds", "anchor": NOON}, "tz": "UTC"}
    timetable = Timetable(rule=parse_rule(spec), seed=uuid.UUID(int=3), jitter=timedelta(seconds=1))
    until = NOON + timedelta(days=400, milliseconds=1)
    assert calls_of(lambda: timetable.newest_due(after=NOON, until=until)) < 5_000
    newest = timetable.newest_due(after=NOON, until=until)
    assert newest is not None
    following = timetable.first(newest.nominal_at)
    assert following is not None
    assert newest.due_at <= until < following.due_at


def test_looking_goes_on_from_the_occurrence_that_is_put_off_beyond_now():
    spec = {"kind": "crontab", "expression": "0 * * * *", "tz": "UTC"}
    timetable = Timetable(rule=parse_rule(spec), seed=uuid.UUID(int=3), jitter=HOUR)
    (first,) = itertools.islice(timetable.after(NOON), 1)
    waiting = first.nominal_at + (first.due_at - first.nominal_at) / 2
    resumed = timetable.resume_after(now=waiting, unaccounted_from=first.nominal_at)
    assert timetable.first(resumed) == first
    assert timetable.resume_after(now=waiting, unaccounted_from=None) == waiting
    assert timetable.resume_after(now=first.due_at, unaccounted_from=first.nominal_at) == first.due_at


def test_both_ends_of_the_window_belong_to_it_and_are_compared_with_nominal_times():
    spec = {"kind": "crontab", "expression": "0 * * * *", "tz": "UTC"}
    timetable = Timetable(
        rule=parse_rule(spec),
        seed=uuid.UUID(int=3),
        jitter=HOUR,
        start_at=NOON + HOUR,
        end_at=NOON + 3 * HOUR,
    )
    found = [occurrence.nominal_at for occurrence in timetable.after(NOON - 5 * HOUR)]
    assert found == [NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert timetable.has(NOON + 3 * HOUR)
    assert not timetable.has(NOON + 4 * HOUR)
