from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedulerui.models import Schedule
from schedulerui.operations import schedules, skips
from schedulerui.presenters.calendar import month_asked, month_of
from schedulerui.presenters.coming import occurrences_of
from tests.web.people import (
    ANA,
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.fixture
def at_noon(monkeypatch):
    """The clock stands still at noon of 4 March 2026, the day on which ``a_schedule`` is made."""
    monkeypatch.setattr("schedulerui.clock.now", lambda: NOON)


def page_of(schedule, **query):
    return logged_in("view", "operate").get(f"/schedules/{schedule.pk}/upcoming/", query)


def days_of(month):
    return {
        f"{day.day:%d}": (day.n, day.n_skipped)
        for week in month.weeks
        for day in week
        if day and day.n + day.n_skipped
    }


def test_it_asks_for_login_and_permission():
    check_gate(f"/schedules/{a_schedule().pk}/upcoming/", verb="view")


def test_it_refuses_other_methods():
    check_methods(f"/schedules/{a_schedule().pk}/upcoming/", "POST", "PUT", "DELETE")


def test_it_lists_the_next_fifty_times_in_the_schedules_zone_and_in_utc(at_noon):
    response = page_of(a_schedule(tz="Europe/Berlin"))
    assert len(response.context["times"]) == 50
    text = text_of(response)
    assert "Thu 5 Mar, 02:30 CET" in text
    assert "Thu 5 Mar, 01:30 UTC" in text


def test_it_marks_the_night_that_leaves_out_a_time_and_where_the_clock_has_changed(at_noon):
    found = page_of(a_schedule(tz="Europe/Berlin")).context["times"]
    marked = {f"{each.occurrence.due_at:%m-%d %H:%M}": " ".join(each.marks) for each in found if each.marks}
    assert list(marked) == ["03-29 01:00"]
    assert "leaves out its wall time" in marked["03-29 01:00"]
    assert "CEST" in marked["03-29 01:00"]


def test_it_strikes_out_a_skipped_time_and_offers_to_run_it_after_all(at_noon):
    schedule = a_schedule(tz="UTC")
    skips.skip_next(schedule.pk, nominal_at=datetime(2026, 3, 6, 2, 30, tzinfo=UTC), reason="stocktaking", actor=ANA, now=NOON)  # fmt: skip
    response = page_of(schedule)
    assert "stocktaking" in text_of(response)
    assert text_of(response).count("<del>") == 1
    assert "Run after all" in text_of(response)
    assert days_of(response.context["month"])["06"] == (0, 1)


def test_it_leads_back_here_when_a_time_is_skipped_here(at_noon):
    schedule = a_schedule(tz="UTC")
    given = {"nominal": "2026-03-06T02:30:00+00:00", "reason": "stocktaking", "place": "upcoming"}
    response = logged_in("view", "operate").post(f"/schedules/{schedule.pk}/skip/", given)
    assert response["Location"] == f"/schedules/{schedule.pk}/upcoming/"


def test_it_shows_by_how_much_each_time_is_put_off(at_noon):
    response = page_of(a_schedule(jitter=600))
    put_off = [each.put_off for each in response.context["times"]]
    assert len(set(put_off)) > 40
    assert 0 <= min(put_off) <= max(put_off) < 600
    assert "Put off by" in text_of(response)
    assert "Put off by" not in text_of(page_of(a_schedule("Plain")))


def test_nobody_without_the_right_is_offered_to_skip(reader):
    text = text_of(reader.get(f"/schedules/{a_schedule().pk}/upcoming/"))
    assert "Skip this time" not in text


@pytest.mark.parametrize(
    ("fields", "month", "n_left"),
    [
        ({"expression": "30 2 * * *", "tz": "Europe/Berlin"}, "2026-03", None),
        ({"expression": "*/20 1-3 * * *", "tz": "Europe/Berlin"}, "2026-10", None),
        ({"expression": "0 9 * * tue,thu", "tz": "America/New_York"}, "2026-11", None),
        ({"kind": "interval", "expression": "", "every": 5, "period": "hours"}, "2026-07", None),
        ({"expression": "30 2 * * *", "jitter": 3600}, "2026-03", None),
        ({"expression": "30 2 * * *"}, "2026-04", 40),
        ({"kind": "clocked", "expression": "", "clocked_at_local": "2026-05-03T10:00:00"}, "2026-05", None),
    ],
)  # fmt: skip
def test_the_month_counts_what_the_list_of_times_would_hold(fields, month, n_left):
    schedule = a_schedule(**fields)
    Schedule.objects.filter(pk=schedule.pk).update(max_runs=n_left, start_at=NOON + timedelta(days=2))
    schedule.refresh_from_db()
    first = month_asked(month, today=NOON.date())
    assert f"{first:%Y-%m}" == month
    counted = {
        day.day: day.n for week in month_of(schedule, first, now=NOON).weeks for day in week if day and day.n
    }
    walked: dict[object, int] = {}
    zone = schedule.rule().tz
    for each in occurrences_of(schedule, now=NOON):
        if each.nominal_at > NOON + timedelta(days=300):
            break
        day = each.nominal_at.astimezone(ZoneInfo(zone)).date()
        if (day.year, day.month) == (first.year, first.month):
            walked[day] = walked.get(day, 0) + 1
    assert counted == walked
    assert counted or n_left


def test_a_number_too_long_for_a_days_width_is_said_in_thousands_and_read_in_full(at_noon):
    often = a_schedule(name="Often", kind="interval", expression="", every=2, period="seconds")
    text = text_of(page_of(often))
    assert '<span aria-hidden="true">43 k</span><span class="sr">43,200</span>' in text
    rarely = text_of(page_of(a_schedule())).partition('id="month"')[2].partition("</table>")[0]
    assert "planned" in rarely
    assert " k</span>" not in rarely


def test_months_go_on_for_a_year_and_not_back(at_noon):
    schedule = a_schedule()
    first, last = page_of(schedule).context["month"], page_of(schedule, month="2027-03").context["month"]
    assert (first.before, first.after) == ("", "2026-04")
    assert (last.before, last.after) == ("2027-02", "")


@pytest.mark.parametrize(
    "asked", ["2026-02", "2027-04", "9999-12", "0000-00", "2026-13", "x", "\uff12026-04", *HOSTILE]
)
def test_a_month_that_is_none_or_too_far_away_is_this_one(at_noon, asked):
    response = page_of(a_schedule(), month=asked)
    assert f"{response.context['month'].first:%Y-%m}" == "2026-03"


def test_a_schedule_that_is_off_shows_when_it_would_run(at_noon):
    schedule = a_schedule()
    schedules.disable(schedule.pk, actor=ANA, now=NOON)
    text = text_of(page_of(schedule))
    assert "Next times, if it were on" in text
    assert "they come only when it is on" in text


def test_a_broken_rule_is_a_sentence_and_has_no_month(reader):
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(expression="99 * * * *")
    response = reader.get(f"/schedules/{schedule.pk}/upcoming/")
    assert response.status_code == 200
    assert response.context["coming"].problem in text_of(response)
    assert response.context["month"] is None


def test_a_schedule_that_runs_by_hand_has_no_times(reader):
    text = text_of(reader.get(f"/schedules/{a_schedule(kind='manual', expression='').pk}/upcoming/"))
    assert "only when somebody asks" in text
    assert "Nothing is to come in this month" in text


@pytest.mark.parametrize("month", ["", "2026-12"])
def test_it_asks_for_the_schedule_and_for_nothing_else(django_assert_num_queries, month, reader):
    schedule = a_schedule(expression="* * * * *")
    with django_assert_num_queries(2 + OF_THE_PERSON):
        reader.get(f"/schedules/{schedule.pk}/upcoming/", {"month": month})
