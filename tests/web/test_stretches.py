"""How many runs were due in each stretch of time: the same whether each is asked for or each run is put into its own."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle

import pytest

from schedulerui.facts import FAILING
from schedulerui.models import Run
from schedulerui.models.stretches import MOST_SELECTS
from tests.web.people import NOON, a_run

pytestmark = pytest.mark.django_db
STATES = cycle(["succeeded", "failed", "missed", "skipped", "lost", "started", "succeeded"])
GROUPS = [["skipped"], ["missed"], [*map(str, FAILING)], [], ["missed", "failed"]]


@pytest.fixture
def runs():
    for minute in range(0, 120, 7):
        a_run(due_at=NOON + timedelta(minutes=minute), state=next(STATES))


@pytest.mark.parametrize("n_stretches", [1, MOST_SELECTS, MOST_SELECTS + 1])
@pytest.mark.usefixtures("runs")
def test_it_counts_what_was_due_in_few_stretches_and_in_many(n_stretches, django_assert_num_queries):
    # Uneven, from before the first run to before the last; edges fall on moments of runs.
    edges = [NOON - timedelta(minutes=7), *[NOON + n * timedelta(minutes=2) for n in range(n_stretches)]]
    with django_assert_num_queries(1):
        counted = Run.objects.tally(edges, groups=GROUPS)
    assert counted == Run.objects.all().tally_narrowed(edges, groups=GROUPS)
    assert [len(counts) for counts in counted] == [n_stretches] * len(GROUPS)
    if n_stretches > 1:
        assert sum(counted[3]) > sum(counted[4]) > 0


def test_it_counts_nothing_where_there_is_no_stretch():
    assert Run.objects.tally([], groups=GROUPS) == [[]] * len(GROUPS)
    assert Run.objects.tally([NOON], groups=GROUPS) == [[]] * len(GROUPS)
