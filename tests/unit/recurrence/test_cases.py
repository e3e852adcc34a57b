"""The worked cases are the rule for fire times: all of them pass."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from schedulerui.recurrence import parse_rule, upcoming

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases.jsonl").read_text().splitlines()]


def test_all_cases_are_here():
    assert len(CASES) == 54


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['class']}" for case in CASES])
def test_it_fires_as_the_case_says(case):
    fires = upcoming(parse_rule(case), datetime.fromisoformat(case["base"]), 5)
    expected = [datetime.fromisoformat(text) for text in case["expected"]]
    tolerance = timedelta(seconds=case.get("tolerance_s", 0))
    assert len(fires) == len(expected)
    assert all(abs(fire - wanted) <= tolerance for fire, wanted in zip(fires, expected, strict=True)), fires
