"""The timeline: what ran and what is planned, in lanes and in cells."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from schedulerui.models import Schedule
from schedulerui.presenters.lanes import lanes_of
from schedulerui.presenters.load import edges_between, load_of
from tests.web.people import (
    HOSTILE,
    NOON,
    OF_THE_PERSON,
    a_run,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db
URL = "/timeline/"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = edges_between(NOON - 12 * HOUR, NOON + 12 * HOUR, step=HOUR)


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


def show(client=None, **query):
    return text_of((client or logged_in("view")).get(URL, query))


def test_it_is_for_those_who_may_view():
    check_gate(URL, verb="view")
    check_methods(URL, "POST", "PUT", "DELETE")


@pytest.mark.parametrize("span", ["24h", "7d", "month"])
def test_without_anything_it_says_so(span):
    said = show(span=span).lower()
    assert "nothing" in said
    assert "at most" not in said


def test_the_load_counts_the_past_by_rows_and_the_future_by_rules():
    schedule = a_schedule(expression="30 14,15 * * *")
    a_run(schedule, due_at=NOON - 2 * HOUR)
    a_run(schedule, due_at=NOON - 2 * HOUR, state="failed")
    a_run(schedule, due_at=NOON - HOUR, state="missed")
    a_run(schedule, due_at=NOON - HOUR, state="skipped")
    load = load_of(TODAY, now=NOON)
    by_hour = {each.start.hour: each for each in load.stretches}
    assert (by_hour[10].ran, by_hour[10].failed) == (2, 1)
    assert (by_hour[11].ran, by_hour[11].missed, by_hour[11].skipped) == (0, 1, 1)
    assert [hour for hour, each in by_hour.items() if each.planned] == [14, 15]
    assert load.most == 2


def test_rules_are_counted_once_and_multiplied(django_assert_num_queries):
    for n in range(40):
        a_schedule(f"s{n}", expression="30 14 * * *")
    with django_assert_num_queries(2):
        load = load_of(TODAY, now=NOON)
    assert load.n_rules == 1
    assert sum(each.planned for each in load.stretches) == 40


def test_the_rules_of_many_schedules_are_read_once_a_minute_and_those_of_few_each_time(monkeypatch):
    a_schedule("one", expression="30 14 * * *")

    def planned(*, minutes=0):
        load = load_of(TODAY, now=NOON + timedelta(minutes=minutes), is_of_all=True)
        return sum(each.planned for each in load.stretches)

    assert planned() == 1
    a_schedule("two", expression="30 15 * * *")
    assert planned() == 2
    monkeypatch.setattr("schedulerui.presenters.load.N_CHEAP", 1)
    a_schedule("three", expression="30 16 * * *")
    assert planned() == 2
    assert planned(minutes=2) == 3


def test_intervals_are_spread_evenly_over_what_is_left_of_the_day():
    a_schedule(kind="interval", expression="", every=10, period="minutes")
    planned = [each.planned for each in load_of(TODAY, now=NOON).stretches]
    assert planned == [0] * 12 + [6] * 12


def test_schedules_that_are_off_are_not_planned():
    a_schedule(expression="30 14 * * *", enabled=False)
    assert sum(each.planned for each in load_of(TODAY, now=NOON).stretches) == 0


def test_each_rule_is_planned_in_its_own_zone():
    a_schedule("here", expression="30 14 * * *", tz="UTC")
    a_schedule(
        "there", expression="30 14 * * *", tz="America/New_York"
    )  # five hours behind at this time of the year
    planned = {each.start.hour: each.planned for each in load_of(TODAY, now=NOON).stretches}
    assert {hour: n for hour, n in planned.items() if n} == {14: 1, 19: 1}


def test_days_that_a_rule_leaves_out_have_nothing_planned():
    """Noon of the tests is a Wednesday, and the rule's day begins in its own zone."""
    a_schedule("weekdays", expression="0 9 * * mon-fri")
    a_schedule("saturday in Auckland", expression="0 9 * * sat", tz="Pacific/Auckland")
    days = [NOON - 12 * HOUR + n * DAY for n in range(8)]
    planned = {each.start.strftime("%a"): each.planned for each in load_of(days, now=days[0]).stretches}
    assert planned == {"Wed": 1, "Thu": 1, "Fri": 2, "Sat": 0, "Sun": 0, "Mon": 1, "Tue": 1}


def test_once_and_spread_rules_are_planned():
    a_schedule("once", kind="clocked", expression="", clocked_at_utc=NOON + 3 * HOUR)
    a_schedule("spread 1", expression="H 14 * * *")
    a_schedule("spread 2", expression="H 14 * * *")
    planned = sum(each.planned for each in load_of([NOON, NOON + 12 * HOUR], now=NOON).stretches)
    assert planned == 3


def test_a_row_whose_rule_is_broken_does_not_break_the_page():
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(expression="99 99 * * *")
    a_run(schedule, due_at=NOON - HOUR)
    for span in ("24h", "7d", "month"):
        assert "Timeline" in show(span=span)
    page = show(span="24h")
    assert ">Nightly<" in page, page[page.index("lanes-title") :]


def test_the_lanes_are_those_of_the_busiest():
    busy, quiet = a_schedule("Busy"), a_schedule("Quiet")
    for n in range(3):
        a_run(busy, due_at=NOON - n * HOUR - HOUR, state="failed" if n else "succeeded")
    a_run(quiet, due_at=NOON - HOUR)
    page = show()
    assert page.index(">Busy<") < page.index(">Quiet<")
    assert "2 failed" in page


def test_a_filter_chooses_the_lanes_and_shows_what_is_to_come():
    a_schedule("Nightly", expression="30 14,15,16 * * *")
    a_schedule("Other")
    page = show(q="Nightly")
    assert ">Nightly<" in page
    assert "3 to come" in page
    assert ">Other<" not in page


def test_a_filter_that_makes_no_sense_is_said():
    assert 'role="alert"' in show(q="nonsense:x")


@pytest.mark.parametrize(("span", "n_days"), [("7d", 7), ("month", 31)])
def test_cells_lead_to_their_runs(span, n_days):
    schedule = a_schedule()
    a_run(schedule, due_at=NOON - DAY, state="failed")
    a_run(schedule, due_at=NOON - DAY, state="missed")
    client = logged_in("view")
    response = client.get(URL, {"span": span})
    assert len(response.context["days"]) == n_days
    page = text_of(response)
    link = page.partition('class="text-fail" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "1 failed" in page
    assert "Nightly" in text_of(client.get(link))


@pytest.mark.parametrize("span", ["7d", "month"])
def test_each_number_of_a_cell_leads_to_as_many_runs(span):
    schedule = a_schedule()
    for state in ("failed", "lost", "unsent", "missed", "skipped", "succeeded", "succeeded", "expired"):
        a_run(schedule, due_at=NOON - DAY, state=state)
        a_run(schedule, due_at=(NOON - DAY).replace(hour=18), state=state)
    a_run(schedule, due_at=NOON.replace(hour=0), state="failed")
    client = logged_in("view")
    page = text_of(client.get(URL, {"span": span}))
    found = re.findall(
        r'<a (?:class="[a-z-]+" )?href="(/runs/[^"]*)">(\d+) (runs?|failed|missed|skipped)</a>', page
    )
    assert {name.rstrip("s") for _link, _n, name in found} == {"run", "failed", "missed", "skipped"}
    for link, n, _name in found:
        assert len(client.get(html.unescape(link)).context["rows"]) == int(n), link


def test_it_says_how_many_lanes_there_are_beside_those_that_it_draws(monkeypatch):
    monkeypatch.setattr("schedulerui.presenters.lanes.LANES", 2)
    for number in range(4):
        a_run(a_schedule(f"Nightly {number}"), due_at=NOON - HOUR)
    assert "2 of 4 lanes are shown." in show()
    assert "2 of 4 lanes are shown." in show(q="nightly")
    assert "1 lane is shown." in show(q='"nightly 1"')
    monkeypatch.setattr("schedulerui.presenters.lanes.MOST_COUNTED", 3)
    assert "2 of more than 3 lanes are shown." in show(q="nightly")


def test_each_cell_says_its_day():
    assert ">Wed 4</a></strong>" in show(span="7d")
    assert '<span class="cell__day">Wednesday</span> 4</a>' in show(span="month")


@pytest.mark.parametrize("span", ["7d", "month"])
def test_each_day_leads_to_its_lanes_with_the_filter_kept(span):
    page = show(span=span, q="night", day="2026-03-04")
    for day in ("2026-03-03", "2026-03-07"):
        assert page.count(f'<a href="?q=night&amp;span=24h&amp;day={day}">') == 1


def test_the_line_of_the_present_is_named_with_its_time():
    assert "now, 12:00</span>" in show()
    assert "now, " not in show(day="2026-03-03")


def test_one_can_go_back_and_forth_and_the_address_keeps_the_filter():
    page = show(span="24h", day="2026-03-04", q="x")
    assert "?q=x&amp;span=24h&amp;day=2026-03-03" in page
    assert "?q=x&amp;span=24h&amp;day=2026-03-05" in page
    assert "day=2026-02-28" in show(span="month", day="2026-03-31")
    assert "day=2026-04-01" in show(span="month", day="2026-03-31")


@pytest.mark.parametrize(
    "query",
    [
        {"span": "x"},
        {"day": "x"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"span": "month", "day": "2026-13-01"},
    ],
)
def test_an_odd_address_shows_today(query):
    assert logged_in("view").get(URL, query).status_code == 200


def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is():
    with timezone.override("Europe/Berlin"):
        response = logged_in("view").get(URL, {"span": "24h", "day": "2026-03-29"})
        window = response.context["window"]
    assert window.end - window.start == 23 * HOUR


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text):
    a_run(a_schedule(text[:190]), due_at=NOON - HOUR)
    page = show()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("span", ["24h", "7d", "month"])
def test_it_asks_a_fixed_number_of_queries(span, django_assert_max_num_queries):
    client = logged_in("view")
    for n in range(40):
        a_run(a_schedule(f"s{n}", expression=f"{n} 14 * * *"), due_at=NOON - HOUR)
    with django_assert_max_num_queries(11 + OF_THE_PERSON):
        client.get(URL, {"span": span})


def test_many_coming_times_are_drawn_as_bands_to_the_end_of_their_time():
    a_schedule("Beat", kind="interval", every=2, period="seconds", expression="")
    a_schedule("Mornings", expression="*/2 13,14,20 * * *")
    a_schedule("Ends", kind="interval", every=5, period="seconds", expression="", end_at=NOON + 6 * HOUR)
    lanes = lanes_of(Schedule.objects.order_by("pk"), start=TODAY[0], end=TODAY[-1], now=NOON, is_chosen=True)
    found = {
        lane.name: [(round(band.x), round(band.x + band.width)) for band in lane.bands]
        for lane in lanes.drawn
    }
    assert found == {"Beat": [(500, 1000)], "Mornings": [], "Ends": [(500, 750)]}
    assert {len(lane.marks) for lane in lanes.drawn if not lane.bands} == {90}
    assert lanes.since is None


def test_a_crontab_of_many_times_has_a_band_for_each_stretch():
    a_schedule("Mornings", expression="* 13,14,20 * * *")
    lanes = lanes_of(Schedule.objects.all(), start=TODAY[0], end=TODAY[-1], now=NOON, is_chosen=True)
    assert [(round(band.x), round(band.x + band.width)) for band in lanes.drawn[0].bands] == [
        (542, 625),
        (833, 875),
    ]


def test_it_says_from_when_on_runs_are_drawn(monkeypatch):
    monkeypatch.setattr("schedulerui.presenters.lanes.LOOKED_AT", 2)
    schedule = a_schedule()
    for hours in (1, 2, 3):
        a_run(schedule, due_at=NOON - hours * HOUR)
    assert "Drawn from 10:00 on: the newest 2 runs." in show()
