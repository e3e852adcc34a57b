"""Beat dispatches what the preview has promised: over both changes of the clock, through restarts and short outages.

SCHEDULERUI_SIMULATE=1 simulates about 500 schedules instead of 60.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import pytest

from schedulerui.models import Run
from schedulerui.testing import recording
from tests.simulation.definitions import ZONES, Definitions, change_in
from tests.simulation.world import Week

PER_ZONE = 42 if os.environ.get("SCHEDULERUI_SIMULATE") else 5
LATE_MAX = timedelta(seconds=90)
"""The lease of a beat that crashed, the outage after it, and one more."""


@pytest.mark.django_db
@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["gap", "fold"])
@pytest.mark.parametrize("zone", ZONES)
def test_what_is_dispatched_is_what_was_promised_and_nothing_twice(zone, which):
    definitions = Definitions(zone, change_in(zone, which), seed=f"{zone} {which}")
    with recording() as outbox:
        week = Week(definitions, PER_ZONE, outbox)
        week.run()
    for pk, promised in week.promised.items():
        rows = Run.objects.filter(schedule=pk).order_by("nominal_at")
        dispatched = [(run.nominal_at, run.due_at, run.reason, run.state, run.count) for run in rows]
        assert dispatched == [
            (each.nominal_at, each.due_at, each.skipped, "skipped" if each.skipped else "sent", 1)
            for each in promised
        ]
    sent = Run.objects.filter(state="sent")
    assert sent.count() == len(outbox.sent)
    assert Counter(outbox.task_ids) == Counter(sent.values_list("task_id", flat=True))
    assert max(Counter(outbox.task_ids).values(), default=1) == 1
    for run in sent:
        assert run.sent_at is not None
        assert timedelta(0) <= run.sent_at - run.due_at <= LATE_MAX


def test_the_definitions_reach_every_kind_and_policy():
    made = [
        Definitions(zone, change_in(zone, which), seed=f"{zone} {which}").one(number)
        for zone in ZONES
        for which in ("gap", "fold")
        for number in range(PER_ZONE)
    ]
    assert len(made) >= 60
    assert {fields["kind"] for fields in made} == {"crontab", "interval", "clocked", "solar"}
    for name in ("max_runs", "start_at", "end_at"):
        assert sum(fields.get(name) is not None for fields in made) > 5
    assert sum(bool(fields["jitter"]) for fields in made) > 20
