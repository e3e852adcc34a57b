"""What ten fire times of usual and of hard rules cost, and the refusal of hostile texts.

The limits are printed beside the figures, not asserted: a busy machine is no fault of a rule.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

import pytest

from schedulerui.recurrence import RuleError, describe, gaps_of_year, notices, parse_rule, upcoming, walltime
from schedulerui.recurrence.fields import expand

pytestmark = pytest.mark.benchmark
BASES = [datetime(2026, month, 5, 11, 7, tzinfo=UTC) for month in (1, 3, 6, 10)]
N_FIRES, N_ROUNDS = 10, 15
USUAL = (
    "* * * * *",
    "*/5 * * * *",
    "*/15 9-17 * * mon-fri",
    "0 * * * *",
    "30 2 * * *",
    "0 9 * * mon-fri",
    "0 0 * * sun",
    "0 0 1 * *",
    "15 6 1,15 * *",
    "0 0 1 1 *",
    "0 12 24 12 *",
    "0 9 13 * 5",
)
HARD = ("0 0 29 2 mon", "0 0 29 2 *", "30 2 25-31 3 sun", "0 0 31 */2 sun", "59 23 31 12 sat")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
HOSTILE = {
    "ten million stars": "*" * 10_000_000,
    "240 digits": "9" * 240 + " * * * *",
    "60 ranges, then 61": "1-59/1," * 30 + "61 * * * *",
    "240 commas": "," * 240 + " * * * *",
    "ten million spaces": " " * 10_000_000,
    "many H": "H(0-29)/7," * 23 + "H(0-29)/70 * * * *",
    "open brackets": "H" + "(" * 240 + " * * * *",
    "unknown name": "@" + "d" * 249,
}


def milliseconds(work):
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def crontab(expression, tz):
    spec = {"kind": "crontab", "expression": expression, "tz": tz, "semantics": "celery-and", "seed": "bench"}
    return parse_rule(spec)


def costs(expressions, *, is_cold):
    """Return the milliseconds of ten fires, for each rule, zone and moment; cold: nothing was asked before."""
    found = []
    for expression in expressions:
        for tz in ZONES:
            rule = crontab(expression, tz)
            for base in BASES * N_ROUNDS:
                if is_cold:
                    walltime.stretches.cache_clear()
                found.append((milliseconds(lambda: upcoming(rule, base, N_FIRES)), expression, tz))  # noqa: B023 - called at once
    return found


def say(what, found):
    worst = max(found)
    middle = statistics.median(cost for cost, _, _ in found)
    print(f"\n{what}: median {middle:.3f} ms, worst {worst[0]:.2f} ms ({worst[1]} in {worst[2]})", end="")


def test_ten_fires():
    say("ten fires of usual rules (limit: median 2 ms)", costs(USUAL, is_cold=False))
    say("the same, nothing remembered", costs(USUAL, is_cold=True))
    hard = costs(HARD, is_cold=True)
    say("ten fires of hard rules, nothing remembered (limit: worst 20 ms)", hard)
    leap = [cost for cost in hard if cost[1] == "0 0 29 2 mon"]
    say("29 February on a Monday (limit: worst 20 ms)", leap)
    assert len(hard) == len(HARD) * len(ZONES) * len(BASES) * N_ROUNDS


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text(name):
    spent = []
    for _ in range(N_ROUNDS):
        expand.cache_clear()
        started = time.perf_counter()
        with pytest.raises(RuleError):
            crontab(HOSTILE[name], "UTC")
        spent.append((time.perf_counter() - started) * 1000)
    print(
        f"\nrefusing {name} (limit 5 ms): median {statistics.median(spent):.3f} ms, worst {max(spent):.2f} ms",
        end="",
    )


@pytest.mark.parametrize("expression", ["* * * * *", "*/5 9-17 * * mon-fri", "30 2 * * *", "0 0 29 2 mon"])
def test_a_whole_preview(expression):
    rule = crontab(expression, "Europe/Berlin")
    parts = {
        "words": lambda: describe(rule),
        "notices": lambda: notices(rule, BASES[0]),
        "gaps of a year": lambda: gaps_of_year(rule, BASES[0]),
    }
    first = {name: milliseconds(work) for name, work in parts.items()}
    usual = {name: statistics.median(milliseconds(work) for _ in range(5)) for name, work in parts.items()}
    said = ", ".join(f"{name} {usual[name]:.2f} ms (first {first[name]:.2f})" for name in parts)
    print(f"\n{expression}: {said}", end="")
