from __future__ import annotations

import csv
import io
import json
import re
import uuid

import pytest

from schedulerui import clock
from schedulerui.models import Change, Run, Schedule
from schedulerui.operations import schedules
from schedulerui.testing import recording
from schedulerui.web.exports import safe
from tests.web.people import ANA, HOSTILE, a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
URL = "/schedules/bulk/"


@pytest.fixture
def owner():
    return logged_in("view", "operate", "change", "delete", "view_values")


@pytest.fixture
def three(db):
    return [a_schedule(name) for name in ("A", "B", "C")]


def ids(schedules):
    return [schedule.pk for schedule in schedules]


def test_it_switches_off_and_on_what_is_selected(owner, three):
    response = owner.post(URL, {"action": "disable", "id": ids(three[:2])}, follow=True)
    assert "Switch off: done for 2 schedules." in text_of(response)
    assert list(Schedule.objects.order_by("name").values_list("enabled", flat=True)) == [False, False, True]
    response = owner.post(URL, {"action": "enable", "id": ids(three)}, follow=True)
    assert "done for 2 schedules. 1 was so already." in text_of(response)
    assert Change.objects.filter(action="disable").count() == 2


def test_it_pauses_for_a_reason_until_a_moment_and_resumes(owner, three):
    schedules.disable(three[2].pk, actor=ANA, now=clock.now())
    asked = text_of(owner.post(URL, {"action": "pause", "id": ids(three[:2])}))
    assert "For 2 schedules" in asked
    assert 'name="reason"' in asked
    given = {"action": "pause", "id": ids(three[:2]), "sure": "1", "span": "1h", "reason": "deploy"}
    assert "Pause: done for 2 schedules." in text_of(owner.post(URL, given, follow=True))
    paused = Schedule.objects.filter(pk__in=ids(three[:2]))
    assert set(paused.values_list("enabled", "pause_reason")) == {(False, "deploy")}
    assert all(row.resume_at and 0 < (row.resume_at - clock.now()).total_seconds() <= 3600 for row in paused)
    assert len(owner.get("/schedules/?q=on:paused").context["rows"]) == 2
    assert len(owner.get("/schedules/?q=on:off").context["rows"]) == 3
    page = text_of(owner.post(URL, {"action": "resume", "id": ids(three)}, follow=True))
    assert "Resume: done for 2 schedules. 1 was so already." in page
    # what was switched off without a pause is not what one resumes
    assert list(Schedule.objects.filter(enabled=False)) == [three[2]]


def test_it_asks_again_for_a_pause_that_has_ended(owner, three):
    given = {"action": "pause", "id": ids(three), "sure": "1", "span": "at", "until": "2020-01-01T08:00"}
    assert owner.post(URL, given).status_code == 422
    assert not Schedule.objects.filter(enabled=False).exists()


def test_it_asks_before_it_deletes_and_then_does(owner, three):
    asked = text_of(owner.post(URL, {"action": "delete", "id": ids(three[:2])}))
    assert "For 2 schedules" in asked
    assert Schedule.objects.count() == 3
    owner.post(URL, {"action": "delete", "id": ids(three[:2]), "sure": "1"})
    assert list(Schedule.objects.values_list("name", flat=True)) == ["C"]


@pytest.mark.django_db(transaction=True)
def test_it_runs_each_once_however_often_the_form_is_sent(owner, three):
    page = text_of(owner.post(URL, {"action": "run", "id": ids(three)}))
    token = re.findall(r'name="token" value="([^"]+)"', page)[0]
    with recording() as sent:
        for _twice in range(2):
            owner.post(URL, {"action": "run", "id": ids(three), "sure": "1", "token": token})
    assert Run.objects.count() == len(sent.sent) == 3


def test_it_sets_queues_and_tags(owner, three):
    owner.post(URL, {"action": "queue", "id": ids(three), "queue": "mail", "sure": "1"})
    assert set(Schedule.objects.values_list("queue", flat=True)) == {"mail"}
    for tag in ("eu", "billing"):
        owner.post(URL, {"action": "tag", "id": ids(three[:2]), "tag": tag, "sure": "1"})
    owner.post(URL, {"action": "untag", "id": ids(three), "tag": "eu", "sure": "1"})
    assert list(Schedule.objects.order_by("name").values_list("tags", flat=True)) == [
        " billing ",
        " billing ",
        "",
    ]


@pytest.mark.parametrize("tag", ["", "two words", "x" * 51, "a,b", "a:b"])
def test_it_asks_again_for_a_tag_that_is_none(owner, three, tag):
    response = owner.post(URL, {"action": "tag", "id": ids(three), "tag": tag, "sure": "1"})
    assert response.status_code == 422
    assert not Change.objects.exclude(action="create").exists()


def test_it_lists_what_did_not_work_and_does_the_rest(owner, three):
    a_schedule("Coded", source="code", source_key="x")
    response = owner.post(
        URL, {"action": "delete", "id": [*ids(three), Schedule.objects.get(name="Coded").pk], "sure": "1"}
    )
    page = text_of(response)
    assert "Not done for 1 schedule" in page
    assert "defined in code" in page
    assert list(Schedule.objects.values_list("name", flat=True)) == ["Coded"]


def all_matching(query, seen, **given):
    return {"action": "disable", "all": "1", "query": query, "seen": seen, "id": [], **given}


def test_all_matching_means_the_filter_and_asks_first(owner, three):
    Schedule.objects.filter(name="A").update(tags=" eu ")
    asked = text_of(owner.post(URL, all_matching("q=A+-tag:x+state:never&sort=name", 3)))
    assert "For 3 schedules" in asked
    assert Schedule.objects.get(name="A").enabled
    owner.post(URL, all_matching("tag=eu", 1, sure="1"))
    assert list(Schedule.objects.filter(enabled=False).values_list("name", flat=True)) == ["A"]


def test_it_refuses_when_the_number_has_moved_since_it_was_seen(owner, three):
    response = owner.post(URL, all_matching("", 100, sure="1"))
    assert response.status_code == 409
    assert "You saw 100 schedules; 3 match now." in text_of(response)
    assert "<h1>Changed meanwhile" in text_of(response)
    assert not Schedule.objects.filter(enabled=False).exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "disable"}, "No schedule is selected"),
        ({"action": "disable", "id": ["x", "-1"]}, "No schedule is selected"),
        ({"action": "disable", "ids": ",".join(map(str, range(1, 1003)))}, "At most 1000"),
        (all_matching("colour=red", 3), "There is no filter named"),
        (all_matching("", "x"), "damaged"),
    ],
)
def test_it_says_what_is_unclear_and_does_nothing(owner, three, given, said):
    response = owner.post(URL, given, follow=True)
    assert said in text_of(response)
    assert not Schedule.objects.filter(enabled=False).exists()


def test_each_verb_asks_for_its_permission(three):
    operator = logged_in("view", "operate")
    for action in ("queue", "tag", "untag", "delete"):
        assert operator.post(URL, {"action": action, "id": ids(three), "sure": "1"}).status_code == 403
    assert "Delete" not in text_of(operator.get("/schedules/"))
    assert 'id="bulk"' not in text_of(logged_in("view").get("/schedules/"))


def only_a(user, verb, obj):
    return obj is None or obj.name == "A"


@pytest.fixture
def host_decides(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": "tests.web.test_bulk.only_a"}


def test_it_asks_about_each_schedule_by_itself(owner, three, host_decides):
    page = text_of(owner.post(URL, {"action": "disable", "id": ids(three)}))
    assert "Not done for 2 schedules" in page
    assert list(Schedule.objects.filter(enabled=False).values_list("name", flat=True)) == ["A"]


def test_it_exports_csv_that_no_spreadsheet_computes(owner):
    made = [a_schedule(f"{sign}cmd|x", task="=1+1") for sign in "=+-@"]
    response = owner.post(URL, {"action": "csv", "id": ids(made)})
    assert response["Content-Disposition"] == 'attachment; filename="schedules.csv"'
    rows = list(csv.DictReader(io.StringIO(text_of(response))))
    assert sorted(row["name"] for row in rows) == ["'+cmd|x", "'-cmd|x", "'=cmd|x", "'@cmd|x"]
    assert {row["task"] for row in rows} == {"'=1+1"}


def test_it_exports_json_without_values_for_those_who_may_not_see_them(owner, three):
    Schedule.objects.update(args=["secret"], kwargs={"password": "x"})
    asked = {"action": "json", "id": ids(three)}
    rows = json.loads(text_of(owner.post(URL, asked)))
    assert rows[0]["args"] == ["secret"]
    assert rows[0]["kwargs"]["password"] != "x"
    assert "secret" not in text_of(logged_in("view", "operate").post(URL, asked))


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("text", ["=1+1", "a;=1+1", "a;b;@x", "a,=1;+1", ";-1", 'a";=1'])
def test_no_cell_is_a_formula_in_any_language_of_a_spreadsheet(owner, separator, text):
    made = a_schedule(text, owner=text)
    body = text_of(owner.post(URL, {"action": "csv", "id": [made.pk]}))
    cells = [cell for line in csv.reader(io.StringIO(body), delimiter=separator) for cell in line]
    assert len(cells) >= 2
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(owner, text):
    made = a_schedule(text)
    for given in ({"action": "delete"}, {"action": "queue"}):
        page = text_of(owner.post(URL, {**given, "id": [made.pk]}))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert safe(text).lstrip("'") == text.lstrip("'")


def test_a_run_without_its_token_is_refused(owner, three):
    response = owner.post(URL, {"action": "run", "id": ids(three), "sure": "1", "token": f"{uuid.uuid4()}x"})
    assert response.status_code == 400
