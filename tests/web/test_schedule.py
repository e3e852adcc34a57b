from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Schedule, ScheduleState
from schedulerui.presenters.lines import TIMES
from tests.web.people import NOON, OF_THE_PERSON, a_run, a_schedule, logged_in, many_runs, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reader():
    return logged_in("view")


def have(response):
    return ",".join(f"{part.id}:{part.digest}" for part in response.context["parts"].values())


def test_it_shows_facts_the_next_times_and_runs(reader):
    schedule = a_schedule(tz="Europe/Berlin", queue="mail")
    a_run(schedule, runtime=0.25, worker="celery@one")
    response = reader.get(f"/schedules/{schedule.pk}/")
    text = text_of(response)
    for part in ("At 02:30", "Europe/Berlin", "mail", "250 ms", "celery@one"):
        assert part in text
    assert len(response.context["coming"].times) == 10
    assert "<title>Nightly" in text


def test_it_shows_the_day_on_which_the_clock_changes(reader):
    schedule = a_schedule(tz="America/New_York")
    assert reader.get(f"/schedules/{schedule.pk}/").context["coming"].notices


def test_a_window_and_a_limit_bound_the_next_times(reader):
    now = clock.now()
    schedule = a_schedule(kind="interval", every=1, period="hours", expression="")
    Schedule.objects.filter(pk=schedule.pk).update(end_at=now + timedelta(hours=3))
    assert len(reader.get(f"/schedules/{schedule.pk}/").context["coming"].times) == 3
    Schedule.objects.filter(pk=schedule.pk).update(end_at=None, max_runs=5, runs_created=4)
    assert len(reader.get(f"/schedules/{schedule.pk}/").context["coming"].times) == 1


def test_a_broken_rule_is_a_sentence(reader):
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(expression="99 * * * *")
    response = reader.get(f"/schedules/{schedule.pk}/")
    assert response.status_code == 200
    assert response.context["coming"].problem


def test_changes_are_shown_to_those_who_may_see_them(reader):
    schedule = a_schedule()
    assert "Last changes" not in text_of(reader.get(f"/schedules/{schedule.pk}/"))
    text = text_of(logged_in("view", "view_audit").get(f"/schedules/{schedule.pk}/"))
    assert "Last changes" in text
    assert "ana" in text


def test_links_to_what_one_may_not_do_are_not_there(reader):
    schedule = a_schedule()
    text = text_of(reader.get(f"/schedules/{schedule.pk}/"))
    assert "/edit/" not in text
    assert "/delete/" not in text
    allowed = text_of(logged_in("view", "change", "delete").get(f"/schedules/{schedule.pk}/"))
    assert "/edit/" in allowed
    assert "/delete/" in allowed


def test_its_runs_are_paged_and_never_those_of_another_schedule_of_the_same_task(reader):
    mine, other = a_schedule("Mine"), a_schedule("Other")
    many_runs(30, mine)
    many_runs(3, other)
    response = reader.get(f"/schedules/{mine.pk}/")
    assert len(response.context["rows"]) == 25
    older = reader.get(f"/schedules/{mine.pk}/", {"older": response.context["page"].older})
    assert len(older.context["rows"]) == 5
    assert {row.name for row in older.context["rows"]} == {"Mine"}


@pytest.mark.parametrize("n_runs", [10, 200])
def test_it_asks_the_same_number_of_queries_however_many_runs(n_runs, django_assert_num_queries):
    auditor = logged_in("view", "view_audit")
    schedule = a_schedule()
    many_runs(n_runs, schedule)
    with django_assert_num_queries(5 + OF_THE_PERSON):
        auditor.get(f"/schedules/{schedule.pk}/")


def strip_of(schedule, client=None):
    return (client or logged_in("view")).get(f"/schedules/{schedule.pk}/").context["strip"]


def test_a_strip_shows_the_last_hundred_runs_the_newest_at_its_end():
    schedule = a_schedule()
    many_runs(120, schedule)
    newest = a_run(schedule, due_at=NOON + timedelta(minutes=1), state="failed")
    strip = strip_of(schedule)
    assert len(strip.bars) == 100
    assert (strip.bars[-1].uuid, strip.bars[-1].x) == (newest.uuid, 990)
    assert strip.sentence == "Last 100 runs: 99 succeeded, 1 failed"


def test_every_run_of_the_strip_is_reached_without_seeing_it(reader):
    schedule = a_schedule()
    runs = [a_run(schedule, due_at=NOON - timedelta(hours=n), runtime=n or None) for n in range(40)]
    text = text_of(reader.get(f"/schedules/{schedule.pk}/"))
    drawn, _, table = text.partition('<div class="sr"><table>')
    for run in runs:
        assert f'href="/runs/{run.uuid}/"' in drawn
        assert f'href="/runs/{run.uuid}/"' in table.partition("</table>")[0]


def test_a_bar_is_the_higher_the_longer_it_took_and_tells_its_state_by_its_shape():
    schedule = a_schedule()
    for n, (state, runtime) in enumerate(
        [("succeeded", 1.0), ("succeeded", 4.0), ("failed", 1.0), ("missed", None), ("started", 3.0)]
    ):  # fmt: skip
        a_run(
            schedule,
            state=state,
            runtime=runtime,
            due_at=NOON + timedelta(minutes=n),
            count=3 if state == "missed" else 1,
        )
    bars = strip_of(schedule).bars
    assert len({bar.path.partition("h")[2] for bar in bars}) >= 4
    assert [bar.words for bar in bars] == [
        "Succeeded, 1.0 s", "Succeeded, 4.0 s", "Failed, 1.0 s", f"Missed {TIMES} 3", "Running",
    ]  # fmt: skip


def test_a_schedule_that_never_ran_and_an_older_page_have_no_strip(reader):
    schedule = a_schedule()
    assert strip_of(schedule) is None
    many_runs(30, schedule)
    older = reader.get(f"/schedules/{schedule.pk}/").context["page"].older
    assert reader.get(f"/schedules/{schedule.pk}/", {"older": older}).context["strip"] is None


def test_it_says_how_long_the_newest_runs_took(reader):
    schedule = a_schedule()
    for n in range(40):
        a_run(schedule, due_at=NOON + timedelta(minutes=n), runtime=float(n + 1))
    assert reader.get(f"/schedules/{schedule.pk}/").context["usual"] == (
        "20.5 s on average, 95\u00a0% within 38.0 s, of the newest 40"
    )


def test_its_facts_are_complete(reader):
    schedule = a_schedule(
        tz="Europe/Berlin", queue="mail", priority=7, expires_after=90, soft_time_limit=60, time_limit=120, jitter=300, owner="ana",
        tags="billing", start_at=NOON, end_at=NOON + timedelta(days=400), kwargs={"bank": "north", "password": "hunter2"},
    )  # fmt: skip
    for client, sees in ((reader, False), (logged_in("view", "view_values"), True)):
        facts = (
            text_of(client.get(f"/schedules/{schedule.pk}/"))
            .partition('id="facts-title"')[2]
            .partition("</section>")[0]
        )
        for part in ("At 02:30", "30 2 * * *", "Europe/Berlin", "UTC", "mail", "<dd>7</dd>", "1 min 30 s after its time", "5 min", "ana", "billing",
                     "asked to end after 1 min", "killed after 2 min", "Times missed by more than", "Never ran", "Browser"):  # fmt: skip
            assert part in facts, part
        assert ("north" in facts) == sees
        assert "hunter2" not in facts


def test_one_from_code_says_where_it_is_written(reader):
    schedule = a_schedule(source="code", source_key="nightly", source_app="shop.celery")
    facts = text_of(reader.get(f"/schedules/{schedule.pk}/")).partition('id="schedule-facts"')[2]
    assert '<span class="mono">nightly</span>' in facts
    assert "in the configuration of the Celery app shop.celery" in facts
    other = text_of(reader.get(f"/schedules/{a_schedule('Mine').pk}/"))
    assert "in the configuration of the Celery app" not in other


def test_the_menu_offers_to_copy_to_show_as_code_and_to_delete():
    schedule = a_schedule()
    text = text_of(logged_in("view", "add", "delete").get(f"/schedules/{schedule.pk}/"))
    menu = text.partition(f'<summary id="more-{schedule.pk}"')[2].partition("</details>")[0]
    for address in (
        f"/schedules/new/?copy={schedule.pk}",
        f"/schedules/{schedule.pk}/code/",
        f"/schedules/{schedule.pk}/delete/",
    ):
        assert address in menu


def test_the_poll_answers_nothing_while_nothing_changed(reader, django_assert_num_queries):
    schedule = a_schedule()
    a_run(schedule)
    known = have(reader.get(f"/schedules/{schedule.pk}/"))
    with django_assert_num_queries(1 + OF_THE_PERSON):
        response = reader.get(f"/live/schedules/{schedule.pk}/", {"have": known}, headers=HTMX)
    assert (response.status_code, response.content) == (204, b"")


def test_the_poll_brings_a_new_run(reader):
    schedule = a_schedule()
    known = have(reader.get(f"/schedules/{schedule.pk}/"))
    run = a_run(schedule)
    ScheduleState.objects.filter(schedule=schedule).update(last_state="succeeded", recent="s1")
    text = text_of(reader.get(f"/live/schedules/{schedule.pk}/", {"have": known}, headers=HTMX))
    assert str(run.uuid) in text
    assert 'id="schedule-facts"' in text
    assert 'id="schedule-actions"' not in text
