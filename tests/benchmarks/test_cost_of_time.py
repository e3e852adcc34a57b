"""What the next fire time of a rule costs: beat asks for it once for each run."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.recurrence import next_fire, parse_rule

pytestmark = pytest.mark.benchmark
MOMENT = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
RULES = {
    "crontab of every 5 minutes": {"kind": "crontab", "expression": "*/5 * * * *", "tz": "Europe/Berlin"},
    "crontab of weekdays at 8:30": {
        "kind": "crontab",
        "expression": "30 8 * * mon-fri",
        "tz": "America/New_York",
    },
    "crontab of 29 February": {"kind": "crontab", "expression": "0 0 29 2 *", "tz": "UTC"},
}
N_FIRES = 200


@pytest.mark.parametrize("name", RULES)
def test_the_next_fire_time_costs_less_than_5_ms(name):
    rule = parse_rule(RULES[name])
    moment = MOMENT
    began = time.perf_counter()
    for _ in range(N_FIRES):
        moment = next_fire(rule, moment) or MOMENT
    cost = timedelta(seconds=(time.perf_counter() - began) / N_FIRES)
    print(f"\n{name}: {cost / timedelta(microseconds=1):.0f} us for each fire time")
    assert cost < timedelta(milliseconds=5)
