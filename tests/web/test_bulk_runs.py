"""Many runs at once: cancelled, run again, written into a file; ticked, or all that match a filter."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from schedulerui import clock
from schedulerui.dispatch import BrokerUnavailable
from schedulerui.models import Change, Run
from schedulerui.operations import bulk, bulk_runs
from schedulerui.testing import recording
from tests.web.people import ANA, HOSTILE, a_run, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
URL = "/runs/bulk/"


@pytest.fixture
def operator():
    return logged_in("view", "operate", "view_values")


@pytest.fixture
def schedule(db):
    return a_schedule()


def ids(runs):
    return [run.pk for run in runs]


def waiting(schedule, n=3):
    """Runs that nobody has sent yet."""
    return [a_run(schedule, state="waiting") for _each in range(n)]


def test_it_asks_first_and_then_cancels_what_has_not_ended(operator, schedule):
    runs = [*waiting(schedule), a_run(schedule)]
    asked = text_of(operator.post(URL, {"action": "cancel", "id": ids(runs)}))
    assert "For 4 runs" in asked
    assert Run.objects.filter(state="waiting").count() == 3
    page = text_of(operator.post(URL, {"action": "cancel", "id": ids(runs), "sure": "1"}, follow=True))
    assert "Cancel: done for 3 runs. 1 was so already." in page
    assert Run.objects.filter(state="cancelled").count() == 3
    assert Change.objects.filter(action="cancel").count() == 3


def test_it_asks_a_broker_that_is_away_once_and_notes_every_wish(operator, schedule):
    runs = [a_run(schedule, state="sent", task_id=f"t{number}") for number in range(5)]
    asked: list[str] = []

    def away(task_id, **_options):
        asked.append(task_id)
        raise BrokerUnavailable("away")

    verb = bulk_runs.cancelling(actor=ANA, now=clock.now(), revoke=away)
    outcome = bulk.apply(Run.objects.all(), ids(runs), verb, allowed=lambda _run: True)
    assert (outcome.n_done, outcome.failures, len(asked)) == (5, [], 1)
    assert Run.objects.filter(cancel_requested_by="ana").count() == 5


@pytest.mark.django_db(transaction=True)
def test_it_runs_each_again_once_however_often_the_form_is_sent(operator, schedule):
    runs = [a_run(schedule, state="failed", args=[number]) for number in range(3)]
    page = text_of(operator.post(URL, {"action": "again", "id": ids(runs)}))
    token = re.findall(r'name="token" value="([^"]+)"', page)[0]
    with recording() as sent:
        for _twice in range(2):
            operator.post(URL, {"action": "again", "id": ids(runs), "sure": "1", "token": token})
    assert len(sent.sent) == 3
    assert sorted(Run.objects.filter(trigger="manual").values_list("args", flat=True)) == [[0], [1], [2]]


EVEN = "Even if a run of it is active"


def sent_and_waiting(client, url, given, *, n_sent, n_waiting, **ticked):
    """Ask for it, answer with what is ticked, and look at what became of the runs."""
    page = text_of(client.post(url, given))
    assert EVEN in page
    token = re.findall(r'name="token" value="([^"]+)"', page)[0]
    with recording() as sent:
        client.post(url, given | {"sure": "1", "token": token} | ticked)
    assert len(sent.sent) == n_sent
    assert Run.objects.filter(trigger="manual", state="waiting").count() == n_waiting


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("ticked", "n_sent", "n_waiting"), [({}, 1, 1), ({"even": "yes"}, 2, 0)])
def test_it_runs_again_beside_an_active_run_only_if_that_is_ticked(operator, ticked, n_sent, n_waiting):
    guarded, free = a_schedule(overlap="skip"), a_schedule("Free")
    runs = [a_run(each, state="failed") for each in (guarded, free)]
    a_run(guarded, state="started")
    given = {"action": "again", "id": ids(runs)}
    sent_and_waiting(operator, URL, given, n_sent=n_sent, n_waiting=n_waiting, **ticked)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("ticked", "n_sent", "n_waiting"), [({}, 1, 1), ({"even": "yes"}, 2, 0)])
def test_schedules_run_now_beside_an_active_run_only_if_that_is_ticked(operator, ticked, n_sent, n_waiting):
    both = [a_schedule(overlap="queue"), a_schedule("Free")]
    a_run(both[0], state="started")
    given = {"action": "run", "id": [schedule.pk for schedule in both]}
    sent_and_waiting(operator, "/schedules/bulk/", given, n_sent=n_sent, n_waiting=n_waiting, **ticked)


def test_it_asks_nothing_about_active_runs_where_all_may_overlap(operator, schedule):
    a_schedule("Guarded", overlap="skip")
    assert EVEN not in text_of(operator.post(URL, {"action": "again", "id": ids([a_run(schedule)])}))
    guarded = a_run(a_schedule("Other", overlap="skip"), state="waiting")
    assert EVEN not in text_of(operator.post(URL, {"action": "cancel", "id": ids([guarded])}))


@pytest.mark.django_db(transaction=True)
def test_it_lists_what_cannot_be_run_again_and_does_the_rest(operator, schedule):
    runs = [a_run(schedule, state="failed"), a_run(schedule, state="started")]
    given = {"action": "again", "id": ids(runs), "sure": "1", "token": "11111111-1111-1111-1111-111111111111"}
    with recording() as sent:
        page = text_of(operator.post(URL, given))
    assert "Not done for 1 run" in page
    assert "has not ended yet" in page
    assert f"/runs/{runs[1].uuid}/" in page
    assert len(sent.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_without_its_token_nothing_is_run_again(operator, schedule):
    given = {"action": "again", "id": ids([a_run(schedule)]), "sure": "1"}
    assert operator.post(URL, given).status_code == 400
    assert Run.objects.count() == 1


def all_matching(query, seen):
    return {"action": "cancel", "all": "1", "query": query, "seen": seen, "sure": "1"}


def test_all_matching_means_the_filter(operator, schedule):
    other = a_schedule("Other")
    waiting(schedule), waiting(other)
    operator.post(URL, all_matching(f"schedule={other.pk}", 3))
    assert set(Run.objects.filter(state="cancelled").values_list("schedule", flat=True)) == {other.pk}


def test_it_refuses_when_the_number_has_moved_since_it_was_seen(operator, schedule):
    waiting(schedule)
    response = operator.post(URL, all_matching("", 100))
    assert response.status_code == 409
    assert '<a href="/runs/">Back to the list</a>' in text_of(response)
    assert "You saw 100 runs; 3 match now." in text_of(response)
    assert not Run.objects.filter(state="cancelled").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "cancel"}, "No run is selected"),
        ({"action": "cancel", "ids": ",".join(map(str, range(1, 1003)))}, "At most 1000 runs"),
        (all_matching("colour=red", 3), "There is no filter named"),
    ],
)
def test_it_says_what_is_unclear_and_comes_back_to_the_list(operator, schedule, given, said):
    waiting(schedule)
    response = operator.post(URL, given, follow=True)
    assert response.redirect_chain[-1][0] == "/runs/"
    assert said in text_of(response)
    assert not Run.objects.filter(state="cancelled").exists()


def test_who_may_only_look_is_offered_files_and_nothing_else(schedule):
    runs = waiting(schedule)
    reader = logged_in("view")
    page = text_of(reader.get("/runs/"))
    assert '<option value="csv">' in page
    assert '<option value="cancel">' not in page
    for action in ("cancel", "again"):
        assert reader.post(URL, {"action": action, "id": ids(runs), "sure": "1"}).status_code == 403
    assert reader.post(URL, {"action": "explode", "id": ids(runs)}).status_code == 400


def only_mine(user, schedules):
    return schedules.filter(owner="ana")


def not_other(user, verb, obj):
    return getattr(obj, "name", "") != "Other"


@pytest.fixture
def host(settings):
    def decides(**options):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, **options}

    return decides


def test_runs_that_one_may_not_know_of_are_left_alone(operator, schedule, host):
    mine = waiting(a_schedule("Mine", owner="ana"))
    hidden = waiting(schedule)
    host(ACCESS_FILTER=f"{__name__}.only_mine")
    operator.post(URL, {"action": "cancel", "id": ids([*hidden, *mine]), "sure": "1"})
    assert set(Run.objects.filter(state="cancelled")) == set(mine)
    rows = csv.DictReader(
        io.StringIO(text_of(operator.post(URL, {"action": "csv", "id": ids([*hidden, *mine])})))
    )
    assert {row["schedule_name"] for row in rows} == {"Mine"}


def test_it_asks_about_the_schedule_of_each_run(operator, schedule, host):
    refused, allowed = waiting(a_schedule("Other")), waiting(schedule)
    host(ACCESS=f"{__name__}.not_other")
    page = text_of(operator.post(URL, {"action": "cancel", "id": ids([*refused, *allowed]), "sure": "1"}))
    assert "Not done for 3 runs" in page
    assert set(Run.objects.filter(state="cancelled")) == set(allowed)


def test_files_hold_no_values_for_those_who_may_not_see_them(operator, schedule):
    run = a_run(schedule, args=["secret"], kwargs={"password": "x"}, result="secret", worker="=1+1")
    given = {"id": [run.pk]}
    shown = json.loads(text_of(operator.post(URL, {**given, "action": "json"})))
    assert shown[0]["args"] == ["secret"]
    assert shown[0]["kwargs"] == {"password": "••••••"}
    reader = logged_in("view")
    for action in ("csv", "json"):
        body = text_of(reader.post(URL, {**given, "action": action}))
        assert "secret" not in body
        assert "'=1+1" in body or action == "json"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(operator, text):
    run = a_run(schedule_name=text, task=text, state="started")
    for given in (
        {"action": "cancel"},
        {"action": "again", "sure": "1", "token": "11111111-1111-1111-1111-111111111111"},
    ):
        page = text_of(operator.post(URL, {**given, "id": [run.pk]}))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
