from __future__ import annotations

import gzip
import re
from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Schedule, ScheduleState
from schedulerui.web.filters import ORDERS
from tests.web.people import HOSTILE, OF_THE_PERSON, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
URL, LIVE = "/schedules/", "/live/schedules/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


def names(response):
    return [row.name for row in response.context["rows"]]


def have(response):
    return ",".join(f"schedule-{row.pk}:{row.digest}" for row in response.context["rows"])


def due_in(schedule, **duration):
    at = clock.now() + timedelta(**duration)
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=at, next_nominal_at=at)


def test_it_teaches_when_there_is_nothing(reader):
    text = text_of(reader.get(URL))
    assert "No schedules yet" in text
    assert "beat -S schedulerui" in text


def test_it_shows_the_rule_in_words_and_the_next_run_in_its_zone(reader):
    schedule = a_schedule(tz="America/New_York")
    at = clock.now().replace(month=1, day=15, hour=12, minute=0) + timedelta(days=3650)
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=at, next_nominal_at=at)
    text = text_of(reader.get(URL))
    assert "At 02:30" in text
    assert "30 2 * * *" in text
    assert "EST" in text
    assert re.search(r'datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', text)


def test_htmx_gets_the_results_alone(reader):
    a_schedule()
    text = text_of(reader.get(URL, headers=HTMX))
    assert text.strip().startswith('<div id="results"')
    assert "<html" not in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=night", ["Nightly"]),
        ("q=tests+HOUR", ["Hourly"]),
        ("on=off", ["Hourly"]),
        ("on=paused", []),
        ("on=on", ["Nightly"]),
        ("kind=interval", ["Hourly"]),
        ("queue=mail", ["Hourly"]),
        ("task=tests.fail", ["Hourly"]),
        ("tz=Europe/Berlin", ["Hourly"]),
        ("state=failing", ["Nightly"]),
        ("state=failed", ["Nightly"]),
        ("state=never", ["Hourly"]),
        ("state=error", []),
        ("q=night&on=off", []),
    ],
)
def test_it_narrows(reader, query, expected):
    nightly = a_schedule("Nightly")
    a_schedule(
        "Hourly", task="tests.fail", kind="interval", every=1, period="hours", queue="mail", tz="Europe/Berlin", enabled=False
    )  # fmt: skip
    ScheduleState.objects.filter(schedule=nightly).update(last_state="failed")
    assert names(reader.get(f"{URL}?{query}")) == expected


def test_it_says_so_when_a_filter_makes_no_sense(reader):
    a_schedule()
    for query in ("state=flying", "colour=red"):
        response = reader.get(f"{URL}?{query}")
        assert response.status_code == 200
        assert names(response) == []
        assert 'role="alert"' in text_of(response)


def test_it_repeats_an_empty_filter_and_offers_to_clear_it(reader):
    a_schedule()
    text = text_of(reader.get(f"{URL}?q=nothing-like-it"))
    assert "No schedule matches" in text
    assert "nothing-like-it" in text


def test_it_sorts(reader):
    first, second, paused = a_schedule("B"), a_schedule("A"), a_schedule("C", enabled=False)
    due_in(first, minutes=1)
    due_in(second, minutes=2)
    now = clock.now()
    ScheduleState.objects.filter(schedule=second).update(last_run_at=now, failure_streak=0)
    ScheduleState.objects.filter(schedule=paused).update(failure_streak=4)
    assert names(reader.get(URL)) == ["B", "A", "C"]
    assert names(reader.get(f"{URL}?sort=name")) == ["A", "B", "C"]
    assert names(reader.get(f"{URL}?sort=last"))[0] == "A"
    assert names(reader.get(f"{URL}?sort=failing"))[0] == "C"
    assert names(reader.get(f"{URL}?sort=nonsense")) == ["B", "A", "C"]


def test_it_sorts_by_how_often_and_how_long_and_says_it_in_the_lines(reader):
    for name, rate, runtime in (("A", None, 4.0), ("B", 100, None), ("C", 967, 75.0)):
        ScheduleState.objects.filter(schedule=a_schedule(name)).update(
            failure_rate=rate, usual_runtime=runtime
        )
    by_rate, by_time = reader.get(f"{URL}?sort=rate"), reader.get(f"{URL}?sort=duration")
    assert names(by_rate) == ["C", "B", "A"]
    assert [row.figure for row in by_rate.context["rows"]] == ["97 % failed", "10 % failed", ""]
    assert names(by_time) == ["C", "A", "B"]
    assert [row.figure for row in by_time.context["rows"]] == ["usually 1 min 15 s", "usually 4.0 s", ""]
    assert not any(row.figure for row in reader.get(URL).context["rows"])


def test_a_poll_says_what_the_list_is_sorted_by(reader):
    schedule = a_schedule("A")
    ScheduleState.objects.filter(schedule=schedule).update(usual_runtime=4.0)
    (row,) = reader.get(f"{URL}?sort=duration").context["rows"]
    have = f"schedule-{row.pk}:{row.digest}"
    assert reader.get(f"{LIVE}?sort=duration&have={have}").status_code == 204
    ScheduleState.objects.filter(schedule=schedule).update(usual_runtime=9.0)
    assert "usually 9.0 s" in text_of(reader.get(f"{LIVE}?sort=duration&have={have}"))


def test_the_order_is_chosen_among_the_filters(reader):
    a_schedule()
    text = text_of(reader.get(f"{URL}?sort=duration"))
    assert '<option value="duration" selected>By duration</option>' in text
    assert '<option value="">By next run</option>' in text
    assert "aria-sort" not in text


def test_it_marks_the_sorted_column(reader):
    a_schedule()
    text = text_of(reader.get(f"{URL}?sort=name"))
    assert text.count("aria-sort") == 1
    assert 'aria-sort="ascending"><a href="?sort=name"' in re.sub(r"\s+", " ", text)


def walk(reader, query):
    """Return the names of every page, forwards, and then backwards from the last one."""
    forwards, backwards = [], []
    response = reader.get(URL, query)
    while True:
        forwards.append(names(response))
        older = response.context["page"].older
        if not older:
            break
        response = reader.get(URL, {**query, "older": older})
    while True:
        backwards.append(names(response))
        newer = response.context["page"].newer
        if not newer:
            return forwards, backwards
        response = reader.get(URL, {**query, "newer": newer})


@pytest.mark.parametrize("sort", list(ORDERS))
def test_it_turns_pages_in_every_order_without_gap_or_repetition(reader, sort):
    now = clock.now()
    for number in range(107):
        schedule = a_schedule(f"S{number:03d}", enabled=number % 3 > 0)
        if schedule.enabled:
            due_in(schedule, minutes=number % 7)
        ScheduleState.objects.filter(schedule=schedule).update(
            failure_streak=number % 4,
            failure_rate=number % 5 * 100 + 33 if number % 3 else None,
            usual_runtime=number % 9 / 7 if number % 4 else None,
            last_run_at=now - timedelta(minutes=number % 5) if number % 2 else None,
        )
    ScheduleState.objects.filter(schedule__name__in=["S011", "S012"]).delete()
    forwards, backwards = walk(reader, {"sort": sort})
    seen = [name for page in forwards for name in page]
    assert [len(page) for page in forwards] == [50, 50, 7]
    assert len(set(seen)) == 107
    back = [name for page in reversed(backwards) for name in page]
    assert back == seen


def test_the_links_of_pages_keep_filter_and_order(reader):
    for number in range(60):
        a_schedule(f"S{number:02d}")
    first = reader.get(f"{URL}?sort=name&on=on")
    assert (names(first)[0], names(first)[-1], len(names(first))) == ("S00", "S49", 50)
    assert 'href="?sort=name&amp;on=on&amp;older=%3DS49_' in text_of(first)


@pytest.mark.parametrize(
    "cursor",
    ["0", "-3", "x", "9" * 40, "٣", "=x_1", "-_x", "=2026-01-01_1", f"=1_{'9' * 30}", "=\x00_1", "=²_1"],
)
@pytest.mark.parametrize("sort", ["next", "name", "failing", "rate", "duration"])
def test_a_damaged_page_is_said_and_no_error(reader, cursor, sort):
    a_schedule()
    for side in ("older", "newer"):
        response = reader.get(URL, {side: cursor, "sort": sort})
        assert response.status_code == 200
        if sort != "name":
            assert "damaged" in text_of(response)


def test_a_broken_rule_never_breaks_the_list(reader):
    broken, _fine = a_schedule("Broken"), a_schedule("Fine")
    Schedule.objects.filter(pk=broken.pk).update(
        expression="99 * * * *",
        tz="Nowhere/Land",
        error="beat: minute 99",
        next_run_at=None,
        next_nominal_at=None,
    )
    response = reader.get(f"{URL}?sort=name")
    assert names(response) == ["Broken", "Fine"]
    assert "Rule broken" in text_of(response)


def test_a_schedule_without_a_state_row_is_shown(reader):
    schedule = a_schedule()
    ScheduleState.objects.filter(schedule=schedule).delete()
    assert names(reader.get(URL)) == ["Nightly"]


def test_hostile_names_stay_text(reader):
    for name in HOSTILE:
        a_schedule(name, task=name[:200])
    text = text_of(reader.get(URL, {"q": HOSTILE[0]}))
    assert "<script>alert" not in text
    text = text_of(reader.get(URL))
    assert "<img src=x" not in text


def test_who_may_only_look_sees_switches_that_say_so(reader):
    a_schedule()
    text = text_of(reader.get(URL))
    assert 'aria-disabled="true"' in text
    assert "needs the permission to operate" in text
    assert "/disable/" not in text


def test_every_button_works_without_a_script():
    a_schedule()
    text = text_of(logged_in("view", "operate").get(URL))
    form = text.partition('<form id="rowform"')[2].partition("</form>")[0]
    assert "csrfmiddlewaretoken" in form
    for button in re.findall(r"<button[^>]*hx-post[^>]*>", text):
        assert "formaction=" in button
        assert button in form
    for link in re.findall(r"<a [^>]*hx-get[^>]*>", text):
        assert "href=" in link


@pytest.mark.parametrize("n_rows", [10, 200])
def test_it_asks_the_same_number_of_queries_however_many_there_are(reader, n_rows, django_assert_num_queries):
    for number in range(n_rows):
        a_schedule(f"S{number}")
    with django_assert_num_queries(5 + OF_THE_PERSON):
        assert len(names(reader.get(URL))) == min(n_rows, 50)


@pytest.mark.parametrize(("n_name", "n_task"), [(20, 20), (60, 30)])
def test_fifty_rows_stay_within_their_bytes(n_name, n_task):
    """Names may have 190 characters and tasks 200: fifty of those alone are 20 KB, and the budget is not for them."""
    for number in range(60):
        task = ("project.tasks." + "job_" * 50)[:n_task]
        schedule = a_schedule(f"Schedule number {number:04d} ".ljust(n_name, "x")[:n_name], task=task)
        due_in(schedule, minutes=number + 1)
        ScheduleState.objects.filter(schedule=schedule).update(
            recent="s3s4s3s5s4" * 5 + "s3s4s3s5f5", last_state="succeeded", last_run_at=clock.now()
        )
    page = logged_in("view", "operate", "change", "delete").get(URL).content
    assert page.count(b'<tr id="schedule-') == 50
    assert len(page) <= 100 * 1024
    assert len(gzip.compress(page)) <= 12 * 1024


def test_a_line_says_a_long_name_and_a_long_task_once():
    a_schedule("n" * 190, task="t" * 200)
    page = text_of(logged_in("view", "operate", "change", "delete").get(URL))
    assert page.count("n" * 190) == page.count("t" * 200) == 1


def test_the_poll_answers_nothing_while_nothing_changed(reader, django_assert_num_queries):
    a_schedule()
    known = have(reader.get(URL))
    with django_assert_num_queries(1 + OF_THE_PERSON):
        response = reader.get(LIVE, {"have": known}, headers=HTMX)
    assert (response.status_code, response.content) == (204, b"")


def test_the_poll_answers_only_the_row_that_changed(reader):
    changed, _same = a_schedule("Changed"), a_schedule("Same")
    known = have(reader.get(URL))
    ScheduleState.objects.filter(schedule=changed).update(last_state="succeeded", recent="s3")
    text = text_of(reader.get(LIVE, {"have": known}, headers=HTMX))
    assert f'id="schedule-{changed.pk}"' in text
    assert text.count("hx-swap-oob") == 1
    assert "Same" not in text


def test_the_poll_removes_a_row_that_was_deleted(reader):
    schedule = a_schedule()
    known = have(reader.get(URL))
    pk = schedule.pk
    schedule.delete()
    text = text_of(reader.get(LIVE, {"have": known}, headers=HTMX))
    assert f'<tr id="schedule-{pk}" hx-swap-oob="delete">' in text


def test_the_poll_sends_the_whole_body_when_many_changed(reader):
    for number in range(30):
        a_schedule(f"S{number}")
    known = have(reader.get(URL))
    ScheduleState.objects.update(last_state="failed")
    text = text_of(reader.get(LIVE, {"have": known}, headers=HTMX))
    assert text.count("hx-swap-oob") == 1
    assert text.count("<tr ") == 30


@pytest.mark.parametrize(
    "nonsense", ["", "schedule-x:1", f"schedule-{10**17}:1", "schedule-" + "9" * 60 + ":1", ",,,:"]
)
def test_the_poll_survives_nonsense(reader, nonsense):
    assert reader.get(LIVE, {"have": nonsense}, headers=HTMX).status_code in (200, 204)


def test_schedules_with_a_word_are_counted_up_to_a_cap_and_on_request_all(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.views.schedules.WALK_CAP", 2)
    for number in range(3):
        a_schedule(f"Report {number}")
    page = reader.get("/schedules/", {"q": "report"})
    assert (len(names(page)), page.context["count"], page.context["is_capped"]) == (3, 2, True)
    assert "More than 2 schedules" in text_of(page)
    assert reader.get("/schedules/", {"q": "report", "count": "exact"}).context["count"] == 3
    assert reader.get("/schedules/").context["count"] == 3


def test_words_that_very_many_have_find_the_same_schedules(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.web.views.schedules.WALK_CAP", 1)
    for number in range(3):
        a_schedule(f"Report {number}", task="tests.add" if number else "tests.TEAM")
    a_schedule("Other")
    assert {row.name for row in reader.get("/schedules/", {"q": "REPORT -2"}).context["rows"]} == {
        "Report 0",
        "Report 1",
    }
    assert [row.name for row in reader.get("/schedules/", {"q": "team"}).context["rows"]] == ["Report 0"]
    assert [row.name for row in reader.get("/schedules/", {"q": "2"}).context["rows"]] == ["Report 2"]
