"""Which ends are failures: the filter, the tile, the rail, a host's badge and the alert all say the same."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from schedulerui import clock
from schedulerui.facts import FAILING, FINISHED, RunState
from schedulerui.integrations.telling import badge_for
from schedulerui.models import ScheduleState
from schedulerui.operations import troubles
from schedulerui.operations.outcomes import FAILED_LETTERS, LETTERS, failure_rate
from schedulerui.presenters import status
from schedulerui.presenters.spark import spark_of
from schedulerui.presenters.states import state_of
from tests.web.people import OF_THE_PERSON, a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db


def ended(state: str):
    schedule = a_schedule("The one")
    run = a_run(schedule, state=state)
    ScheduleState.objects.filter(schedule=schedule).update(last_state=state, last_run_id=run.pk)
    return schedule


@pytest.mark.parametrize("state", ["", *RunState])
def test_every_place_agrees_on_whether_a_schedule_fails(state):
    schedule, is_failing = ended(state or RunState.SENT), state in FAILING
    if not state:
        ScheduleState.objects.filter(schedule=schedule).update(last_state="", last_run_id=None)
    reader = logged_in("view")
    overview = reader.get("/")
    said = {
        "filter": [row.name for row in reader.get("/schedules/?q=state:failing").context["rows"]] != [],
        "tile": overview.context["parts"]["tiles"].context["section"].numbers.n_failing == 1,
        "rail": re.search(r'class="sr"> 1 failing<', text_of(overview)) is not None,
        "badge": badge_for(overview.wsgi_request.user) == "1",
        "attention": "The one" in text_of(overview).partition('id="overview-attention"')[2].partition("</section>")[0],
        "status": status.collect(now=clock.now()).schedules["failing"] == 1,
        "alert": f"schedule:{schedule.pk}"
        in {each.key for each in troubles.of_schedules(now=clock.now()).troubles if each.state == "failing"},
    }  # fmt: skip
    assert said == {place: is_failing or (place, state) == ("attention", RunState.MISSED) for place in said}


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_what_stands_beside_a_schedule_counts_the_same_ends_as_failures(state):
    recent = LETTERS[state] + "0"
    assert (failure_rate(recent) == 1000) == (state in FAILING)
    ((family, _path),) = spark_of(recent).paths
    if state in FAILING:
        assert family == state_of(state).family


def test_no_other_end_is_written_with_the_letter_of_a_failure():
    others = {LETTERS[state] for state in FINISHED - set(FAILING)}
    assert not others & set(FAILED_LETTERS)


@pytest.mark.parametrize("asked", ["state=failing", "state=lost", "q=-state:failing"])
@pytest.mark.parametrize("sort", ["next", "failing"])
def test_the_list_is_the_same_however_many_schedules_have_the_state(
    asked, sort, monkeypatch, settings, django_assert_max_num_queries
):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "PAGE_SIZE": 4}
    for number, state in enumerate(["failed", "lost", "succeeded", ""] * 4):
        schedule = a_schedule(f"Number {number}", enabled=number % 3 > 0)
        ScheduleState.objects.filter(schedule=schedule).update(last_state=state, failure_streak=number % 2)
    client = logged_in("view")

    def names():
        address, found = f"/schedules/?{asked}&sort={sort}", []
        while address:
            with django_assert_max_num_queries(6 + OF_THE_PERSON):
                shown = client.get(address).context
            found += [row.name for row in shown["rows"]]
            older = shown["page"].older
            address = f"/schedules/?{asked}&sort={sort}&{urlencode({'older': older})}" if older else ""
        return found

    few = names()
    monkeypatch.setattr("schedulerui.web.views.schedules.MANY", 1)
    assert names() == few
    assert len(few) >= 4
