"""Rules in words: short for the usual ones, true for all."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise

import pytest
from hypothesis import assume, given, settings

from schedulerui.recurrence import RuleError, describe, parse_rule, upcoming
from schedulerui.recurrence.cron import fires
from tests.unit.recurrence import strategies as some
from tests.unit.recurrence.walk import transitions


def crontab(expression, *, tz="Europe/Berlin", semantics="celery-and"):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": tz, "semantics": semantics})


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0-59/5 * * * *", "Every 5 minutes"),
        ("7-59/15 * * * *", "Every 15 minutes from :07"),
        ("15 * * * *", "Every hour at :15"),
        ("*/45 * * * *", "At minutes 0 and 45 of each hour"),
        ("*/25 * * * *", "At minutes 0, 25 and 50 of each hour"),
        ("*/7 * * * *", "At minutes 0 to 56 in steps of 7 of each hour"),
        ("0-59 0-23 * * *", "At 00:00 to 23:59 in steps of 1 minute each day"),
        ("30 2 * * *", "At 02:30 each day"),
        ("30 2 * * mon-fri", "At 02:30 on Monday to Friday"),
        ("0 9,17 * * *", "At 09:00 and 17:00 each day"),
        ("0 9-17 * * 1-5", "Hourly from 09:00 to 17:00 on Monday to Friday"),
        ("*/5 9-17 * * 1-5", "Each 5 minutes from 09:00 to 17:55 on Monday to Friday"),
        ("0 9 * * 6,0", "At 09:00 on Saturday and Sunday"),
        ("0 9 * * fri-mon", "At 09:00 on Friday to Monday"),
        ("0 9 1 * *", "At 09:00 on day 1 of the month"),
        ("0 9 1,15 * *", "At 09:00 on days 1 and 15 of the month"),
        ("0 9 24 12 *", "At 09:00 on day 24 of December"),
        ("0 9 * nov-feb *", "At 09:00 each day in November to February"),
        ("0 9 * 1 mon", "At 09:00 on Monday in January"),
        ("0 9 13 * 5", "At 09:00 on day 13 of the month, only if it is a Friday"),
        ("0 9 13 * sat,sun", "At 09:00 on day 13 of the month, only if it is a Saturday or Sunday"),
        ("0 */2 * * *", "At :00 of the hours 0 to 22 in steps of 2"),
    ],
)
def test_usual_crontabs_read_well(expression, words):
    assert describe(crontab(expression)) == words


def test_classic_cron_reads_differently_where_it_is_different():
    assert (
        describe(crontab("0 9 13 * 5", semantics="vixie-or"))
        == "At 09:00 on day 13 of the month or on Friday"
    )
    both = describe(crontab("0 9 13 1,3 5", semantics="vixie-or"))
    assert both == "At 09:00 on day 13 of the month or on Friday, only in January and March"
    assert describe(crontab("0 9 1-31 * 5", semantics="vixie-or")) == "At 09:00 each day"


def test_every_is_said_only_where_the_clock_allows_it():
    assert describe(crontab("0 */2 * * *", tz="UTC")) == "Every 2 hours from 00:00"
    assert (
        describe(crontab("*/20 * * * *", tz="Australia/Lord_Howe")) == "At minutes 0, 20 and 40 of each hour"
    )
    assert describe(crontab("33 * * * *", tz="Australia/Lord_Howe")) == "At :33 of each hour"


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("interval", {"every": 30, "period": "seconds"}, "Every 30 seconds"),
        ("interval", {"every": 1, "period": "minutes"}, "Every minute"),
        ("interval", {"every": 6, "period": "hours"}, "Every 6 hours"),
        ("interval", {"every": 1, "period": "days"}, "Every day (24 hours)"),
        ("interval", {"every": 2, "period": "weeks"}, "Every 2 weeks (336 hours)"),
        ("clocked", {"at_local": "2026-12-24T18:00:00"}, "Once, on 24 Dec 2026 at 18:00 (Europe/Berlin)"),
        ("clocked", {"at_utc": "2026-12-24T17:00:05Z"}, "Once, on 24 Dec 2026 at 18:00:05 (Europe/Berlin)"),
        ("clocked", {"at_utc": "2026-10-25T00:30:00Z"}, "Once, on 25 Oct 2026 at 02:30 (Europe/Berlin)"),
        (
            "clocked",
            {"at_utc": "2026-10-25T01:30:00Z"},
            "Once, on 25 Oct 2026 at 02:30 (Europe/Berlin, UTC+01:00)",
        ),
        (
            "solar",
            {"event": "sunrise", "latitude": 48.85, "longitude": 2.35},
            "At sunrise at 48.85 N, 2.35 E",
        ),
        (
            "solar",
            {"event": "dusk_civil", "latitude": -36, "longitude": -5.5},
            "At civil dusk at 36 S, 5.5 W",
        ),
        ("manual", {}, "By hand only"),
    ],
)
def test_the_other_kinds_read_well(kind, fields, words):
    anchor = {"anchor": "2026-01-01T00:00:00Z"} if kind == "interval" else {}
    rule = parse_rule({"kind": kind, "tz": "Europe/Berlin", "fields": fields | anchor})
    assert describe(rule) == words


def claimed_gap(words):
    """Return the gap that a text claims with "Every", or None."""
    match = re.search(r"\b[Ee]very (?:(\d+) )?(minute|hour|day)", words)
    if match is None:
        return None
    unit = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[match[2]]
    return int(match[1] or 1) * unit


@given(some.crontabs(), some.semantics, some.zones)
@settings(max_examples=200, deadline=None, database=None)
def test_it_says_something_of_every_rule_and_every_is_never_false(rule, semantics, zone):
    try:
        subject = crontab(" ".join(field.text for field in rule), tz=zone, semantics=semantics)
    except RuleError:
        assume(False)
    words = describe(subject)
    assert words == words.strip()
    assert not re.search(r"[{}%]|  ", words)
    check_claim(subject, words)


def check_claim(subject, words):
    gap = claimed_gap(words)
    if gap is not None:
        for change in changes_of(subject.tz):
            seen = list(islice(fires(subject, change - timedelta(days=1)), max(3, timedelta(days=2) // gap)))
            assert {later - earlier for earlier, later in pairwise(seen)} == {gap}


@lru_cache(maxsize=64)
def changes_of(zone):
    return transitions(zone, [2026]) or [datetime(2026, 3, 7, tzinfo=UTC)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/New_York"])
@pytest.mark.parametrize(
    "expression", ["*/30 * * * *", "*/20 * * * *", "15 * * * *", "0 */12 * * *", "0 */6 * * *"]
)
def test_grids_are_called_every_only_when_all_gaps_are_equal(expression, zone):
    subject = crontab(expression, tz=zone)
    words = describe(subject)
    check_claim(subject, words)
    assert (claimed_gap(words) is not None) == (zone == "UTC" or words.startswith("Every"))


POOL = (
    ["*", "*/20", "0,20,40", "0-59", "0", "0,30", "*/30", "5", "0-40/20", "30-59"],
    ["*", "*/6", "0,6,12,18", "0-23", "2", "1-3", "3,1,2", "22-2", "*/12", "2,*"],
    ["*", "13", "1-31", "*/2", "1-31/2", "29-31"],
    ["*", "1-12", "2", "3,10", "jan-mar"],
    ["*", "0-6", "5", "fri", "1-5", "*/2", "0,2,4,6", "7"],
)


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe"])
def test_one_text_means_one_expansion(zone):
    choose = random.Random(zone)
    meaning: dict[str, tuple[str, object]] = {}
    for _ in range(700):
        text = " ".join(choose.choice(field) for field in POOL)
        try:
            subject = crontab(text, tz=zone, semantics=choose.choice(["celery-and", "vixie-or"]))
        except RuleError:
            continue
        expansion = tuple(
            tuple(upcoming(subject, base, 20))
            for base in (
                datetime(2026, 3, 28, 23, tzinfo=UTC),
                datetime(2026, 4, 4, 13, tzinfo=UTC),
                datetime(2026, 10, 24, 23, tzinfo=UTC),
                datetime(2026, 10, 3, 13, tzinfo=UTC),
            )
        )
        words = describe(subject)
        assert meaning.setdefault(words, (text, expansion))[1] == expansion, (words, text, meaning[words][0])
    assert len(meaning) > 100


def test_words_go_through_the_translation_that_is_given():
    def german(text):
        return {"At {times}": "Um {times}", "on {weekdays}": "am {weekdays}", "Monday": "Montag"}.get(
            text, text
        )

    assert describe(crontab("30 2 * * mon"), translate=german) == "Um 02:30 am Montag"


def test_plurals_go_through_the_plural_translation_that_is_given():
    def polish(one, many, n):
        return "Co {n} minuty" if many == "Every {n} minutes" and n in (2, 3, 4) else one if n == 1 else many

    assert describe(crontab("*/3 * * * *"), translate_plural=polish) == "Co 3 minuty"
