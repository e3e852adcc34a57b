"""Names for whole expressions, and H: numbers that a hash of the schedule's identity chooses."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedulerui.recurrence import CrontabRule, RuleError, describe, parse_rule, resolve

SEED = "6f1f5c3e-5a0b-4c58-9f63-1e6f2b9d7a11"
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))) for number in range(1000)]


def crontab(expression, *, seed: object = SEED, semantics="celery-and"):
    rule = parse_rule({"kind": "crontab", "expression": expression, "semantics": semantics, "seed": seed})
    assert isinstance(rule, CrontabRule)
    return rule


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        (" @Daily\t", "0 0 * * *"),
    ],
)
def test_a_name_stands_for_plain_fields_without_any_seed(name, fields):
    rule = crontab(name, seed=None)
    assert (rule.text, rule.typed) == (fields, name)
    assert rule.minutes == crontab(fields).minutes
    assert rule.interval_like == crontab(fields).interval_like


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        # Written down once: they must stay what they are, or every schedule with an H would move.
        ("H H * * *", "42 17 * * *"),
        ("H/15 * * * *", "10-59/15 * * * *"),
        ("H H(0-7) * * *", "42 5 * * *"),
        ("H(0-29)/10 * * * *", "7-29/10 * * * *"),
        ("H H H H H", "42 17 21 12 2"),
        ("H H(22-2) * * H(fri-mon)", "42 1 * * 6"),
        ("H,30 H(20-4)/3 * * *", "42,30 1,4,22 * * *"),
        ("H/1 H/23 H/2 H/6 H/2", "0-59 16 2-28/2 6-12/6 0-6/2"),
        ("5\t*  * * mon", "5 * * * mon"),
    ],
)
def test_the_numbers_of_one_schedule_never_change(typed, fields):
    assert resolve(typed, seed=SEED) == fields


@st.composite
def hashed_fields(draw):
    index = draw(st.integers(0, 4))
    low, high = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))[index]
    first, last = sorted(draw(st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)))
    if draw(st.booleans()):
        text, size = f"H({first}-{last})", last - first + 1
    else:
        text, first, last = "H", low, 28 if index == 2 else high
        size = last - first + 1
    step = draw(st.one_of(st.none(), st.integers(1, size - 1)))
    return index, f"{text}/{step}" if step else text, first, last, step


@given(hashed_fields(), st.uuids())
@settings(max_examples=300, deadline=None, database=None)
def test_h_stays_in_its_range_and_keeps_its_step(field, seed):
    index, text, first, last, step = field
    typed = ["0", "0", "1", "1", "0"]
    typed[index] = text
    rule = crontab(" ".join(typed), seed=seed, semantics="vixie-or")
    numbers = (rule.minutes, rule.hours, rule.days, rule.months, rule.weekdays)[index]
    assert first <= numbers[0] <= numbers[-1] <= last
    if step is None:
        assert len(numbers) == 1
    else:
        assert numbers[0] < first + step
        assert numbers == tuple(range(numbers[0], last + 1, step))


def test_a_range_that_wraps_is_counted_along():
    found = {crontab("0 H(22-2)/2 * * *", seed=seed).hours for seed in IDS[:50]}
    assert found == {(0, 2, 22), (1, 23)}
    assert {crontab("0 0 * * H(0-7)", seed=seed).weekdays[0] for seed in IDS[:99]} == set(range(7))


def test_a_thousand_schedules_spread_over_the_day():
    slots = Counter(resolve("H H * * *", seed=seed) for seed in IDS)
    # Independent fields would give 721 of 1,440 on average; croniter's hash gives 240.
    assert len(slots) >= 650
    assert max(slots.values()) <= 6


@pytest.mark.parametrize(
    ("field", "size", "limit"),
    # The 99.9 % points of chi-square with size - 1 degrees of freedom.
    [
        ("minutes", 60, 98.3),
        ("hours", 24, 49.7),
        ("days", 28, 55.5),
        ("months", 12, 31.3),
        ("weekdays", 7, 22.5),
    ],
)
def test_each_field_of_h_is_spread_evenly(field, size, limit):
    rules = [crontab("H H H H H", seed=f"seed {number}", semantics="vixie-or") for number in range(3000)]
    found = Counter(getattr(rule, field)[0] for rule in rules)
    expected = len(rules) / size
    assert len(found) == size
    assert sum((count - expected) ** 2 / expected for count in found.values()) < limit


def test_a_uuid_and_its_text_are_the_same_seed():
    assert crontab("H H * * *", seed=uuid.UUID(SEED)) == crontab("H H * * *", seed=SEED)


def test_what_was_typed_is_kept_beside_what_it_stands_for():
    rule = crontab("H/15 9-17 * * mon-fri")
    assert rule.typed == "H/15 9-17 * * mon-fri"
    assert rule.text == resolve(rule.typed, seed=SEED)
    assert describe(rule).startswith(f"Each 15 minutes from 09:{rule.minutes[0]:02}")


@pytest.mark.parametrize(
    ("typed", "star", "semantics"),
    [("H/15 2 * * *", "*/15 2 * * *", "celery-and"), ("0 H/6 * * *", "0 */6 * * *", "celery-and")],
)
def test_h_with_a_step_follows_the_clock_as_a_star_with_a_step_does(typed, star, semantics):
    assert crontab(typed, semantics=semantics).interval_like
    assert crontab(star, semantics=semantics).interval_like


@pytest.mark.parametrize("typed", ["H 2 * * *", "H(0-29)/10 2 * * *", "H H * * *", "H,H/5 2 * * *"])
def test_h_without_a_star_is_a_fixed_time(typed):
    assert not crontab(typed).interval_like


def test_a_day_of_h_with_a_step_counts_as_a_star_for_either_or_both():
    assert not crontab("0 0 H/2 * 1", semantics="vixie-or").day_or
    assert crontab("0 0 H * 1", semantics="vixie-or").day_or


def test_250_characters_may_be_typed_and_stand_for_more():
    typed = "H/1" + ",H/1" * 59 + " * * * *"
    assert len(typed) <= 250 < len(crontab(typed).text)


@pytest.mark.parametrize("seed", [5, b"x", ["x"], 0])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(RuleError) as caught:
        crontab("H * * * *", seed=seed)
    assert caught.value.field == "expression"


@pytest.mark.parametrize("expression", ["", "H", "x" * 251, "@never", "H(1-99) * * * *"])
def test_resolving_raises_nothing_but_a_rule_error(expression):
    with pytest.raises(RuleError):
        resolve(expression, seed=SEED)
