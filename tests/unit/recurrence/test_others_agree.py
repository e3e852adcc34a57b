"""Other libraries, where they are right: the calendar of cronsim and croniter, and Celery away from changes.

None of them is asked about changes of the clock: there the slow walk of the definition is the judge. Ranges
that go round (22-2) are written out for them, as not all of them know these.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab as celery_crontab
from croniter import CroniterBadDateError, croniter
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import RuleError, parse_rule, upcoming
from tests.unit.recurrence import strategies as some
from tests.unit.recurrence.scale import scaled

N_RULES = scaled(1000, 10_000)
N_FIRES = 5
YEAR = timedelta(days=366)
ITEM = re.compile(r"(\d+)-(\d+)(?:/(\d+))?")
bases = st.datetimes(datetime(2021, 1, 1), datetime(2089, 1, 1))  # noqa: DTZ001 - each library reads it in its own way


def written_out(index, text):
    """Return the text without ranges that go round or are one number with a step."""
    low, high = some.BOUNDS[index]

    def plain(match):
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        if first < last:
            return match[0]
        walked = [first] if first == last else [*range(first, high + 1), *range(low, last + 1)]
        return ",".join(str(number) for number in walked[::step])

    return ITEM.sub(plain, text)


def texts_of(rule):
    return [written_out(index, field.text) for index, field in enumerate(rule)]


def parsed(rule, semantics, tz="UTC"):
    text = " ".join(field.text for field in rule)
    try:
        return parse_rule({"kind": "crontab", "expression": text, "tz": tz, "semantics": semantics})
    except RuleError as error:
        if error.field != "day_of_month":
            raise  # only a date that can never occur is wrong with these
        return None


def ours(subject, base, n=N_FIRES):
    return [fire.replace(tzinfo=None) for fire in upcoming(subject, base.replace(tzinfo=UTC), n)]


@given(some.crontabs(), some.semantics, bases)
@settings(max_examples=N_RULES, deadline=None, database=None)
def test_cronsim_finds_the_same_times(rule, semantics, base):
    subject = parsed(rule, semantics)
    assume(subject is not None)
    has_star = rule[2].text[0] == "*" or rule[4].text[0] == "*"
    assume(semantics == "vixie-or" or has_star)  # classic cron is all that it knows
    assert ours(subject, base) == list(islice(CronSim(" ".join(texts_of(rule)), base), N_FIRES))


@given(some.crontabs(), some.semantics, bases)
@settings(max_examples=N_RULES, deadline=None, database=None)
def test_croniter_finds_the_same_times_when_it_is_told_how_to_read_the_days(rule, semantics, base):
    subject = parsed(rule, semantics)
    assume(subject is not None)
    # It takes a field that holds all numbers for a star.
    assume(not subject.day_or or (len(subject.days) < 31 and len(subject.weekdays) < 7))
    theirs = croniter(" ".join(texts_of(rule)), base, ret_type=datetime, day_or=subject.day_or)
    found: list[datetime] = []
    try:
        found.extend(theirs.get_next() for _ in range(N_FIRES))
    except CroniterBadDateError:
        assume(False)  # 50 years without a fire, which a leap day on a weekday can be near to
    assert ours(subject, base) == found


@lru_cache(maxsize=8)
def celery_app(tz):
    return Celery(set_as_current=False, config_source={"timezone": tz})


def celery_fires(rule, tz, base, n):
    """Return the next fires of Celery's own crontab: its last run plus what it says remains."""
    minute, hour, day, month, weekday = texts_of(rule)
    schedule: Any = celery_crontab(minute, hour, weekday, day, month, app=celery_app(tz), nowfun=lambda: base)
    found = []
    for _ in range(n):
        start, remaining, _now = schedule.remaining_delta(base)
        base = start + remaining
        found.append(base)
    return found


@given(some.crontabs(), st.sampled_from(["UTC", "Asia/Kathmandu", "America/Bogota"]), bases)
@settings(max_examples=N_RULES, deadline=None, database=None)
def test_celery_finds_the_same_times_where_no_clock_changes(rule, tz, base):
    subject = parsed(rule, "celery-and", tz)
    assume(subject is not None)
    after = base.replace(tzinfo=UTC, second=0, microsecond=0)
    found = upcoming(subject, after, N_FIRES)
    assume(found and found[-1] - after < 8 * YEAR)  # it gives up after 2,000 steps
    assert celery_fires(rule, tz, after, len(found)) == found


@given(
    some.crontabs(), st.sampled_from(["Europe/Paris", "America/New_York"]), st.integers(2021, 2035), st.data()
)
@settings(max_examples=N_RULES // 4, deadline=None, database=None)
def test_celery_finds_the_same_times_in_a_summer(rule, tz, year, data):
    subject = parsed(rule, "celery-and", tz)
    assume(subject is not None)
    minutes = data.draw(st.integers(0, 120 * 24 * 60))
    after = datetime(year, 5, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    autumn = datetime(year, 10, 1, tzinfo=ZoneInfo(tz))
    found = [fire for fire in upcoming(subject, after, N_FIRES) if fire < autumn]
    assert celery_fires(rule, tz, after, len(found)) == found
