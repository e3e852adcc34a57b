"""The parts of the overview that count and rank: delay, attention, the week, the next day, and the numbers of the rail."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from uuid import uuid4

import pytest

from schedulerui import clock
from schedulerui.models import Alert, Beat, Run, Schedule, ScheduleState
from schedulerui.operations import alerts, troubles
from schedulerui.presenters import attention, delay, rail
from tests.web.people import HOSTILE, OF_THE_PERSON, a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.fixture
def now():
    return clock.now()


def section(response, name):
    return response.context["parts"][name].context["section"]


def a_beat(now, *, age=0):
    return Beat.objects.create(host="app-1", pid=1, started_at=now, seen_at=now - timedelta(seconds=age))


def sent(now, *, late, n=1, **fields):
    """Runs that went to the broker ``late`` seconds after they were due."""
    for number in range(n):
        due_at = now - timedelta(minutes=1, seconds=number)
        a_run(due_at=due_at, sent_at=due_at + timedelta(seconds=late), **fields)


# The delay


def test_the_delay_is_that_of_the_middle_run_and_of_the_slowest_but_one_in_a_hundred(reader, now):
    a_beat(now)
    sent(now, late=0.02, n=98)
    sent(now, late=3, n=1)
    sent(now, late=90, n=1)
    response = reader.get("/")
    found = section(response, "tiles").delay
    assert (found.p50, found.p99, found.n) == (pytest.approx(0.02), pytest.approx(3), 100)
    assert "median of 100; 99 % in 3.0 s" in text_of(response)


def test_a_delay_of_more_than_seconds_warns(reader, now):
    a_beat(now)
    sent(now, late=delay.LATE + 1)
    assert "tile tile--warn" in text_of(reader.get("/")).partition("Dispatch delay")[0].rpartition("<a ")[2]


@pytest.mark.parametrize(("slowest", "asked"), [(3.25, "late>3.25s"), (7, "late>5s")])
def test_the_delay_leads_to_the_runs_that_were_sent_the_latest(reader, now, slowest, asked):
    a_beat(now)
    sent(now, late=0.02, n=98)
    sent(now, late=slowest, n=1)
    sent(now, late=90, n=1)
    link = html.unescape(text_of(reader.get("/")).partition("Dispatch delay")[0].rpartition('href="')[2])
    response = reader.get(link.partition('"')[0])
    assert response.context["filter"].text == asked
    late = sorted((run.sent_at - run.due_at).total_seconds() for run in response.context["page"].rows)
    assert late == ([90] if slowest < delay.LATE else [slowest, 90])


def test_what_beat_did_not_send_says_nothing_of_its_delay(reader, now):
    a_beat(now)
    sent(now, late=5, trigger="manual")
    sent(now, late=5, trigger="task")
    a_run(state="missed", due_at=now)
    assert section(reader.get("/"), "tiles").delay.why == "none of the newest runs was sent by beat"


@pytest.mark.parametrize(
    ("age", "why"),
    [(None, "no beat is running"), (300, "no beat ticks; the last tick was 5 minutes ago")],
)
def test_without_a_beat_the_delay_is_unknown_and_says_why(reader, now, age, why):
    sent(now, late=0.02)
    if age:
        a_beat(now, age=age)
    response = reader.get("/")
    found = section(response, "tiles").delay
    assert (found.p50, found.why) == (None, why)
    tile = text_of(response).partition("Dispatch delay")[2].partition("</a>")[0]
    assert "unknown" in tile
    assert why in tile


def test_every_tile_leads_to_what_it_counts(reader, now):
    due, failing = a_schedule("Due"), a_schedule("Failing")
    Schedule.objects.filter(pk=due.pk).update(next_run_at=now + timedelta(minutes=9))
    Schedule.objects.filter(pk=failing.pk).update(next_run_at=now + timedelta(hours=9))
    off = a_schedule("Off", enabled=False)
    ScheduleState.objects.filter(schedule__in=[failing, off]).update(last_state="failed")
    a_run(due, state="missed", due_at=now - timedelta(hours=1))
    a_run(due, state="missed", due_at=now - timedelta(hours=30))
    tiles = text_of(reader.get("/")).partition('id="overview-tiles"')[2].partition("</section>")[0]
    links = [html.unescape(link) for link in re.findall(r'class="tile[^"]*" href="([^"]+)"', tiles)]
    shown = [[row.name for row in reader.get(link).context["rows"]] for link in links[:3]]
    assert shown == [["Due"], ["Failing"], ["Due"]]
    for link in links[3:6]:
        assert reader.get(link).status_code == 200


# What needs attention


def unhappy(state):
    def make(_now):
        ScheduleState.objects.filter(schedule=a_schedule("The one")).update(last_state=state)

    return make


def a_broken_rule(_now):
    schedule = a_schedule("The one")
    Schedule.objects.filter(pk=schedule.pk).update(error="minute: 99", next_run_at=None, next_nominal_at=None)


def a_pause_that_is_over(now):
    schedule = a_schedule("The one")
    Schedule.objects.filter(pk=schedule.pk).update(
        enabled=False, next_run_at=None, next_nominal_at=None, paused_at=now, paused_by="ana",
        resume_at=now - timedelta(minutes=5),
    )  # fmt: skip


def an_unknown_task(now):
    a_schedule("The one", task="tests.nobody_knows")
    a_worker(seen_at=now, tasks=["tests.add"])


def an_unknown_part(now):
    tasks: list[object] = [
        {"type": "task", "task": name, "args": [], "kwargs": {}}
        for name in ("tests.add", "tests.nobody_knows")
    ]
    a_schedule("The one", task="tests.add", canvas={"type": "chain", "steps": tasks})
    a_worker(seen_at=now, tasks=["tests.add"])


def a_queue_without_a_worker(now):
    Alert.objects.create(key="queue:The one", kind="queue", state="down", since=now)


def standing(state):
    """What a monitor makes of a schedule that is late: an alert, with the run that showed it."""

    def make(now):
        schedule = a_schedule("The one")
        run = a_run(schedule, state=state, due_at=now - timedelta(minutes=9))
        ScheduleState.objects.filter(schedule=schedule).update(last_state="succeeded")
        alerts.observe(troubles.of_schedules(now=now), kind="schedule", now=now)
        assert Alert.objects.get(schedule=schedule).run_id == run.pk

    return make


CAUSES = {
    "failing": (unhappy("failed"), "Failed", "/schedules/"),
    "lost": (unhappy("lost"), "Lost", "/schedules/"),
    "missed": (standing("missed"), "Missed", "/schedules/"),
    "late": (standing("sent"), "Late", "/schedules/"),
    "expired": (unhappy("expired"), "Expired", "/schedules/"),
    "rule": (a_broken_rule, "Rule broken", "/schedules/"),
    "pause": (a_pause_that_is_over, "Pause is over", "/schedules/"),
    "task": (an_unknown_task, "Unknown task", "/schedules/"),
    "part": (an_unknown_part, "Unknown task", "/schedules/"),
    "queue": (a_queue_without_a_worker, "No worker", "/workers/"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_told_with_its_word_and_a_link(reader, now, cause):
    make, word, address = CAUSES[cause]
    make(now)
    (row,) = section(reader.get("/"), "attention").rows
    assert (row.name, row.chip.word) == ("The one", word)
    assert row.why
    assert row.url.startswith(address)
    assert reader.get(row.url).status_code == 200


def test_nothing_needs_attention_while_all_is_well(reader, now):
    ScheduleState.objects.filter(schedule=a_schedule("Fine")).update(last_state="succeeded")
    a_schedule("New")
    a_schedule("Off", enabled=False, task="tests.nobody_knows")
    schedule = a_schedule("Paused")
    Schedule.objects.filter(pk=schedule.pk).update(
        enabled=False, next_run_at=None, next_nominal_at=None, resume_at=now + timedelta(hours=1)
    )
    a_worker(seen_at=now, tasks=["tests.add"])
    response = reader.get("/")
    assert section(response, "attention").rows == ()
    assert 'aria-labelledby="attention-title" hidden' in text_of(response)


def test_several_schedules_of_one_unknown_task_are_one_line_that_leads_to_all(reader, now):
    for number in range(3):
        a_schedule(f"Orphan {number}", task="tests.nobody_knows")
    a_worker(seen_at=now, tasks=["tests.add"])
    (row,) = section(reader.get("/"), "attention").rows
    assert row.name == "tests.nobody_knows"
    assert "3 schedules send it" in row.why
    assert {each.name for each in reader.get(row.url).context["rows"]} == {f"Orphan {n}" for n in range(3)}


def test_many_of_one_kind_leave_room_for_the_others(reader, now):
    for number in range(12):
        schedule = a_schedule(f"Failing {number:02d}")
        ScheduleState.objects.filter(schedule=schedule).update(
            last_state="failed", failure_streak=20 - number
        )
    a_queue_without_a_worker(now)
    a_pause_that_is_over(now)
    names = [row.name for row in section(reader.get("/"), "attention").rows]
    assert names == ["The one", "The one", *(f"Failing {number:02d}" for number in range(8))]
    assert len(names) == attention.N_SHOWN


def test_of_every_kind_there_is_a_line_however_many_kinds_there_are(reader, now):
    for cause in ("failing", "missed", "rule", "pause", "task", "queue"):
        for number in range(3):
            CAUSES[cause][0](now)
            Schedule.objects.filter(name="The one").update(name=f"{cause} {number}")
            Alert.objects.filter(key="queue:The one").update(key=f"queue:{number}")
    lines = section(reader.get("/"), "attention").rows
    assert len(lines) == attention.N_SHOWN
    words = {line.chip.word for line in lines}
    assert words == {"Failed", "Missed", "Rule broken", "Pause is over", "Unknown task", "No worker"}


def test_what_fails_is_not_told_a_second_time_as_late(reader, now):
    standing("missed")(now)
    ScheduleState.objects.update(last_state="failed")
    assert [row.chip.word for row in section(reader.get("/"), "attention").rows] == ["Failed"]


def test_what_was_late_and_is_off_needs_no_attention(reader, now):
    standing("missed")(now)
    Schedule.objects.update(enabled=False, next_run_at=None, next_nominal_at=None)
    assert section(reader.get("/"), "attention").rows == ()


def test_it_tells_of_an_unknown_task_as_soon_as_somebody_makes_the_schedule(reader, now):
    a_worker(seen_at=now, tasks=["tests.add"])
    reader.get("/")
    an_unknown_task(now)
    assert [row.name for row in section(reader.get("/"), "attention").rows] == ["The one"]


def test_the_dialog_names_the_parts_of_a_canvas_that_no_worker_knows(now):
    an_unknown_part(now)
    address = f"/schedules/{Schedule.objects.get().pk}/run/"
    text = text_of(logged_in("view", "operate").get(address, headers={"HX-Request": "true"}))
    assert "No worker that is online knows the task tests.nobody_knows of its canvas." in text
    assert "tests.add of its canvas" not in text


def test_without_a_worker_that_tells_its_tasks_none_is_unknown(reader, now):
    a_schedule("The one", task="tests.nobody_knows")
    a_worker(seen_at=now, tasks=[])
    assert section(reader.get("/"), "attention").rows == ()


# What comes, the week, the next day


def test_the_next_twenty_are_shown(reader, now):
    for number in range(25):
        at = now + timedelta(minutes=25 - number)
        Schedule.objects.filter(pk=a_schedule(f"S{number:02d}").pk).update(next_run_at=at, next_nominal_at=at)
    names = [row.name for row in section(reader.get("/"), "upcoming").rows]
    assert names == [f"S{number:02d}" for number in range(24, 4, -1)]


def test_the_week_ranks_the_slowest_and_the_most_failing(reader, now):
    slow, flaky, fine = a_schedule("Slow"), a_schedule("Flaky"), a_schedule("Fine")
    for runtime in (60, 180):
        a_run(slow, due_at=now - timedelta(days=2), runtime=runtime)
    for state in ("failed", "lost", "succeeded", "skipped", "missed"):
        a_run(
            flaky, due_at=now - timedelta(hours=5), state=state, runtime=1 if state == "succeeded" else None
        )
    a_run(fine, due_at=now - timedelta(hours=1), runtime=0.5)
    a_run(fine, due_at=now - timedelta(days=8), state="failed", runtime=4000)
    response = reader.get("/")
    assert [row.name for row in section(response, "slowest").rows] == ["Slow", "Flaky", "Fine"]
    assert [row.name for row in section(response, "failing").rows] == ["Flaky"]
    text = text_of(response)
    assert "2 min on average" in text
    assert "2 runs, the longest 3 min" in text
    assert "2 of 3 failed" in text
    assert "Of the newest" not in text


def test_the_week_says_when_it_did_not_look_at_all_of_it(reader, now, monkeypatch):
    monkeypatch.setattr("schedulerui.presenters.ranking.LOOKED_AT", 2)
    schedule = a_schedule()
    for hours in (1, 2, 3):
        a_run(schedule, due_at=now - timedelta(hours=hours), runtime=hours)
    response = reader.get("/")
    assert section(response, "slowest").rows[0].rank.n == 2
    assert "Of the newest 2 runs only, since" in text_of(response)


def test_the_next_day_is_counted_by_quarters_and_told_in_a_table(reader):
    a_schedule("Quarterly", kind="crontab", expression="*/15 * * * *")
    a_schedule("Noon", kind="crontab", expression="0,1,2,3 12 * * *")
    response = reader.get("/")
    strip = section(response, "load").strip
    assert (strip.total, strip.most, strip.busiest) == (96 + 4, 5, "12:00")
    assert len(strip.bars) == 96
    assert [hour.planned for hour in strip.hours].count(4) == 23
    text = text_of(response)
    assert "100 runs are planned in 24 hours; the most in a quarter of an hour are 5, at 12:00 (UTC)." in text
    assert text.partition('id="overview-load"')[2].count('<th scope="row">') == 24
    assert 'href="/timeline/"' in text.partition('id="overview-load"')[2]


def test_the_next_day_knows_a_new_schedule_at_once(reader):
    assert section(reader.get("/"), "load").strip.total == 0
    a_schedule("Hourly", kind="crontab", expression="30 * * * *")
    assert section(reader.get("/"), "load").strip.total == 24


def test_many_schedules_are_counted_once_a_minute(reader, monkeypatch):
    monkeypatch.setattr("schedulerui.presenters.load_strip.N_CHEAP", 0)
    a_schedule("Hourly", kind="crontab", expression="30 * * * *")
    assert section(reader.get("/"), "load").strip.total == 24
    a_schedule("Again", kind="crontab", expression="31 * * * *")
    assert section(reader.get("/"), "load").strip.total == 24


def test_hostile_names_stay_text_in_each_part(reader, now):
    for name in HOSTILE:
        schedule = a_schedule(name, task=f"x{name}"[:200])
        a_run(schedule, due_at=now - timedelta(hours=1), state="failed", runtime=5)
        Alert.objects.create(key=f"queue:{name}", kind="queue", state="down", since=now)
    a_worker(seen_at=now, tasks=HOSTILE)
    text = text_of(reader.get("/"))
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def those_they_own(user, schedules):
    return schedules.filter(owner=user.get_username())


@pytest.fixture
def each_sees_their_own(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS_FILTER": f"{__name__}.those_they_own"}


@pytest.mark.usefixtures("each_sees_their_own")
def test_nothing_that_is_remembered_for_one_person_is_shown_to_another(now):
    ana, ben = logged_in("view"), logged_in("view")
    names = {client: client.get("/").context["user"].get_username() for client in (ana, ben)}
    hers = a_schedule("Hers", owner=names[ana], task="hers.task", expression="30 * * * *")
    ScheduleState.objects.filter(schedule=hers).update(last_state="failed")
    a_run(hers, due_at=now - timedelta(hours=1), state="failed", runtime=5)
    a_worker(seen_at=now, tasks=["tests.add"])
    for client, is_hers in ((ana, True), (ben, False)):
        response = client.get("/")
        assert section(response, "load").strip.total == (24 if is_hers else 0)
        assert ("hers.task" in text_of(response)) == is_hers
        assert ("Hers" in text_of(response)) == is_hers
        assert tags(response).get("schedules") == ("1 failing" if is_hers else None)


# A site without schedules


def test_without_schedules_it_says_how_to_begin(now):
    text = text_of(logged_in("view", "add").get("/"))
    start = text.partition('id="overview-start"')[2].partition("</section>")[0]
    assert 'href="/schedules/new/"' in start
    assert "beat -S schedulerui</code>" in start
    assert "worker</code>" in start
    assert "Ask somebody" in text_of(logged_in("view").get("/"))


def test_with_a_schedule_it_does_not(reader):
    a_schedule()
    start = text_of(reader.get("/")).partition('id="overview-start"')[2].partition("</section>")[0]
    assert "hidden" in start.partition(">")[0]
    assert "<li>" not in start


# The rail


def fail(now):
    ScheduleState.objects.filter(schedule=a_schedule()).update(last_state="failed")


def run_now(now):
    a_run(state="started")
    a_run(state="retrying")
    a_run(state="sent")


def be_silent(now):
    a_worker("celery@fine", seen_at=now)
    a_worker("celery@silent", seen_at=now - timedelta(minutes=1))
    a_worker("celery@stopped", seen_at=now - timedelta(minutes=1), stopped_at=now)
    a_worker("celery@died", seen_at=now - timedelta(minutes=1), died_at=now)


def stand(now):
    Alert.objects.create(key="beat", kind="beat", state="down", since=now)
    Alert.objects.create(key="queue:mail", kind="queue", state="ok", since=now)


TAGS = {
    "schedules": (fail, "1 failing"),
    "runs": (run_now, "2 running"),
    "workers": (be_silent, "1 silent"),
    "alerts": (stand, "1 stands"),
}


def tags(response):
    """Words beside each entry of the rail, by the entry's address."""
    found = re.findall(r'<a class="nav__link" href="/(\w*)/?"[^>]*>(.*?)</a>', text_of(response), re.DOTALL)
    return {name: words for name, inside in found for words in re.findall(r'class="sr"> ([^<]+)<', inside)}


@pytest.mark.parametrize("entry", TAGS)
@pytest.mark.parametrize("has_beat", [True, False])
def test_the_rail_counts_what_needs_somebody(reader, now, entry, has_beat):
    make, words = TAGS[entry]
    if has_beat:
        a_beat(now)
    make(now)
    assert tags(reader.get("/audit/" if entry == "audit" else "/runs/")) == {entry: words}


def test_the_rail_counts_nothing_where_all_is_well(reader, now):
    a_schedule("Off", enabled=False)
    ScheduleState.objects.update(last_state="failed")
    assert tags(reader.get("/runs/")) == {}


def test_the_rail_counts_so_far_and_no_further(reader, now):
    Run.objects.bulk_create(
        Run(key=f"s:{uuid4()}", state="started", due_at=now, created_at=now, task="tests.add")
        for _number in range(rail.MOST + 5)
    )
    assert tags(reader.get("/schedules/")) == {"runs": "99+ running"}


def test_the_rail_tells_of_the_newest_beats(reader, now):
    for number in range(60):
        Beat.objects.create(
            host=f"h{number}", pid=number, started_at=now, seen_at=now - timedelta(hours=number)
        )
    assert "1 beat ticking" in text_of(reader.get("/runs/"))
    Beat.objects.filter(host="h0").delete()
    assert "Beat is not ticking" in text_of(reader.get("/runs/"))


def test_an_open_page_hears_of_the_numbers_with_the_beat(reader, now, django_assert_num_queries):
    a_beat(now)
    address, headers = "/live/health/", {"HX-Request": "true"}
    since = reader.get(address).context["rail"].digest
    assert reader.get(address, {"since": since}, headers=headers).status_code == 204
    stand(now)
    with django_assert_num_queries(1 + OF_THE_PERSON):
        text = text_of(reader.get(address, {"since": since}, headers=headers))
    for place in ("rail", "menu"):
        tag = text.partition(f'id="tag-{place}-alerts"')[2].partition("</span></span>")[0]
        assert 'hx-swap-oob="true"' in tag
        assert "1 stands" in tag
        assert f'id="tag-{place}-runs" class="nav__tag" hx-swap-oob="true" hidden' in text


def test_the_rail_costs_one_query(reader, now, django_assert_num_queries):
    for make, _words in TAGS.values():
        make(now)
    with django_assert_num_queries(1 + OF_THE_PERSON):
        reader.get("/about/components/")
