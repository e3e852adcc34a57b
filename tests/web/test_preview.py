from __future__ import annotations

import uuid

import pytest
from django.utils import translation

from schedulerui import clock
from tests.web.people import HOSTILE, check_gate, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
URL = "/preview/"
CRON = {"kind": "crontab", "expression": "30 2 * * mon-fri", "tz": "America/New_York"}


@pytest.fixture
def reader():
    return logged_in("view")


def test_it_asks_for_login_and_permission():
    check_gate(URL, verb="view")


def test_it_answers_get_alone():
    check_methods(URL, "POST", "PUT", "DELETE")


def test_it_says_the_rule_in_words_with_ten_times_in_zone_and_utc(reader):
    page = text_of(reader.get(URL, CRON))
    assert page.count("<li>") == 10
    assert "Monday" in page
    assert "America/New_York" in page
    assert "02:30 E" in page
    assert "UTC" in page


def test_it_sends_the_words_to_the_live_line_when_htmx_asks(reader):
    page = text_of(reader.get(URL, CRON, headers={"HX-Request": "true"}))
    assert 'id="preview-summary" hx-swap-oob="innerHTML"' in page


def test_it_asks_the_database_for_session_user_and_permissions_alone(reader, django_assert_num_queries):
    with django_assert_num_queries(4):
        reader.get(URL, CRON)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({**CRON, "expression": "30 25 * * *"}, "expression"),
        ({**CRON, "expression": ""}, "expression"),
        ({**CRON, "expression": "1 " * 4000}, "expression"),
        ({**CRON, "tz": "Europe"}, "tz"),
        ({**CRON, "tz": "../../etc/passwd"}, "tz"),
        ({"kind": "interval", "every": "0", "period": "seconds", "tz": "UTC"}, "every"),
        ({"kind": "interval", "every": "ten", "period": "seconds", "tz": "UTC"}, "every"),
        ({"kind": "clocked", "clocked_at_local": "soon", "tz": "UTC"}, "clocked_at_local"),
        ({"kind": "clocked", "clocked_at_local": "", "tz": "UTC"}, "clocked_at_local"),
        (
            {"kind": "solar", "solar_event": "sunset", "latitude": "99", "longitude": "0", "tz": "UTC"},
            "latitude",
        ),
        ({"kind": "nonsense", "tz": "UTC"}, "kind"),
        ({}, "kind"),
    ],
)
def test_it_ties_an_error_to_its_field_with_status_200(reader, fields, name):
    response = reader.get(URL, fields)
    assert response.status_code == 200
    assert f'data-invalid="{name}"' in text_of(response)


def test_it_ignores_the_fields_of_other_kinds(reader):
    page = text_of(reader.get(URL, {**CRON, "every": "nonsense", "latitude": "1000"}))
    assert "data-invalid" not in page


def test_it_warns_of_an_interval_below_five_seconds(reader):
    page = text_of(reader.get(URL, {"kind": "interval", "every": "2", "period": "seconds", "tz": "UTC"}))
    assert "preview__notice--warn" in page


def test_it_warns_of_a_wall_time_that_a_clock_change_skips(reader):
    page = text_of(reader.get(URL, {**CRON, "expression": "30 2 * * *"}))
    assert "does not exist" in page


def test_it_shows_the_shortest_and_the_longest_gap(reader):
    page = text_of(reader.get(URL, CRON))
    assert "Shortest gap" in page
    assert "Longest gap" in page


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "%ed%a0%80"])
def test_it_escapes_hostile_text(reader, text):
    for field in ("expression", "tz"):
        response = reader.get(URL, {**CRON, field: text})
        assert response.status_code == 200
        assert "<script>" not in text_of(response)
        assert "<img" not in text_of(response)


def test_jitter_is_shown_in_the_times_and_depends_on_the_uuid_that_is_saved(reader, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    spread = {**CRON, "expression": "0 * * * *", "jitter": "3600", "uuid": str(uuid.uuid4())}
    first, again = (reader.get(URL, spread).context["preview"] for _ in range(2))
    assert first.times == again.times
    assert all(each.nominal_at <= each.due_at for each in first.occurrences)
    assert any(each.due_at.minute or each.due_at.second for each in first.occurrences)
    other = reader.get(URL, {**spread, "uuid": str(uuid.uuid4())}).context["preview"]
    assert other.times != first.times


@pytest.mark.parametrize("nonsense", ["", "x", "1" * 5000, "\x00"])
def test_nobody_is_told_about_hidden_fields_that_are_damaged(reader, nonsense):
    shown = reader.get(URL, {**CRON, "uuid": nonsense, "skipped": nonsense}).context["preview"]
    assert not shown.errors
    assert len(shown.times) == 10


def test_the_window_the_limit_and_skipped_times_bound_the_preview(reader):
    every_hour = {**CRON, "expression": "0 * * * *", "max_runs": "2"}
    plain = reader.get(URL, every_hour).context["preview"]
    assert len(plain.times) == 2
    skipped = plain.occurrences[0].nominal_at.isoformat()
    response = reader.get(URL, {**every_hour, "skipped": skipped})
    assert [bool(each.skipped) for each in response.context["preview"].occurrences] == [True, False, False]
    assert '<li class="is-skipped"><del>' in text_of(response)


def test_what_h_and_names_stand_for_is_shown(reader):
    carried = str(uuid.uuid4())
    hashed = reader.get(URL, {**CRON, "expression": "H H * * *", "uuid": carried})
    resolved = hashed.context["preview"].resolved
    assert resolved.split()[2:] == ["*", "*", "*"]
    assert "H" not in resolved
    assert f'Resolved to <span class="mono">{resolved}</span>' in text_of(hashed)
    assert reader.get(URL, {**CRON, "expression": "@daily"}).context["preview"].resolved == "0 0 * * *"
    assert "Resolved to" not in text_of(reader.get(URL, CRON))


def test_both_readings_of_both_day_fields_stand_side_by_side(reader):
    fields = {"kind": "crontab", "expression": "0 9 13 * fri", "tz": "UTC"}
    both = reader.get(URL, {**fields, "semantics": "celery-and"}).content.decode()
    either = reader.get(URL, {**fields, "semantics": "vixie-or"}).content.decode()
    assert "Read the other way" in both
    assert "Read the other way" in either
    assert (
        "Read the other way" not in reader.get(URL, {**fields, "expression": "0 9 13 * *"}).content.decode()
    )


def test_the_longest_gap_is_that_of_a_year_where_two_hundred_times_do_not_reach_the_weekend(reader):
    html = reader.get(
        URL, {"kind": "crontab", "expression": "*/5 9-17 * * mon-fri", "tz": "UTC"}
    ).content.decode()
    assert "2 d 15 h" in html


def test_spaces_alone_are_nothing_that_was_resolved(reader):
    html = reader.get(URL, {"kind": "crontab", "expression": "0  9 * * *", "tz": "UTC"}).content.decode()
    assert "Resolved to" not in html


@pytest.mark.parametrize(("language", "word"), [("de", "Alle 5 Minuten"), ("ar", "\u0643\u0644")])
def test_the_words_come_in_the_languages_that_ship(reader, language, word):
    with translation.override(language):
        html = reader.get(
            URL, {"kind": "interval", "every": "5", "period": "minutes", "tz": "UTC"}
        ).content.decode()
    assert word in html


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"expression": "30 2 * * *"}, "1 time a day"),
        ({"expression": "30 2 * * mon-fri"}, "5 times a week"),
        ({"expression": "0 9-17 * * mon-fri"}, "about 6 times a day"),
        ({"expression": "0 0 1 * *"}, "1 time a month"),
        ({"expression": "0 0 1 1 *"}, "1 time a year"),
        ({"expression": "0 0 29 2 *"}, "once in 4 years"),
        ({"expression": "* * * * *"}, "1,440 times a day"),
        ({"kind": "interval", "every": "15", "period": "seconds"}, "5,760 times a day"),
        ({"kind": "interval", "every": "2", "period": "weeks"}, "about 2 times a month"),
        ({"kind": "clocked", "clocked_at_local": "2126-03-04T12:00"}, "once"),
        ({"kind": "solar", "solar_event": "sunset", "latitude": "52", "longitude": "13"}, "1 time a day"),
    ],
)
def test_it_says_how_often_it_fires(reader, fields, words):
    assert f"<dt>How often</dt><dd>{words}</dd>" in text_of(reader.get(URL, {**CRON, **fields}))


def test_it_says_how_often_of_no_rule_that_has_no_times(reader):
    assert "How often" not in text_of(reader.get(URL, {"kind": "manual", "tz": "UTC"}))


def test_a_gap_over_the_weekend_is_known_by_its_name(reader):
    assert "3 d, weekends excluded" in text_of(reader.get(URL, {**CRON, "tz": "UTC"}))
    assert "weekends" not in text_of(reader.get(URL, {**CRON, "expression": "30 2 * * mon-sat"}))
