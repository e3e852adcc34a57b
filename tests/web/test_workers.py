from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from celery import Celery
from django.db import connection
from django.urls import reverse

from schedulerui.models import Beat, Queue, Schedule, Worker
from schedulerui.operations.zone_data import zone_data_version
from tests.web.people import (
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_run,
    a_schedule,
    a_worker,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db
URL = "/workers/"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def reader():
    return logged_in("view")


def url_of(worker):
    return reverse("schedulerui:worker", args=[worker.instance])


def states(response):
    return [row.state.key for row in response.context["workers"]]


def test_it_asks_for_login_and_permission():
    check_gate(URL, verb="view")
    check_gate(url_of(a_worker()), verb="view")


def test_it_refuses_other_methods():
    check_methods(URL, "POST", "PUT", "DELETE")
    check_methods(url_of(a_worker()), "POST", "PUT", "DELETE")


def test_it_says_how_to_start_what_has_never_run(reader):
    page = text_of(reader.get(URL))
    assert "celery -A tests.celery_app worker" in page
    assert "celery -A tests.celery_app beat -S schedulerui" in page


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "online"),
        ({"seen_at": NOON - timedelta(seconds=15)}, "stale"),
        ({"seen_at": NOON - timedelta(seconds=60)}, "offline"),
        ({"seen_at": NOON - timedelta(seconds=60), "died_at": NOON}, "died"),
        ({"stopped_at": NOON}, "stopped"),
    ],
)
def test_it_shows_how_fresh_a_worker_is(reader, fields, state):
    a_worker(**fields)
    assert states(reader.get(URL)) == [state]


def test_it_shows_the_dead_and_their_successor_as_two_instances(reader):
    dead = a_worker(started_at=NOON - timedelta(hours=1), seen_at=NOON - timedelta(seconds=40), died_at=NOON)
    successor = a_worker(started_at=NOON - timedelta(seconds=20))
    response = reader.get(URL)
    assert states(response) == ["online", "died"]
    assert (
        f"died: no heartbeat since 2026-03-04 11:59:20 UTC. Its successor is instance {successor.instance.hex[:8]}."
        in text_of(response)
    )
    assert f"/workers/{successor.instance}/" in text_of(reader.get(url_of(dead)))


def test_it_shows_what_nobody_told_as_unknown_and_not_as_zero(reader):
    a_worker()
    Queue.objects.create(name="celery", depth=5, measured_at=NOON, error="The broker does not answer.")
    page = text_of(reader.get(URL))
    assert "unknown" in page
    assert "The broker does not answer." in page
    assert ">0<" not in page.partition('id="workers"')[2]


def test_it_flags_tasks_that_no_living_worker_knows(reader):
    (
        a_schedule("Known"),
        a_schedule("Unknown", task="app.gone"),
        a_schedule("Paused", task="app.off", enabled=False),
    )
    a_worker(tasks=["tests.add"])
    a_worker("celery@dead", tasks=["app.gone"], stopped_at=NOON)
    assert reader.get(URL).context["missing"] == ["app.gone"]


def test_celerys_own_tasks_are_known_to_each_worker_which_tells_none_of_them(reader):
    schedule = a_schedule("Cleanup", task="celery.backend_cleanup", queue="mail")
    a_worker(tasks=["tests.add"], queues=["mail"])
    answer = reader.get(URL)
    assert answer.context["missing"] == []
    assert [row.lacks for row in answer.context["workers"]] == [()]
    operator = logged_in("view", "operate")
    for address in ("/", f"/schedules/{schedule.pk}/", f"/schedules/{schedule.pk}/run/"):
        page = text_of(operator.get(address))
        assert "Cleanup" in page
        assert "No worker" not in page
        assert "Unknown task" not in page


def test_it_flags_the_tasks_of_all_parts_of_a_canvas(reader):
    tasks: list[object] = [
        {"type": "task", "task": name, "args": [], "kwargs": {}} for name in ("tests.add", "app.gone")
    ]
    a_schedule("In steps", task="tests.add", canvas={"type": "chain", "steps": tasks})
    a_worker(tasks=["tests.add"])
    assert reader.get(URL).context["missing"] == ["app.gone"]


def test_a_canvas_that_nobody_can_read_hides_no_other_task(reader):
    Schedule.objects.filter(pk=a_schedule("Damaged").pk).update(canvas=["no canvas"])
    a_schedule("Unknown", task="app.gone")
    a_worker(tasks=["tests.add"])
    assert reader.get(URL).context["missing"] == ["app.gone"]


def test_it_flags_what_comes_to_the_queues_of_a_worker_that_does_not_know_it(reader):
    a_schedule("Mail", task="mail.send", queue="mail")
    a_schedule("Old", task="mail.old", queue="mail", enabled=False)
    a_schedule("Other", task="app.other", queue="other")
    a_worker("celery@new", tasks=["mail.send", "app.other"], queues=["mail", "other"])
    a_worker("celery@old", tasks=["app.other"], queues=["mail", "other"])
    a_worker("celery@dead", tasks=["app.other"], queues=["mail"], stopped_at=NOON)
    answer = reader.get(URL)
    assert {row.hostname: row.lacks for row in answer.context["workers"]} == {
        "celery@new": (),
        "celery@old": ("mail.send",),
        "celery@dead": (),
    }
    assert answer.context["missing"] == []
    page = text_of(answer)
    assert page.count("Its queues bring tasks that it does not know: mail.send.") == 1
    assert "2 tasks registered" in page


def a_part(task, **options):
    return {"type": "task", "task": task, "args": [], "kwargs": {}, "options": options, "immutable": False}


def lacks(reader):
    return {row.hostname: row.lacks for row in reader.get(URL).context["workers"]}


ROUTING = Celery("routing", broker="memory://", backend="cache+memory://", set_as_current=False)
ROUTING.conf.task_routes = {"mail.*": {"queue": "mail"}}


@pytest.fixture
def routed(settings):
    """An app with routes, as a host has it."""
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "CELERY_APP": f"{__name__}.ROUTING"}


def test_it_flags_what_comes_to_a_worker_by_the_routes_or_the_default_queue(reader, routed):
    a_schedule("By a route", task="mail.send")
    a_schedule("By default", task="app.other")
    a_schedule("By its keys", task="app.keyed", routing_key="x.y")
    a_worker("celery@mail", tasks=["tests.add"], queues=["mail"])
    a_worker("celery@default", tasks=["tests.add"], queues=["celery"])
    a_worker("celery@both", tasks=["mail.send", "app.other"], queues=["mail", "celery"])
    assert lacks(reader) == {
        "celery@mail": ("mail.send",),
        "celery@default": ("app.other",),
        "celery@both": (),
    }


def test_it_flags_the_parts_of_a_canvas_at_the_queue_that_each_is_sent_to(reader, routed):
    parts = [
        a_part("app.first"),
        a_part("app.second", queue="other"),
        a_part("app.third", routing_key="x.y"),
        a_part("app.fourth"),
    ]
    chord = {"type": "chord", "header": parts[1:3], "body": parts[3]}
    a_schedule("In steps", queue="reports", canvas={"type": "chain", "steps": [parts[0], chord]})
    a_schedule("Routed", canvas={"type": "group", "steps": [a_part("mail.send"), a_part("app.fifth")]})
    for queue in ("reports", "other", "mail", "celery"):
        a_worker(f"celery@{queue}", tasks=["tests.add"], queues=[queue])
    assert lacks(reader) == {
        "celery@reports": ("app.first", "app.fourth"),
        "celery@other": ("app.second",),
        "celery@mail": ("mail.send",),
        "celery@celery": ("app.fifth",),
    }


@pytest.mark.skipif(connection.vendor != "sqlite", reason="2026-11-22: other databases keep no bytes as text")
def test_a_task_that_is_no_text_stands_beside_others(reader):
    damaged = a_schedule("Damaged")
    a_schedule("Gone", task="app.gone")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedulerui_schedule SET task = %s WHERE id = %s", [b"\xff", damaged.pk])
    a_worker(tasks=["tests.add"], queues=["celery"])
    assert lacks(reader) == {"celery@one": ("app.gone", r"b'\xff'")}
    assert "app.gone" in text_of(reader.get("/"))


def test_without_an_app_to_ask_no_worker_lacks_a_task(reader, settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "CELERY_APP": ""}
    a_schedule("Mail", task="mail.send", queue="mail")
    a_worker(tasks=["tests.add"], queues=["mail"])
    assert lacks(reader) == {"celery@one": ()}


def test_a_worker_that_lacks_many_tasks_names_three_of_them(reader):
    for n in range(5):
        a_schedule(f"Mail {n}", task=f"mail.{n}", queue="mail")
    a_worker(tasks=["tests.add"], queues=["mail"])
    assert "does not know: mail.0, mail.1, mail.2 and 2 more." in text_of(reader.get(URL))


@pytest.mark.parametrize(
    ("offset", "said"),
    [(None, ""), (0.4, ""), (2.5, "2.5 s ahead of the database"), (-90.0, "90.0 s behind the database")],
)
def test_it_says_a_clock_that_is_off_and_the_load_of_the_host(reader, offset, said):
    a_worker(clock_offset=offset, load=0.421)
    page = text_of(reader.get(URL))
    assert "load 0.42" in page
    assert said in page
    assert ("the database</span>" in page) == bool(said)


def test_it_says_when_the_last_worker_was_heard_of_and_how_to_start_one(reader):
    a_worker(stopped_at=NOON)
    page = text_of(reader.get(URL))
    assert "No worker is online" in page
    assert "The last one was heard of" in page
    assert "worker</code>" in page


def test_it_flags_no_task_while_no_worker_has_told_its_tasks(reader):
    a_schedule()
    a_worker(tasks=[])
    assert reader.get(URL).context["missing"] == []


def test_it_shows_beats_with_their_last_tick_and_what_hinders_them(reader):
    Beat.objects.create(
        host="one", pid=1, started_at=NOON, seen_at=NOON, degraded="The broker refuses messages."
    )
    Beat.objects.create(host="two", pid=2, started_at=NOON, seen_at=NOON - timedelta(minutes=1))
    response = reader.get(URL)
    assert [beat.state.key for beat in response.context["beats"]] == ["online", "offline"]
    assert "The broker refuses messages." in text_of(response)


def test_it_marks_an_old_measurement(reader):
    Queue.objects.create(name="new", depth=1, measured_at=NOON)
    Queue.objects.create(name="old", depth=1, measured_at=NOON - timedelta(minutes=5))
    assert [queue.is_old for queue in reader.get(URL).context["queues"]] == [False, True]


def test_it_flags_a_queue_that_nobody_takes_from(reader):
    Queue.objects.create(name="mail", depth=1_200, consumers=0, measured_at=NOON)
    page = text_of(reader.get(URL))
    assert "1,200" in page
    assert page.count("Nobody takes from it.") == 1
    Queue.objects.update(depth=0)
    assert "Nobody takes from it." not in text_of(reader.get(URL))


def test_it_answers_a_poll_with_nothing_until_something_changes(reader):
    worker = a_worker()
    since = reader.get(URL).context["since"]
    assert reader.get(URL, {"since": since}, headers=HTMX).status_code == 204
    Worker.objects.filter(pk=worker.pk).update(active=3)
    page = text_of(reader.get(URL, {"since": since}, headers=HTMX))
    assert "<html" not in page
    assert 'id="workers"' in page


@pytest.mark.parametrize("n_rows", [1, 50])
def test_a_poll_without_news_is_one_query(reader, django_assert_num_queries, n_rows):
    for number in range(n_rows):
        a_worker(f"celery@{number}", tasks=["tests.add"])
        Beat.objects.create(host=f"h{number}", pid=1, started_at=NOON, seen_at=NOON)
        Queue.objects.create(name=f"q{number}", depth=number, measured_at=NOON)
        a_schedule(f"S{number}")
    since = reader.get(URL).context["since"]
    with django_assert_num_queries(1 + OF_THE_PERSON):
        response = reader.get(URL, {"since": since}, headers=HTMX)
    assert (response.status_code, response.content) == (204, b"")


NEWS = {
    "a heartbeat": lambda: Worker.objects.update(seen_at=NOON + timedelta(seconds=5)),
    "a goodbye": lambda: Worker.objects.update(stopped_at=NOON),
    "a death": lambda: Worker.objects.update(died_at=NOON),
    "another worker": lambda: a_worker("celery@two"),
    "a worker's row that is gone": lambda: Worker.objects.all().delete(),
    "a tick": lambda: Beat.objects.update(seen_at=NOON + timedelta(seconds=5), degraded="No broker."),
    "the end of a beat": lambda: Beat.objects.all().delete(),
    "a measurement": lambda: Queue.objects.update(measured_at=NOON + timedelta(seconds=5), depth=9),
    "another queue": lambda: Queue.objects.create(name="new", depth=0, measured_at=NOON),
    "a schedule of a task that nobody knows": lambda: a_schedule("Unknown", task="app.gone"),
}


@pytest.mark.parametrize("news", NEWS)
def test_a_poll_answers_when_something_was_told(reader, news):
    a_worker(tasks=["tests.add"])
    Beat.objects.create(host="one", pid=1, started_at=NOON, seen_at=NOON)
    Queue.objects.create(name="celery", depth=5, measured_at=NOON)
    since = reader.get(URL).context["since"]
    NEWS[news]()
    assert reader.get(URL, {"since": since}, headers=HTMX).status_code == 200


def test_it_notices_by_itself_that_a_heartbeat_stays_away(reader, at_noon):
    a_worker()
    since = reader.get(URL).context["since"]
    at_noon.shift(timedelta(seconds=12))
    assert "Silent" in text_of(reader.get(URL, {"since": since}, headers=HTMX))


def test_its_page_shows_what_it_runs_now(reader):
    worker = a_worker()
    running = a_run(a_schedule(), state="started", worker_instance=worker.instance)
    a_run(None, state="succeeded", worker_instance=worker.instance)
    a_run(None, state="started", worker_instance=uuid.uuid4())
    response = reader.get(url_of(worker))
    assert [row.uuid for row in response.context["rows"]] == [running.uuid]


def test_its_page_answers_a_poll_with_nothing_until_something_changes(reader):
    worker = a_worker()
    since = reader.get(url_of(worker)).context["since"]
    assert reader.get(url_of(worker), {"since": since}, headers=HTMX).status_code == 204
    a_run(None, state="started", worker_instance=worker.instance)
    assert reader.get(url_of(worker), {"since": since}, headers=HTMX).status_code == 200


def test_its_page_answers_404_for_an_instance_that_is_gone(reader):
    assert reader.get(f"/workers/{uuid.uuid4()}/").status_code == 404


def test_its_page_links_to_flower_only_for_those_who_may_see_values(reader, settings):
    worker = a_worker()
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "FLOWER_URL": "http://127.0.0.1:5555/flower/"}
    link = "/flower/worker/celery%40one"
    assert link in text_of(logged_in("view", "view_values").get(url_of(worker)))
    assert link not in text_of(reader.get(url_of(worker)))


@pytest.mark.parametrize("n_rows", [10, 200])
def test_it_needs_the_same_number_of_queries_however_many_rows_there_are(
    reader, n_rows, django_assert_num_queries
):
    worker = a_worker(tasks=["tests.add"])
    for number in range(n_rows):
        a_worker(f"celery@{number}", tasks=["tests.add"])
        Queue.objects.create(name=f"q{number}", measured_at=NOON)
        a_run(None, state="started", worker_instance=worker.instance)
    with django_assert_num_queries(6 + OF_THE_PERSON):
        reader.get(URL)
    with django_assert_num_queries(4 + OF_THE_PERSON):
        reader.get(url_of(worker))


@pytest.mark.parametrize("text", HOSTILE)
def test_it_shows_hostile_text_as_text(reader, text):
    worker = a_worker(text, pool=text, queues=[text], tasks=[text], software={text: text})
    Queue.objects.create(name=text, measured_at=NOON, error=text)
    Beat.objects.create(host=text, pid=1, started_at=NOON, seen_at=NOON, degraded=text)
    for url in (URL, url_of(worker)):
        page = text_of(reader.get(url))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_it_warns_of_a_ticking_beat_that_computes_with_other_zone_data(reader):
    same = {"tzdata": zone_data_version()}
    for pid, seen_at, software in (
        (1, NOON, same),
        (2, NOON, {"tzdata": "1999z"}),
        (3, NOON - timedelta(hours=1), {"tzdata": "1999z"}),
        (4, NOON, {}),
    ):
        Beat.objects.create(host="h", pid=pid, started_at=NOON, seen_at=seen_at, software=software)
    response = reader.get(URL)
    assert [bool(row.other_zones) for row in response.context["beats"]] == [False, True, False, False]
    assert "1999z" in text_of(response)
    assert "recompute" in text_of(response)
