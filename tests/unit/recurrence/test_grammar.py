"""The five fields: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

import pytest

from schedulerui.recurrence import CrontabRule, RuleError, parse_rule
from tests.counting import calls_of


def crontab(expression, semantics="celery-and"):
    rule = parse_rule({"kind": "crontab", "expression": expression, "semantics": semantics})
    assert isinstance(rule, CrontabRule)
    return rule


ACCEPTED = [
    ("5 * * * *", "minutes", (5,)),
    ("05 * * * *", "minutes", (5,)),
    ("50-10/5 * * * *", "minutes", (0, 5, 10, 50, 55)),
    ("50-10/20 * * * *", "minutes", (10, 50)),
    ("5,1,5 * * * *", "minutes", (1, 5)),
    ("* 22-2 * * *", "hours", (0, 1, 2, 22, 23)),
    ("* 10-10 * * *", "hours", (10,)),
    ("* * 31 * *", "days", (31,)),
    ("* * */30 * *", "days", (1, 31)),
    ("* * * NOV-feb *", "months", (1, 2, 11, 12)),
    ("* * * jan,6 *", "months", (1, 6)),
    ("* * * * 0", "weekdays", (0,)),
    ("* * * * 7", "weekdays", (0,)),
    ("* * * * 5-7", "weekdays", (0, 5, 6)),
    ("* * * * 0-7", "weekdays", (0, 1, 2, 3, 4, 5, 6)),
    ("* * * * 1-7/2", "weekdays", (0, 1, 3, 5)),
    ("* * * * 7-2", "weekdays", (0, 1, 2)),
    ("* * * * Fri-MON", "weekdays", (0, 1, 5, 6)),
    ("* * * * fri-mon/2", "weekdays", (0, 5)),
    ("* * * * sun-tue", "weekdays", (0, 1, 2)),
    ("* * * * mon-5", "weekdays", (1, 2, 3, 4, 5)),
    ("\t*  *\t* * * ", "minutes", tuple(range(60))),
]


@pytest.mark.parametrize(("expression", "name", "numbers"), ACCEPTED)
def test_it_expands_a_field(expression, name, numbers):
    assert getattr(crontab(expression), name) == numbers


REFUSED = [
    ("60 * * * *", "minute", "60: use 0-59"),
    ("* 24 * * *", "hour", "24: use 0-23"),
    ("* * 0 * *", "day_of_month", "0: use 1-31"),
    ("* * 32 * *", "day_of_month", "32: use 1-31"),
    ("* * * 13 *", "month", "13: use 1-12"),
    ("* * * * 8", "day_of_week", "weekday 8: use 0-7, where 0 and 7 are Sunday"),
    ("* * * * 5-8", "day_of_week", "8: use 0-7"),
    ("* * * mon *", "month", "mon"),
    ("* * * * jan", "day_of_week", "jan"),
    ("mon * * * *", "minute", "mon"),
    ("* * * * monday", "day_of_week", "monday"),
    ("* * * january *", "month", "january"),
    ("*/70 * * * *", "minute", "write 0"),
    ("* */24 * * *", "hour", "write 0"),
    ("* * */31 * *", "day_of_month", "write 1"),
    ("*/0 * * * *", "minute", "1-59"),
    ("*/ * * * *", "minute", "step"),
    ("*/-5 * * * *", "minute", "step"),
    ("*/5/5 * * * *", "minute", "step"),
    ("5/15 * * * *", "minute", "write 5-59/15"),
    ("* mon/2 * * *", "hour", "mon: that is not a name of this field"),
    ("1,,2 * * * *", "minute", "comma"),
    (",1 * * * *", "minute", "comma"),
    ("1, * * * *", "minute", "comma"),
    ("1- * * * *", "minute", "1-"),
    ("-1 * * * *", "minute", "-1"),
    ("1-2-3 * * * *", "minute", "1-2-3"),
    ("*-5 * * * *", "minute", "*-5"),
    ("** * * * *", "minute", "**"),
    ("+1 * * * *", "minute", "+1"),
    ("1.5 * * * *", "minute", "1.5"),
    ("1_0 * * * *", "minute", "1_0"),
    ("? * * * *", "minute", "?"),
    ("* * L * *", "day_of_month", "L"),
    ("* * 15W * *", "day_of_month", "15W"),
    ("* * * * 5#2", "day_of_week", "5#2"),
    ("H * * * *", "expression", "minute H: H is a number that each schedule has"),
    ("* H(0-7) * * *", "expression", "hour H(0-7): H is"),
    ("h * * * *", "minute", "with a large H"),
    ("H(60-70) * * * *", "minute", "minute 60: use 0-59"),
    ("* H(0-24) * * *", "hour", "hour 24: use 0-23"),
    ("* * H(0-7) * *", "day_of_month", "0: use 1-31"),
    ("* * * H(jan-foo) *", "month", "foo"),
    ("* * * * H(5)", "day_of_week", "H(0-7)"),
    ("H(*) * * * *", "minute", "H(0-7)"),
    ("H-5 * * * *", "minute", "H-5: that is not understood"),
    ("5-H * * * *", "minute", "5-H: that is not understood"),
    ("H( * * * *", "minute", "H(: that is not understood"),
    ("H/0 * * * *", "minute", "1-59"),
    ("H/x * * * *", "minute", "step"),
    ("H/60 * * * *", "minute", "write H"),
    ("* H(0-7)/8 * * *", "hour", "write H(0-7)"),
    ("* * H/28 * *", "day_of_month", "write H"),
    ("0,61,H * * * *", "expression", "H is a number"),
    ("0,30,61 * * * *", "minute", "minute 61 (item 3 of 3): use 0-59"),
    ("* * * * mon,8", "day_of_week", "weekday 8 (item 2 of 2): use 0-7"),
    ("\u0663 * * * *", "minute", r"\u0663"),
    ("\uff15 * * * *", "minute", r"\uff15"),
    ("*/\u00b2 * * * *", "minute", "step"),
    ("* * * * su\u0131", "day_of_week", "understood"),
    ("\x00 * * * *", "minute", r"\x00"),
    ("*\n* * * *", "expression", "found 4"),
    ("* * * * *\n", "day_of_week", r"*\n"),
    ("*\u00a0* * * *", "expression", "found 4"),
    ("* * * *", "expression", "found 4 of the five"),
    ("* * * * * *", "expression", "found 6 of the five"),
    ("@reboot", "expression", "@reboot is not a known name: use one of @yearly"),
    ("@" + "d" * 249, "expression", "is not a known name"),
    ("@daily 5", "expression", "is not a known name"),
    ("30 2 31 2 *", "day_of_month", "there is no day 31 in February, so it would never run"),
    ("30 2 30-31 feb mon", "day_of_month", "there is no day 30 or 31 in February, so"),
    ("30 2 31 4,6,9,11 *", "day_of_month", "there is no day 31 in April, June, September or November, so"),
    ("* * * * *" + " " * 250, "expression", "at most 250"),
]


@pytest.mark.parametrize(("expression", "field", "part"), REFUSED)
def test_it_names_the_field_and_what_would_be_right(expression, field, part):
    with pytest.raises(RuleError) as caught:
        crontab(expression)
    assert caught.value.field == field
    assert part in caught.value.message
    assert len(caught.value.message) < 300


def test_29_february_and_an_impossible_day_beside_a_weekday_can_occur():
    assert crontab("0 0 29 2 *").days == (29,)
    assert crontab("0 0 31 2 mon", "vixie-or").day_or


@pytest.mark.parametrize(
    ("expression", "interval_like"),
    [
        ("*/5 2 * * *", True),
        ("0 */2 * * *", True),
        ("0 *,5 * * *", True),
        ("0-59 2 * * *", False),
        ("0,* 2 * * *", False),
    ],
)
def test_it_is_interval_like_when_the_minute_or_hour_text_begins_with_a_star(expression, interval_like):
    assert crontab(expression).interval_like is interval_like


@pytest.mark.parametrize(
    ("expression", "semantics", "day_or"),
    [
        ("0 0 13 * 5", "vixie-or", True),
        ("0 0 13 * 5", "celery-and", False),
        ("0 0 */2 * 1", "vixie-or", False),
        ("0 0 1-31 * */2", "vixie-or", False),
        ("0 0 1-31 * 1", "vixie-or", True),
    ],
)
def test_days_are_or_only_by_classic_cron_and_only_when_neither_text_begins_with_a_star(
    expression, semantics, day_or
):
    assert crontab(expression, semantics).day_or is day_or


def test_hostile_text_is_refused_at_once():
    texts = ["*" * 10_000_000, "9" * 240 + " * * * *", "1-59/1," * 30 + "61 * * * *", "," * 240 + " * * * *"]
    for text in texts:

        def refuse(text=text):
            with pytest.raises(RuleError):
                crontab(text)

        assert calls_of(refuse) < 5_000


def test_equal_rules_are_equal_and_can_key_a_set():
    assert len({crontab("1,2 * * * *"), crontab("1,2 * * * *"), crontab("2,1 * * * *")}) == 2
