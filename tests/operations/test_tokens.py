"""Words in arguments that stand for a run's moments."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulerui.facts import Actor, RunState
from schedulerui.models import Run, ScheduleState
from schedulerui.operations import claims, outcomes, runs, tokens
from schedulerui.testing import DULL_WEDNESDAY
from tests.operations.history_cases import make_run

MOMENTS = {tokens.NOMINAL: "n", tokens.PREVIOUS: None, tokens.LAST_SUCCESS: "s"}
TOKENS = list(MOMENTS)
texts = st.text(max_size=8)
longer = st.builds("{}{}{}".format, texts, st.sampled_from(TOKENS), texts).filter(
    lambda text: text not in MOMENTS
)
plain = st.one_of(st.none(), st.booleans(), st.integers(), texts, longer)
nested = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | longer, inner, max_size=3)
)


@given(nested)
def test_it_leaves_everything_but_whole_tokens_untouched(value):
    assert tokens.replaced(value, MOMENTS) == value


@given(nested, st.sampled_from(TOKENS))
def test_it_replaces_whole_tokens_at_any_depth_and_never_keys(value, token):
    put = {"a": [value, {"b": token}], token: 1}
    assert tokens.replaced(put, MOMENTS) == {"a": [value, {"b": MOMENTS[token]}], token: 1}


@pytest.mark.django_db
def test_it_asks_nothing_when_no_text_has_a_dollar(django_assert_num_queries):
    run = Run(args=[1, "x"], kwargs={"a": ["b"]}, due_at=DULL_WEDNESDAY)
    with django_assert_num_queries(0):
        tokens.fill(run)
    assert (run.args, run.kwargs) == ([1, "x"], {"a": ["b"]})


@pytest.mark.django_db
def test_it_fills_the_run_that_beat_claims_and_not_the_schedule(make_schedule):
    schedule = make_schedule(kwargs={"day": "$nominal", "since": ["$last_success"], "note": "at $nominal"})
    ScheduleState.objects.filter(pk=schedule.pk).update(last_success_at=DULL_WEDNESDAY)
    now = schedule.next_run_at
    lease = claims.Lease(owner="me", until=now + timedelta(seconds=30))
    (run,) = claims.claim_due(lease=lease, now=now, limit=10, touch=lambda: None).runs
    assert run.nominal_at is not None
    assert run.kwargs == {
        "day": run.nominal_at.isoformat(),
        "since": [DULL_WEDNESDAY.isoformat()],
        "note": "at $nominal",
    }
    schedule.refresh_from_db()
    assert schedule.kwargs["day"] == "$nominal"


@pytest.mark.django_db
def test_it_gives_a_click_its_due_time_and_null_for_what_there_is_not(make_schedule):
    schedule = make_schedule(args=["$nominal", "$previous_nominal", "$last_success"])
    run = runs.manual_run(schedule, token="t", actor=Actor.system(), now=DULL_WEDNESDAY)
    assert run.args == [DULL_WEDNESDAY.isoformat(), None, None]


@pytest.mark.django_db
def test_the_last_success_is_the_newest_nominal_time_that_succeeded(make_schedule):
    schedule = make_schedule()
    later = make_run(schedule=schedule, nominal_at=DULL_WEDNESDAY + timedelta(hours=1))
    earlier = make_run(schedule=schedule, nominal_at=DULL_WEDNESDAY)
    for run, state in ((later, RunState.SUCCEEDED), (earlier, RunState.SUCCEEDED), (later, RunState.FAILED)):
        outcomes.follow(run, state, runtime=None, is_again=False)
    assert ScheduleState.objects.get(pk=schedule.pk).last_success_at == later.nominal_at
