"""What becomes of every time after an outage: each policy by each length, grace, window and kind, beside a count made by hand.

The expectation is made here from the plain list of times, without anything of planning's own.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from schedulerui.facts import Misfire, PlannedRun, RunState, ScheduleFacts
from schedulerui.planning import AT_ONCE_MAX, MISSED_DAYS_MAX, MISSED_ROWS_MAX, plan
from schedulerui.recurrence import parse_rule

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
KINDS = {
    "every minute": (
        MINUTE,
        {"kind": "interval", "fields": {"every": 1, "period": "minutes", "anchor": NOON}, "tz": "UTC"},
    ),
    "every second": (
        SECOND,
        {"kind": "interval", "fields": {"every": 1, "period": "seconds", "anchor": NOON}, "tz": "UTC"},
    ),
    "every 17 seconds": (
        17 * SECOND,
        {"kind": "interval", "fields": {"every": 17, "period": "seconds", "anchor": NOON}, "tz": "UTC"},
    ),
    "crontab": (
        MINUTE,
        {"kind": "crontab", "expression": "* * * * *", "tz": "UTC", "semantics": "celery-and"},
    ),
}
AWAY = {"0 s": timedelta(0), "59 s": 59 * SECOND, "1 h": HOUR, "40 d": 40 * DAY}
GRACES = {"30 s": 30 * SECOND, "10 min": 10 * MINUTE}
WINDOWS = {"any age": None, "90 s": 90 * SECOND, "2 h": 2 * HOUR}
ROUNDS_MAX = 20
BY_KIND = [(kind, away) for kind in KINDS for away in AWAY if (kind, away) != ("every second", "40 d")]
"""Three million seconds take too long to be listed; every 17 of them do not."""


class Expected(NamedTuple):
    """The times that run, and how many are missed."""

    run: list[datetime]
    n_missed: int


def expected(step, *, away, grace, window, misfire):
    """Every time since noon, and what the sentence about the policy says of it."""
    now = NOON + away
    times = [NOON + n * step for n in range(away // step + 1)]
    is_late = [now - time > grace for time in times]
    on_time = [time for time, late in zip(times, is_late, strict=True) if not late]
    oldest = now - max(window, grace) if window is not None else NOON
    late = [time for time, is_old in zip(times, is_late, strict=True) if is_old and time >= oldest]
    chosen = {
        Misfire.NONE: [],
        Misfire.ALL: late[:100],
        Misfire.LATEST: [] if on_time else late[-1:],
    }[misfire]
    return Expected(run=[*chosen, *on_time], n_missed=len(times) - len(chosen) - len(on_time))


def rows_after(spec, *, away, **policy):
    """The rows of all rounds until nothing is due any more, and how many of those there were."""
    facts = ScheduleFacts(uuid=uuid.UUID(int=7), rule=parse_rule(spec), next_nominal_at=NOON, **policy)
    rows: list[PlannedRun] = []
    for n_rounds in range(1, ROUNDS_MAX):
        made = plan(facts, now=NOON + away)
        rows += made.runs
        if made.next_nominal_at is None or made.next_nominal_at > NOON + away:
            return rows, n_rounds
        facts = ScheduleFacts(
            uuid=facts.uuid, rule=facts.rule, next_nominal_at=made.next_nominal_at, **policy
        )
    pytest.fail("it never comes to an end")


def assert_covers_each_time_once(rows, step, away):
    """No gap and no overlap, from noon to the newest time."""
    spans = sorted((row.nominal_at, row.covers_until or row.nominal_at) for row in rows)
    assert spans[0][0] == NOON
    assert spans[-1][1] == NOON + away // step * step
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert start - end == step


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("grace", GRACES)
@pytest.mark.parametrize(("kind", "away"), BY_KIND)
@pytest.mark.parametrize("misfire", list(Misfire))
def test_after_an_outage_every_time_has_its_row_by_the_policy(misfire, kind, away, grace, window):
    step, spec = KINDS[kind]
    policy = {"misfire": misfire, "grace": GRACES[grace], "catchup_window": WINDOWS[window]}
    rows, n_rounds = rows_after(spec, away=AWAY[away], **policy)
    wanted = expected(step, away=AWAY[away], grace=GRACES[grace], window=WINDOWS[window], misfire=misfire)
    run = sorted(row.nominal_at for row in rows if row.state is RunState.PENDING)
    assert run == wanted.run
    missed = [row for row in rows if row.state is RunState.MISSED]
    counted = sum(row.count for row in missed)
    assert counted == wanted.n_missed
    assert_covers_each_time_once(rows, step, AWAY[away])
    assert len(missed) <= MISSED_ROWS_MAX + 3
    assert n_rounds <= len(wanted.run) // AT_ONCE_MAX + 2


HAND = [
    # misfire, away, grace, window: how many run, how many are missed
    (Misfire.LATEST, "59 s", "30 s", "any age", 1, 0),
    (Misfire.NONE, "59 s", "30 s", "any age", 0, 1),
    (Misfire.LATEST, "1 h", "30 s", "any age", 1, 60),
    (Misfire.ALL, "1 h", "30 s", "any age", 61, 0),
    (Misfire.ALL, "1 h", "10 min", "90 s", 11, 50),
    (Misfire.ALL, "1 h", "30 s", "90 s", 2, 59),
    (Misfire.LATEST, "40 d", "30 s", "any age", 1, 57_600),
    (Misfire.ALL, "40 d", "30 s", "any age", 101, 57_500),
    (Misfire.ALL, "40 d", "30 s", "2 h", 101, 57_500),
    (Misfire.NONE, "40 d", "10 min", "any age", 11, 57_590),
]


@pytest.mark.parametrize(("misfire", "away", "grace", "window", "n_run", "n_missed"), HAND)
def test_the_numbers_of_a_minutely_schedule_are_those_counted_by_hand(
    misfire, away, grace, window, n_run, n_missed
):
    policy = {"misfire": misfire, "grace": GRACES[grace], "catchup_window": WINDOWS[window]}
    rows, _ = rows_after(KINDS["every minute"][1], away=AWAY[away], **policy)
    assert sum(row.state is RunState.PENDING for row in rows) == n_run
    assert sum(row.count for row in rows if row.state is RunState.MISSED) == n_missed


def test_an_outage_of_many_years_is_counted_in_part_and_says_so():
    spec = {"kind": "crontab", "expression": "0 12 * * *", "tz": "UTC", "semantics": "celery-and"}
    away = timedelta(days=2 * MISSED_DAYS_MAX)
    rows, _ = rows_after(spec, away=away, misfire=Misfire.NONE)
    (rest,) = [row for row in rows if row.covers_until is not None]
    assert MISSED_DAYS_MAX <= rest.count < 2 * MISSED_DAYS_MAX
    assert f"at least {rest.count} times" in rest.reason
    assert rest.covers_until == NOON + away - timedelta(days=1)
