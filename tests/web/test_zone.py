from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schedulerui.models import Change, Schedule
from schedulerui.operations import pauses
from schedulerui.presenters import moments
from tests.web.people import ANA, HOSTILE, a_run, a_schedule, a_worker, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 5, 7, 30, tzinfo=UTC)
OF = {"schedule": "02:30 EST", "utc": "07:30 UTC", "Asia/Tokyo": "16:30 JST"}
PRESSED = re.compile(r'value="([^"]*)" formaction="/zone/" aria-pressed="true"')


@pytest.fixture
def client():
    return logged_in("view", "operate", "change", "view_audit")


@pytest.fixture
def schedule():
    made = a_schedule(tz="America/New_York")
    Schedule.objects.filter(pk=made.pk).update(next_run_at=AT, next_nominal_at=AT)
    return made


def choose(client, zone, back="/runs/"):
    return client.post("/zone/", {"zone": zone, "back": back})


@pytest.mark.parametrize("zone", OF)
def test_every_page_shows_moments_where_the_person_wants_them(client, schedule, zone):
    response = choose(client, zone, back="/schedules/?q=x")
    assert (response.status_code, response["Location"]) == (303, "/schedules/?q=x")
    pages = ["/schedules/", f"/schedules/{schedule.pk}/", f"/schedules/{schedule.pk}/run/"]
    assert {OF[zone] in text_of(client.get(page)) for page in pages} == {True}
    rows = client.get("/live/schedules/", {"have": f"schedule-{schedule.pk}:old"})
    assert OF[zone] in text_of(rows)


def test_what_belongs_to_no_schedule_follows_too(client):
    choose(client, "Asia/Tokyo")
    worker = a_worker(seen_at=AT, died_at=AT)
    Change.objects.create(at=AT, action="edit", actor="ana", via="browser")
    run = a_run(state="missed", count=3, due_at=AT, covers_until=AT)
    for page in ("/runs/", "/audit/", "/workers/", f"/workers/{worker.instance}/", f"/runs/{run.uuid}/"):
        assert re.search("16:30(:00)? JST", text_of(client.get(page))), page
    assert "zone Asia/Tokyo" in text_of(client.get("/timeline/"))
    pages = text_of(client.get(f"/runs/{run.uuid}/")), text_of(client.get(f"/workers/{worker.instance}/"))
    assert "2026-03-05 16:30:00 JST to 2026-03-05 16:30:00 JST" in pages[0]
    assert "2026-03-05 16:30:00 JST" in pages[1]


def test_a_pause_ends_where_the_person_looks(client, schedule):
    until = datetime(2126, 3, 5, 23, 30, tzinfo=UTC)
    pauses.pause(schedule.pk, until=until, reason="", actor=ANA, now=AT)
    assert "until 2126-03-05 18:30" in text_of(client.get("/schedules/"))
    choose(client, "Asia/Tokyo")
    assert "until 2126-03-06 08:30" in text_of(client.get("/schedules/"))


def test_the_preview_stays_in_the_zone_of_its_rule_and_adds_the_person_s_own(client):
    asked = {"kind": "crontab", "expression": "30 2 * * *", "tz": "America/New_York"}
    choose(client, "Asia/Tokyo")
    text = text_of(client.get("/preview/", asked))
    assert re.search("02:30 E[SD]T", text)
    assert " JST" in text
    assert "UTC" not in text
    text = text_of(client.get("/preview/", asked | {"tz": "Asia/Tokyo"}))
    assert text.count("02:30 JST") == 10


def test_the_choice_is_marked_and_said(client):
    assert PRESSED.findall(text_of(client.get("/")))[:1] == ["schedule"]
    assert "Times in" not in text_of(client.get("/")).replace("Times in the zone of", "")
    choose(client, "utc")
    assert PRESSED.findall(text_of(client.get("/")))[:1] == ["utc"]
    assert "Times in UTC" in text_of(client.get("/"))
    choose(client, "Asia/Tokyo")
    assert PRESSED.findall(text_of(client.get("/")))[:1] == ["Asia/Tokyo"]
    assert "Times in Asia/Tokyo" in text_of(client.get("/"))


def test_the_browser_is_offered_only_by_a_script_that_knows_its_zone(client):
    assert re.search(r"data-zone hidden>", text_of(client.get("/")))
    choose(client, "Asia/Tokyo")
    assert re.search(r"data-zone>", text_of(client.get("/")))


@pytest.mark.parametrize(
    "nonsense", ["", "UTC+2", "../../etc/passwd", "Europe", "localtime", "x" * 5_000, "\x00", *HOSTILE]
)
def test_what_is_no_zone_changes_nothing(client, schedule, nonsense):
    choose(client, nonsense)
    assert "schedulerui_zone" not in client.cookies
    client.cookies["schedulerui_zone"] = nonsense.encode().decode("latin-1").replace("\x00", "%00")
    text = text_of(client.get("/schedules/"))
    assert OF["schedule"] in text
    assert PRESSED.findall(text)[:1] == ["schedule"]


def test_the_choice_ends_with_the_request(client, schedule):
    choose(client, "Asia/Tokyo")
    client.get("/schedules/")
    assert moments.zone_shown(UTC) is UTC
    with moments.shown_in(ZoneInfo("Asia/Tokyo")):
        assert moments.stamp(AT) == "2026-03-05 16:30:00 JST"
    assert moments.stamp(AT) == "2026-03-05 07:30:00 UTC"


def test_it_can_only_be_posted():
    check_methods("/zone/", "GET", "PUT")
