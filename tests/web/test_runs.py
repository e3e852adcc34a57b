from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.models import Run
from tests.web.people import (
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_run,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    many_runs,
    text_of,
)

pytestmark = pytest.mark.django_db
URL, LIVE = "/runs/", "/live/runs/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


def names(response):
    return [row.name for row in response.context["rows"]]


def test_it_asks_for_login_and_permission():
    check_gate(URL, verb="view")
    check_gate(f"{LIVE}?newest=0", verb="view")


def test_it_refuses_other_methods():
    check_methods(URL, "POST", "PUT", "DELETE")
    check_methods(LIVE, "POST", "PUT", "DELETE")


def test_it_teaches_what_a_run_is_when_there_is_none(reader):
    assert "Nothing has run yet" in text_of(reader.get(URL))


def test_it_shows_every_state_by_its_word(reader):
    for state in RunState:
        a_run(state=str(state))
    response = reader.get(URL)
    assert {row.state.key for row in response.context["rows"]} == {str(state) for state in RunState}


def test_it_answers_htmx_with_the_results_alone(reader):
    a_run()
    page = text_of(reader.get(URL, headers=HTMX))
    assert "<html" not in page
    assert page.lstrip().startswith('<div id="results"')


def test_it_keeps_two_schedules_of_one_task_apart(reader):
    one, two = a_schedule("One"), a_schedule("Two")
    a_run(one), a_run(two)
    response = reader.get(URL, {"schedule": one.pk})
    assert names(response) == ["One"]
    assert response.context["schedule"] == one


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "failed"}, ["b"]),
        ({"state": "active"}, ["c"]),
        ({"state": "unhappy"}, ["b"]),
        ({"trigger": "manual"}, ["c"]),
        ({"task": "app.two"}, ["b"]),
        ({"worker": "celery@two"}, ["c"]),
        ({"q": "B"}, ["b"]),
        ({"q": "app.t"}, ["b"]),
        ({"due_from": "2026-03-04T12:30"}, ["c"]),
        ({"due_to": "2026-03-04T11:30:00"}, ["a"]),
        ({"due_from": "2026-03-04T11:30", "due_to": "2026-03-04T12:30", "state": "failed"}, ["b"]),
    ],
)
def test_it_narrows_by(reader, query, expected):
    a_run(schedule_name="a", due_at=NOON - timedelta(hours=1))
    a_run(schedule_name="b", state="failed", task="app.two")
    a_run(
        schedule_name="c",
        state="started",
        trigger="manual",
        worker="celery@two",
        due_at=NOON + timedelta(hours=1),
    )
    response = reader.get(URL, query)
    assert names(response) == expected
    assert len(response.context["filter"].active) == len(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "nonsense"}, "State"),
        ({"trigger": "x"}, "Started by"),
        ({"due_from": "yesterday"}, "Due from"),
        ({"schedule": "abc"}, "Schedule"),
        ({"schedule": "9" * 30}, "Schedule"),
        ({"schedule": "1.5"}, "Schedule"),
        ({"instance": "abc"}, "Worker instance"),
        ({"sate": "failed"}, "sate"),
        ({"q": "x\x00"}, "Search"),
        ({"q": "x" * 401}, "Search"),
        ({"older": "nonsense"}, "damaged"),
        ({"older": "2026-03-04T12:00:00+00:00_²"}, "damaged"),
        ({"newer": "2026-03-04T12:00:00_1"}, "damaged"),
        ({"older": f"2026-03-04T12:00:00+00:00_{'9' * 40}"}, "damaged"),
    ],
)
def test_it_says_what_it_did_not_understand_and_shows_nothing_for_it(reader, query, said):
    a_run()
    response = reader.get(URL, query)
    page = text_of(response)
    assert response.status_code == 200
    assert names(response) == []
    assert said in page.partition('id="results"')[2]
    assert 'role="alert"' in page.partition('id="results"')[2]


def test_it_turns_pages_in_both_directions_without_gap_or_repetition(reader):
    schedule = a_schedule()
    many_runs(settings().PAGE_SIZE * 2 + 7, schedule)
    Run.objects.update(due_at=NOON)
    seen, address = [], URL
    while address:
        response = reader.get(address)
        seen += [row.uuid for row in response.context["rows"]]
        older = response.context["page"].older.replace("+", "%2B")
        address = f"{URL}?older={older}" if older else ""
    assert len(seen) == len(set(seen)) == settings().PAGE_SIZE * 2 + 7
    back = reader.get(URL, {"newer": response.context["page"].newer})
    assert [row.uuid for row in back.context["rows"]] == seen[settings().PAGE_SIZE : settings().PAGE_SIZE * 2]


def have(response):
    known = [f"run-{row.pk}:{row.digest}" for row in response.context["rows"]]
    return ",".join([*known, "news:0"])


def test_it_answers_a_poll_with_nothing_until_a_run_looks_different(reader):
    run, _other = a_run(state="started"), a_run(schedule_name="Other")
    page = reader.get(URL)
    asked = {"have": have(page), "newest": page.context["newest"]}
    response = reader.get(LIVE, asked, headers=HTMX)
    assert (response.status_code, response.content) == (204, b"")
    Run.objects.filter(pk=run.pk).update(state="succeeded", progress=run.progress + 40)
    changed = text_of(reader.get(LIVE, asked, headers=HTMX))
    assert "Succeeded" in changed
    assert "Other" not in changed
    assert changed.count("hx-swap-oob") == 1


def test_new_runs_are_counted_and_never_jump_in(reader):
    a_run(state="failed")
    page = reader.get(URL, {"state": "failed"})
    asked = {"state": "failed", "have": have(page), "newest": page.context["newest"]}
    a_run(state="succeeded", schedule_name="Fine")
    assert reader.get(LIVE, asked, headers=HTMX).status_code == 204
    a_run(state="failed", schedule_name="Another")
    told = text_of(reader.get(LIVE, asked, headers=HTMX))
    assert 'id="news"' in told
    assert "1 new" in told
    assert "Another" not in told


def test_a_poll_takes_one_query_whether_filtered_or_not(reader, django_assert_num_queries):
    many_runs(60, a_schedule())
    for query in ({}, {"q": "state:failed nightly"}):
        page = reader.get(URL, query)
        with django_assert_num_queries(1 + OF_THE_PERSON):
            reader.get(LIVE, {**query, "have": have(page), "newest": 1}, headers=HTMX)


def test_it_polls_for_the_same_filter(reader):
    a_run(state="failed"), a_run(state="succeeded")
    page = text_of(reader.get(URL, {"state": "failed"}))
    assert "/live/runs/?state=failed&amp;newest=" in page


def test_older_pages_ask_about_their_rows_and_not_about_new_ones(reader):
    many_runs(settings().PAGE_SIZE + 1, a_schedule())
    older = reader.get(URL).context["page"].older
    page = text_of(reader.get(URL, {"older": older})).partition('id="results"')[2]
    assert "live/runs" in page
    assert "newest=" not in page


def test_it_reads_neither_arguments_nor_results_for_a_list(reader, django_assert_num_queries):
    a_run(args=["x" * 1000], result="secret result")
    with django_assert_num_queries(4 + OF_THE_PERSON) as queries:
        reader.get(URL)
    assert not any("traceback" in query["sql"] for query in queries.captured_queries)


@pytest.mark.parametrize("text", HOSTILE)
def test_it_shows_hostile_text_as_text(reader, text):
    a_run(schedule_name=text, task=text, worker=text, actor=text)
    for query in ({}, {"q": text}, {"task": text}, {"state": text}, {text: "1"}):
        page = text_of(reader.get(URL, query))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_the_longest_come_first_and_pages_turn_without_gap_or_repetition(reader):
    schedule, n = a_schedule(), settings().PAGE_SIZE * 2 + 7
    for number in range(n):
        a_run(schedule, runtime=(number % 40) / 7 if number % 5 else None, task=f"t{number}")
    forwards, response = [], reader.get(URL, {"sort": "longest"})
    assert 'aria-sort="descending"><a href="?sort=longest"' in text_of(response)
    while True:
        forwards.append([(row.runtime, row.pk) for row in response.context["rows"]])
        if not (older := response.context["page"].older):
            break
        response = reader.get(URL, {"sort": "longest", "older": older})
    backwards = [forwards[-1]]
    while newer := response.context["page"].newer:
        response = reader.get(URL, {"sort": "longest", "newer": newer})
        backwards.insert(0, [(row.runtime, row.pk) for row in response.context["rows"]])
    seen = [row for page in forwards for row in page]
    times = [-1.0 if runtime is None else runtime for runtime, _pk in seen]
    assert len(set(seen)) == n
    assert times == sorted(times, reverse=True)
    assert backwards == forwards


@pytest.mark.parametrize(
    "cursor", ["=nan_1", "=inf_1", "=1e999_1", "=x_1", "=-1_1", "=1.5", "=²_1", "_", "=1_" + "9" * 30]
)
def test_a_damaged_page_of_the_longest_is_said(reader, cursor):
    a_run(runtime=1.0)
    for side in ("older", "newer"):
        response = reader.get(URL, {"sort": "longest", side: cursor})
        assert response.status_code == 200
        assert "damaged" in text_of(response)


def test_the_longest_are_of_the_newest_runs_and_the_page_says_so(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.history_filters.SCANNED", 2)
    for number in range(4):
        a_run(runtime=float(number), schedule_name=str(number), due_at=NOON - timedelta(minutes=number))
    response = reader.get(URL, {"sort": "longest"})
    assert names(response) == ["2", "1", "0"]
    assert "among the newest" in text_of(response)
    assert names(reader.get(URL, {"sort": "longest", "count": "exact"})) == ["3", "2", "1", "0"]


def test_a_poll_keeps_the_rows_in_view_however_many_are_new(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.live.MOST_NEW", 2)
    a_run(schedule_name="seen")
    known = have(page := reader.get(URL))
    many_runs(5, a_schedule())
    answer = text_of(reader.get(LIVE, {"have": known, "newest": page.context["newest"]}, headers=HTMX))
    assert "delete" not in answer
    assert 'id="news"' in answer


def test_words_find_the_runs_of_a_schedule_by_the_name_that_it_has_now(reader):
    schedule = a_schedule("Nightly billing")
    a_run(schedule, schedule_name="Nightly"), a_run(schedule_name="Billing of nobody"), a_run(a_schedule())
    assert set(names(reader.get(URL, {"q": "BILLING"}))) == {"Nightly", "Billing of nobody"}
    assert names(reader.get(URL, {"q": "billing -nobody"})) == ["Nightly"]
    assert names(reader.get(URL, {"q": "billing nightly"})) == ["Nightly"]
    assert names(reader.get(URL, {"q": "nothing-like-it"})) == []


def test_a_word_may_be_a_task_id_beside_others(reader):
    a_run(a_schedule("Nightly"), task_id="5f3c"), a_run(a_schedule("Other"))
    assert names(reader.get(URL, {"q": "5f3c"})) == ["Nightly"]
    assert names(reader.get(URL, {"q": "5f3c nightly"})) == ["Nightly"]
    assert names(reader.get(URL, {"q": "5f3c other"})) == []


def test_words_that_many_schedules_have_are_looked_for_in_the_runs(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.words.MOST_NAMED", 1)
    for number in range(3):
        a_run(a_schedule(f"Report {number}"))
    assert len(names(reader.get(URL, {"q": "REPORT"}))) == 3
    assert names(reader.get(URL, {"q": "report -1 -2"})) == ["Report 0"]


def test_words_that_many_schedules_have_are_counted_less_far(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.words.MOST_NAMED", 1)
    monkeypatch.setattr("schedulerui.web.views.runs.COMMON_CAP", 50)
    many_runs(52, a_schedule("Report 1"))
    a_schedule("Report 2")
    response = reader.get(URL, {"q": "report"})
    assert (len(names(response)), response.context["count"], response.context["is_capped"]) == (50, 50, True)
    assert response.context["page"].older
    assert reader.get(URL, {"q": "report", "count": "exact"}).context["count"] == 52


def test_a_walk_counts_no_further_than_it_says_and_turns_pages_like_any_other(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.views.runs.WALK_CAP", 60)
    many_runs(settings().PAGE_SIZE * 2 + 7, a_schedule())
    seen, response = [], reader.get(URL, {"q": "nightly"})
    assert "More than 60 runs" in text_of(response)
    assert "narrow the filter" in text_of(logged_in("view", "operate").get(URL, {"q": "nightly"}))
    while True:
        seen += [row.pk for row in response.context["rows"]]
        if not (older := response.context["page"].older):
            break
        response = reader.get(URL, {"q": "nightly", "older": older})
    assert len(seen) == len(set(seen)) == settings().PAGE_SIZE * 2 + 7
    assert "107 runs" in text_of(reader.get(URL, {"q": "nightly", "count": "exact"}))


def test_a_filter_that_makes_no_sense_walks_through_nothing(reader, django_assert_max_num_queries):
    a_run()
    with django_assert_max_num_queries(6 + OF_THE_PERSON):
        assert names(reader.get(URL, {"q": "word nonsense:x"})) == []
