from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from schedulerui.facts import FINISHED, RunState
from schedulerui.models import Attempt, Run
from schedulerui.operations.deliveries import DUPLICATE
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
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.fixture
def insider():
    return logged_in("view", "view_values")


def url_of(run):
    return reverse("schedulerui:run", args=[run.uuid])


def a_whole_run(**fields):
    moments: dict[str, Any] = {
        "sent_at": NOON + timedelta(milliseconds=40),
        "received_at": NOON + timedelta(milliseconds=90),
        "started_at": NOON + timedelta(milliseconds=400),
        "finished_at": NOON + timedelta(milliseconds=2400),
    }
    return a_run(a_schedule(), **(moments | {"runtime": 2.0, "publishes": 1, "task_id": "t-1"} | fields))


def test_it_asks_for_login_and_permission():
    check_gate(url_of(a_run()), verb="view")


def test_it_refuses_other_methods():
    check_methods(url_of(a_run()), "POST", "PUT", "DELETE")


def test_it_answers_404_for_a_run_that_is_gone(reader):
    assert reader.get(f"/runs/{uuid.uuid4()}/").status_code == 404


def test_a_run_that_was_called_off_on_its_way_says_so_and_not_that_it_was_never_sent(reader):
    run = a_run(a_schedule(), state="cancelled")
    address = f"/runs/{run.uuid}/"
    assert "Called off before it was sent." in text_of(reader.get(address))
    Run.objects.update(cancel_requested_at=run.due_at)
    assert "Called off while it was on its way" in text_of(reader.get(address))


@pytest.mark.parametrize("state", list(RunState))
def test_it_says_every_state_in_a_sentence_and_polls_only_while_it_lasts(reader, state):
    page = text_of(reader.get(url_of(a_run(state=str(state)))))
    assert page.count("<h1") == 1
    assert ('id="run" hx-get' in page) == (state not in FINISHED)


def test_it_shows_each_station_with_the_gap_before_it(reader):
    stations = reader.get(url_of(a_whole_run())).context["timeline"].stations
    gaps = [station.gap for station in stations]
    assert gaps == [None, pytest.approx(0.04), pytest.approx(0.05), pytest.approx(0.31), pytest.approx(2.0)]


@pytest.mark.parametrize(
    ("fields", "is_late"),
    [
        ({"sent_at": NOON + timedelta(seconds=30)}, False),
        ({"sent_at": NOON + timedelta(seconds=150)}, True),
        ({"sent_at": NOON + timedelta(seconds=150), "trigger": "manual"}, False),
        ({"sent_at": NOON + timedelta(seconds=150), "promoted_at": NOON + timedelta(seconds=149)}, False),
        ({"sent_at": None, "state": "pending"}, False),
    ],
)
def test_a_run_that_was_sent_after_the_grace_of_its_schedule_is_called_late(reader, fields, is_late):
    page = text_of(reader.get(url_of(a_whole_run(**fields))))
    assert ("Sent 2 min 30 s after it was due; late is more than 30 s" in page) == is_late
    assert ("</svg>Late</span>" in page) == is_late


def test_it_draws_the_gaps_side_by_side_over_the_whole_width(reader):
    bars = reader.get(url_of(a_whole_run())).context["timeline"].bars
    assert bars[0].x == 0
    assert bars[-1].x + bars[-1].width == pytest.approx(1000, abs=1)
    assert min(bar.width for bar in bars) > 25


@pytest.mark.parametrize(
    ("state", "fields", "why"),
    [
        (
            "unsent",
            {"sent_at": None, "received_at": None, "started_at": None, "finished_at": None},
            "It was never sent.",
        ),
        ("sent", {"received_at": None, "started_at": None, "finished_at": None}, "Not yet."),
        ("succeeded", {"received_at": None}, "Nobody reported it."),
        ("lost", {"finished_at": None}, "Its worker is gone and never told."),
        ("expired", {"received_at": None, "started_at": None}, "It did not come to that."),
    ],
)
def test_it_says_why_a_station_is_not_known(reader, state, fields, why):
    run = a_whole_run(state=state, runtime=None, **fields)
    stations = reader.get(url_of(run)).context["timeline"].stations
    assert why in {station.why for station in stations}


def test_it_names_both_waits_where_nobody_reported_what_is_between(reader):
    response = reader.get(url_of(a_whole_run(received_at=None)))
    started = response.context["timeline"].stations[3]
    assert started.gap == pytest.approx(0.36)
    assert started.gap_word == "Wait in the queue + Wait in the worker"
    assert [bar.key for bar in response.context["timeline"].bars] == ["sent", "started", "finished"]
    assert "<title>Wait in the queue + Wait in the worker 360 ms</title>" in text_of(response)


@pytest.mark.parametrize(
    ("state", "why"),
    [("unsent", "It was never sent."), ("sent", "Not yet."), ("expired", "It did not come to that.")],
)
def test_its_facts_say_why_there_is_no_worker_and_no_run_time(reader, state, why):
    run = a_run(a_schedule(), state=state, finished_at=NOON if state == "expired" else None)
    facts = text_of(reader.get(url_of(run))).partition('id="facts-title"')[2].partition("</section>")[0]
    assert facts.count(why) >= 1
    assert "<dd>—</dd>" not in facts


def test_it_survives_clocks_that_disagree(reader):
    run = a_whole_run(received_at=NOON - timedelta(seconds=3))
    assert reader.get(url_of(run)).status_code == 200


def test_it_explains_an_aggregate_of_missed_times_and_draws_no_timeline(reader):
    run = a_run(
        a_schedule(), state="missed", count=21, covers_until=NOON + timedelta(hours=2), reason="No beat."
    )
    page = text_of(reader.get(url_of(run)))
    assert "21 times" in page
    assert "from 2026-03-04 12:00:00 UTC to 2026-03-04 14:00:00 UTC" in page
    assert "timeline-title" not in page


def test_it_lists_attempts_with_their_workers(reader):
    run, instance = a_whole_run(attempt=1), uuid.uuid4()
    Attempt.objects.create(run=run, attempt=0, state="retrying", reason="Retry in 1 s", worker="celery@a")
    Attempt.objects.create(
        run=run, attempt=1, delivery=2, state="succeeded", worker_instance=instance, worker="celery@b"
    )
    page = text_of(reader.get(url_of(run)))
    assert "Retry in 1 s" in page
    assert "delivery 2" in page
    assert f"/workers/{instance}/" in page


def test_it_says_why_a_delivery_still_looks_alive_beside_the_next_one(reader):
    run = a_whole_run()
    first = Attempt.objects.create(run=run, attempt=0, delivery=1, state="started")
    dropped = Attempt.objects.create(run=run, attempt=0, delivery=2, state="ignored", reason=DUPLICATE)
    said = "Its end was not told. The message was delivered again."
    assert said not in text_of(reader.get(url_of(run)))
    Attempt.objects.filter(pk=dropped.pk).update(state="succeeded", reason="")
    assert text_of(reader.get(url_of(run))).count(said) == 1
    Attempt.objects.filter(pk=first.pk).update(state="lost", reason="its worker is gone")
    assert said not in text_of(reader.get(url_of(run)))


def test_it_says_what_each_attempt_raised_to_those_who_may_see_values(reader, insider):
    run = a_whole_run(attempt=1)
    Attempt.objects.create(
        run=run, attempt=0, state="retrying", exception="Timeout: bank, token=hunter2 " + "x" * 600
    )
    seen, hidden = text_of(insider.get(url_of(run))), text_of(reader.get(url_of(run)))
    assert "Timeout: bank" in seen
    assert "Timeout: bank" not in hidden
    assert "hunter2" not in seen
    assert "x" * 501 not in seen


def test_it_shows_values_only_to_those_who_may_see_them(reader, insider):
    run = a_whole_run(
        args=["visible-arg"],
        kwargs={"k": "visible-kwarg"},
        result="the-result",
        exception="the-exc",
        traceback="the-tb",
    )
    seen, hidden = text_of(insider.get(url_of(run))), text_of(reader.get(url_of(run)))
    for value in ("visible-arg", "visible-kwarg", "the-result", "the-exc", "the-tb"):
        assert value in seen
        assert value not in hidden
    assert "may not see arguments" in hidden


def test_it_covers_secrets_by_the_names_of_their_keys(insider):
    run = a_whole_run(kwargs={"api_token": "hunter2", "deep": [{"Password": "hunter3"}], "store": 138})
    page = text_of(insider.get(url_of(run)))
    assert "hunter" not in page
    assert "138" in page


def test_it_shows_64_kilobytes_of_a_value_and_says_what_is_missing(insider):
    page = text_of(insider.get(url_of(a_whole_run(result="x" * 70_000))))
    assert "4464 more characters are not shown" in page
    assert len(page) < 90_000


LIBRARY = (
    '  File "/srv/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task\n    R = fun()\n'
)
OURS = '  File "/srv/shop/tasks.py", line 3, in work\n    raise ValueError(1)\n'
TRACEBACK = f"Traceback (most recent call last):\n{LIBRARY}{LIBRARY}{OURS}ValueError: 1\n"


def test_it_folds_the_frames_of_libraries_and_keeps_the_whole_traceback_at_hand(insider):
    page = text_of(insider.get(url_of(a_whole_run(state="failed", traceback=TRACEBACK))))
    folded, _, whole = page.partition("The whole traceback")
    assert "… 2 frames of libraries" in folded
    assert "shop/tasks.py" in folded
    assert "site-packages" not in folded
    assert whole.count("site-packages") == 2


def test_it_lays_out_a_result_and_covers_its_secrets(insider):
    page = text_of(
        insider.get(
            url_of(a_whole_run(result=repr({"rows": list(range(60)), "token": "hunter2", "at": (1, 2)})))
        )
    )
    assert "hunter2" not in page
    assert "(1, 2)" in page
    assert "\n &#x27;at&#x27;" in page


@pytest.mark.parametrize(
    "result", ["{'a': <object at 0x1>, 'token': 'hunter2'}", "[" * 500, "{'a': 1e999}", "{" * 90_000]
)
def test_a_result_that_is_no_plain_value_is_shown_as_it_is(insider, result):
    response = insider.get(url_of(a_whole_run(result=result)))
    assert response.status_code == 200
    assert "hunter2" not in text_of(response)


def value_url(run, key):
    return f"{url_of(run)}values/{key}/"


def test_what_is_too_long_for_the_page_is_a_file_with_its_secrets_covered(insider):
    run = a_whole_run(kwargs={"text": "x" * 70_000, "password": "hunter2"}, result="y" * 70_000)
    page = text_of(insider.get(url_of(run)))
    assert value_url(run, "kwargs") in page
    response = insider.get(value_url(run, "kwargs"))
    assert json.loads(response.content) == {"text": "x" * 70_000, "password": "••••••"}
    assert response["Content-Disposition"] == f'attachment; filename="run-{run.uuid}-kwargs.json"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert insider.get(value_url(run, "result")).content == b"y" * 70_000
    assert value_url(run, "args") not in page


def test_a_file_is_only_for_those_who_may_see_values_and_only_of_what_is_there(reader, insider):
    run = a_whole_run(args=[1])
    assert reader.get(value_url(run, "args")).status_code == 403
    assert insider.get(value_url(run, "args")).status_code == 200
    for key in ("kwargs", "task", "pk", "state"):
        assert insider.get(value_url(run, key)).status_code == 404


def test_it_can_be_left_by_keys_for_the_runs_beside_it(reader):
    run = a_whole_run()
    a_run(run.schedule, due_at=NOON - timedelta(hours=1))
    a_run(run.schedule, due_at=NOON + timedelta(hours=1))
    page = text_of(reader.get(url_of(run)))
    assert page.count('data-key="["') == page.count('data-key="]"') == 1


def test_it_links_to_the_runs_before_and_after_of_the_same_schedule(reader):
    run = a_whole_run()
    other = a_run(None, due_at=NOON + timedelta(seconds=1))
    before, after = a_run(run.schedule, due_at=NOON - timedelta(hours=1)), a_run(run.schedule)
    context = reader.get(url_of(run)).context
    assert (context["earlier"], context["later"]) == (before, after)
    assert other not in (context["earlier"], context["later"])


def test_it_links_to_flower_only_when_there_is_one_and_values_may_be_seen(reader, insider, settings):
    run = a_whole_run(task_id="id/with?odd")
    link = "/flower/task/id%2Fwith%3Fodd"
    assert link not in text_of(insider.get(url_of(run)))
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "FLOWER_URL": "http://127.0.0.1:5555/flower/"}
    assert link in text_of(insider.get(url_of(run)))
    assert link not in text_of(reader.get(url_of(run)))


def test_it_answers_a_poll_with_nothing_until_the_run_moves(reader):
    run = a_run(a_schedule(), state="started", started_at=NOON)
    since = reader.get(url_of(run)).context["since"]
    assert reader.get(url_of(run), {"since": since}, headers=HTMX).status_code == 204
    Run.objects.filter(pk=run.pk).update(state="succeeded", progress=run.progress + 40, finished_at=NOON)
    page = text_of(reader.get(url_of(run), {"since": since}, headers=HTMX))
    assert page.lstrip().startswith('<div id="run">')


def test_what_a_running_task_logs_comes_with_the_next_poll_and_its_end_is_in_view(insider):
    run = a_run(a_schedule(), state="started", started_at=NOON, log="12:00:00 INFO shop: one")
    since = insider.get(url_of(run)).context["since"]
    assert insider.get(url_of(run), {"since": since}, headers=HTMX).status_code == 204
    Run.objects.update(log=run.log + "\n12:00:05 INFO shop: two")
    fresh = text_of(insider.get(url_of(run), {"since": since}, headers=HTMX))
    assert "12:00:05 INFO shop: two" in fresh
    assert "block--end" in fresh
    Run.objects.update(state="succeeded", finished_at=NOON)
    assert "block--end" not in text_of(insider.get(url_of(run)))


@pytest.mark.parametrize("n_runs", [10, 200])
def test_it_needs_the_same_number_of_queries_however_many_runs_there_are(
    reader, n_runs, django_assert_num_queries
):
    run = a_whole_run()
    many_runs(n_runs, run.schedule)
    with django_assert_num_queries(6 + OF_THE_PERSON):
        reader.get(url_of(run))


def test_it_names_a_deleted_schedule(reader):
    page = text_of(reader.get(url_of(a_run(None))))
    assert "Gone" in page
    assert "(deleted)" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_it_shows_hostile_text_as_text(insider, text):
    run = a_whole_run(
        schedule_name=text, args=[text], kwargs={text: text}, result=text, exception=text, traceback=text, reason=text,
        worker=text, actor=text, queue=text, task=text,
    )  # fmt: skip
    Attempt.objects.create(run=run, state="failed", reason=text, worker=text)
    page = text_of(insider.get(url_of(run)))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
