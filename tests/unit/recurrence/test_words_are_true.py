"""What the words claim is what the rule does, in each language: no more, no less, and in one reading only."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import islice, pairwise

import pytest

from schedulerui.recurrence import RuleError, describe, parse_rule
from schedulerui.recurrence.cron import fires
from tests.unit.recurrence import chance
from tests.unit.recurrence.languages import LANGUAGES
from tests.unit.recurrence.reader import Claim, Reader, days_claim
from tests.unit.recurrence.scale import scaled
from tests.unit.recurrence.test_cases import CASES
from tests.unit.recurrence.test_words import changes_of

N_RANDOM = scaled(2000, 20_000)
HAND_PICKED = [case for case in CASES if case["kind"] == "crontab"] + [
    {"expression": expression, "tz": tz, "semantics": semantics}
    for tz in ("Europe/Berlin", "Australia/Lord_Howe", "UTC")
    for semantics in ("celery-and", "vixie-or")
    for expression in (
        "* * * * *", "*/45 * * * *", "*/2 * * * *", "*/30 * * * *", "1-59/2 * * * *", "0-59 0-23 * * *",
        "15 * * * *", "0 */2 * * *", "30 */12 * * *", "0 0 1 1 *", "0 12 29 2 mon", "0 9 13 * 5",
        "0 9 13 1,3 fri-mon", "5,10 1-5 1-7 nov-feb *", "*/7 22-2 */2 * 1-5", "0 9-17 * * 1-5",
        "*/5 9-17 * * mon-fri", "0,30 12 * * *", "59 23 31 12 *", "0 0 * * sat,sun", "1,2,4,8 0,1,12,13,23 * * *",
        "@daily", "@hourly", "@yearly", "H H * * *", "H/15 2 * * *", "H/20 * H * H", "0 0,12 * * *",
    )
]  # fmt: skip
IDS = [f"{language.code}{'-12' if language.clock12 else ''}" for language in LANGUAGES]


def crontab(expression, tz, semantics):
    spec = {"kind": "crontab", "expression": expression, "tz": tz, "semantics": semantics, "seed": "true"}
    return parse_rule(spec)


def expected_claim(fields, semantics):
    """Return what a rule does, by the definition: from the numbers of its fields and how their texts begin."""
    minute, hour, day, month, weekday = fields
    either = semantics == "vixie-or" and day.text[0] != "*" and weekday.text[0] != "*"
    return Claim(
        times=frozenset(h * 60 + m for h in hour.numbers for m in minute.numbers),
        follows_clock="*" in (minute.text[0], hour.text[0]),
        days=days_claim("or" if either else "and", month.numbers, day.numbers, weekday.numbers),
    )


def without_gap(claim):
    return Claim(times=claim.times, follows_clock=claim.follows_clock, days=claim.days)


def check(rule, expected, language, reader):
    words = describe(rule, **language.options)
    claims = reader.claims(words)
    assert {without_gap(claim) for claim in claims} == {expected}, (rule.text, words)
    gaps = {claim.gap for claim in claims}
    assert len(gaps) == 1, words
    check_gap(rule, gaps.pop(), words)


def check_gap(rule, gap, words):
    """Every N: all gaps are N, around changes of the clock too."""
    for change in changes_of(rule.tz) if gap else ():
        count = max(3, min(1500, 2 * 24 * 60 // gap))
        seen = list(islice(fires(rule, change - timedelta(hours=12)), count))
        assert {later - earlier for earlier, later in pairwise(seen)} == {timedelta(minutes=gap)}, words


@pytest.mark.parametrize("language", LANGUAGES, ids=IDS)
def test_the_words_of_random_rules_claim_what_they_do(language):
    choose, reader, n_checked, texts = random.Random("words"), Reader(language), 0, set()
    # Only the times differ up to twelve: a quarter is enough.
    wanted = N_RANDOM // 4 if language.clock12 else N_RANDOM
    while n_checked < wanted:
        fields, semantics, tz = (
            chance.crontab(choose),
            choose.choice(chance.SEMANTICS),
            choose.choice(chance.ZONES),
        )
        try:
            rule = crontab(" ".join(field.text for field in fields), tz, semantics)
        except RuleError as error:
            if error.field != "day_of_month":
                raise  # only a date that can never occur is wrong with these
            continue
        check(rule, expected_claim(fields, semantics), language, reader)
        texts.add(describe(rule, **language.options))
        n_checked += 1
    assert len(texts) > n_checked * 0.8


@pytest.mark.parametrize("language", LANGUAGES, ids=IDS)
def test_the_words_of_rules_picked_by_hand_claim_what_they_do(language):
    reader = Reader(language)
    for case in HAND_PICKED:
        rule = crontab(case["expression"], case["tz"], case["semantics"])
        how = "or" if rule.day_or else "and"
        expected = Claim(
            times=frozenset(hour * 60 + minute for hour in rule.hours for minute in rule.minutes),
            follows_clock=rule.interval_like,
            days=days_claim(how, rule.months, rule.days, rule.weekdays),
        )
        check(rule, expected, language, reader)


def test_the_reader_finds_two_meanings_where_there_are_two():
    # The proof above is worth something only if the reader does not close an eye.
    english = Reader(LANGUAGES[0])
    assert english.claims("At 09:00 on Mondays") == set()
    assert english.claims("At 09:00 on Monday to Friday") != english.claims("At 09:00 on Monday and Friday")
    (every,) = english.claims("Every 45 minutes")
    assert every.gap == 45
    assert every.times == frozenset(hour * 60 + minute for hour in range(24) for minute in (0, 45))
