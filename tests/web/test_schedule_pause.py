"""The dialog that pauses a schedule, and how pages say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from schedulerui import clock
from schedulerui.models import Change, Schedule, Worker
from schedulerui.operations import policies
from schedulerui.presenters.policies import pause_of, policies_of
from schedulerui.web.forms import schedule as schedule_form
from schedulerui.web.forms.pause import PauseForm
from schedulerui.web.forms.rule import RuleForm
from schedulerui.web.forms.schedule import PolicyFields
from tests.web.people import a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # a Friday


@pytest.fixture
def operator():
    return logged_in("view", "operate")


def test_it_asks_with_a_dialog_or_with_a_page(operator):
    address = f"/schedules/{a_schedule().pk}/pause/"
    assert text_of(operator.get(address, headers=HTMX)).startswith("<dialog")
    page = text_of(operator.get(address))
    assert "<html" in page
    assert 'name="until"' in page


def test_it_pauses_and_answers_the_row_with_who_and_why(operator):
    schedule = a_schedule()
    answer = operator.post(
        f"/schedules/{schedule.pk}/pause/", {"span": "1h", "reason": "supplier <b>"}, headers=HTMX
    )
    stored = Schedule.objects.get(pk=schedule.pk)
    assert not stored.enabled
    assert stored.resume_at is not None
    assert stored.resume_at - clock.now() > timedelta(minutes=59)
    text = text_of(answer)
    assert f'<tr id="schedule-{schedule.pk}"' in text
    assert 'hx-swap-oob="true"' in text
    assert "supplier &lt;b&gt;" in text
    assert Change.objects.filter(action="pause", via="browser").count() == 1


def test_without_a_script_it_goes_back_with_a_message(operator):
    schedule = a_schedule()
    answer = operator.post(f"/schedules/{schedule.pk}/pause/", {"reason": "stocktaking"})
    assert answer.status_code == 303
    assert "stocktaking" in text_of(operator.get(f"/schedules/{schedule.pk}/"))


@pytest.mark.parametrize(
    "values", [{"until": "2020-01-01T00:00"}, {"span": "at"}, {"span": "x"}, {"reason": "y" * 301}]
)
def test_it_says_what_is_wrong_and_pauses_nothing(operator, values):
    schedule = a_schedule()
    address = f"/schedules/{schedule.pk}/pause/"
    assert operator.post(address, values).status_code == 422
    answer = operator.post(address, values, headers=HTMX)
    assert answer.status_code == 200
    assert text_of(answer).startswith("<dialog")
    assert Schedule.objects.get(pk=schedule.pk).enabled


def test_the_switch_resumes_it(operator):
    schedule = a_schedule()
    operator.post(f"/schedules/{schedule.pk}/pause/", {"reason": "x"})
    operator.post(f"/schedules/{schedule.pk}/enable/", headers=HTMX)
    stored = Schedule.objects.get(pk=schedule.pk)
    assert stored.enabled
    assert stored.paused_at is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"span": ""}, None),
        ({"span": "4h"}, NOW + timedelta(hours=4)),
        ({"span": "tomorrow"}, datetime(2026, 11, 21, 7, tzinfo=UTC)),
        ({"span": "monday"}, datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ({"until": "2026-12-24T18:00"}, datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ({"span": "1h", "until": "2026-12-24T18:00"}, datetime(2026, 12, 24, 17, tzinfo=UTC)),
    ],
)
def test_moments_are_meant_in_the_schedule_s_zone(values, expected):
    from zoneinfo import ZoneInfo

    form = PauseForm(values, zone=ZoneInfo("Europe/Berlin"), now=NOW)
    assert form.is_valid(), form.errors
    assert form.until_at == expected


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (None, "Paused by Ana: supplier maintenance"),
        (NOW + timedelta(hours=2), "Paused until 11:30 by Ana: supplier maintenance"),
        (NOW + timedelta(days=3), "Paused until Mon 09:30 by Ana: supplier maintenance"),
        (NOW + timedelta(days=30), "Paused until 2026-12-20 09:30 by Ana: supplier maintenance"),
    ],
)
def test_it_reads_until_when_by_whom_and_why(until, words):
    schedule = Schedule(
        enabled=False, paused_at=NOW, paused_by="Ana", pause_reason="supplier maintenance", resume_at=until
    )
    assert pause_of(schedule, now=NOW) == words
    schedule.enabled = True
    assert pause_of(schedule, now=NOW) == ""


def test_the_command_pauses_and_resumes(capsys):
    schedule = a_schedule("Nightly")
    call_command("schedulerui", "pause", "Nightly", "--until", "2999-01-01T08:00", "--reason", "stocktaking")
    assert "Paused until 2999-01-01 08:00 by" in capsys.readouterr().out
    call_command("schedulerui", "resume", "Nightly")
    assert Schedule.objects.get(pk=schedule.pk).enabled


def test_each_policy_is_a_sentence():
    schedule = Schedule(
        misfire="all", catchup_max=7, catchup_window=3600, overlap="queue", queue_max=2, retry_max=3,
        auto_pause_after=5, delivery="at_most_once", max_duration=60, alert_grace=30,
    )  # fmt: skip
    text = " ".join(sentence.text for sentence in policies_of(schedule))
    for words in (
        "at most 7",
        "older than 1 h",
        "2 wait at most",
        "up to 3 times",
        "After 5 failures",
        "not sent again. Workers are told not to begin it, and the next run is held back for 30 s.",
    ):
        assert words in text
    assert [sentence.text for sentence in policies_of(Schedule(overlap="cancel_previous", cancel_grace=20))][
        1
    ] == (
        "If a run is still active, it is cancelled, and the new one starts when it is gone; it has 20 s to end."
    )


@pytest.mark.parametrize("form", [PolicyFields, RuleForm])
def test_each_policy_has_a_field_that_says_what_it_does(form):
    names = {*schedule_form.POLICIES, *schedule_form.WINDOW, "jitter"} & set(form.base_fields)
    assert names
    assert [name for name in names if not form.base_fields[name].help_text] == []


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("misfire", "latest", "all"), ("misfire", "latest", "none"), ("grace", 30, 60), ("catchup_window", None, 60),
        ("catchup_max", 100, 7), ("overlap", "allow", "skip"), ("overlap", "allow", "queue"),
        ("overlap", "allow", "cancel_previous"), ("queue_max", 1, 3), ("cancel_grace", 30, 60), ("retry_max", 0, 2),
        ("retry_after", 60, 90), ("auto_pause_after", None, 3), ("delivery", "at_least_once", "at_most_once"),
        ("max_duration", None, 60), ("alert_grace", None, 60),
    ],
)  # fmt: skip
def test_each_value_of_a_policy_changes_what_the_page_says(name, one, other):
    of_name: dict[str, dict[str, object]] = {
        "catchup_max": {"misfire": "all"}, "queue_max": {"overlap": "queue"},
        "cancel_grace": {"overlap": "cancel_previous"}, "retry_after": {"retry_max": 1},
    }  # fmt: skip
    beside = of_name.get(name, {})
    texts = [
        [each.text for each in policies_of(Schedule(**{**beside, name: value}))] for value in (one, other)
    ]
    assert texts[0] != texts[1]


def test_policies_that_do_not_exist_break_no_page():
    assert policies_of(Schedule(misfire="x", overlap="y", delivery="z"))


@pytest.mark.parametrize(("typed", "stored"), [("", ""), ("  b, a;a\n", " a b "), ("one", " one ")])
def test_tags_are_kept_between_single_spaces(typed, stored):
    assert policies.tags_of(typed) == stored


@pytest.mark.parametrize(
    ("pools", "is_refused"),
    [
        ([], False),
        (["threads"], True),
        (["celery.concurrency.prefork:TaskPool", "threads"], False),
        (["solo", "gevent"], True),
    ],
)
def test_cancelling_is_refused_where_no_worker_could_do_it(pools, is_refused):
    for number, pool in enumerate(pools):
        Worker.objects.create(
            instance=f"00000000-0000-4000-8000-00000000000{number}", hostname=f"w{number}", pid=1,
            started_at=NOW, seen_at=NOW, pool=pool,
        )  # fmt: skip
    problems = policies.problems_of(Schedule(overlap="cancel_previous"))
    assert ("overlap" in problems) == is_refused


def test_the_list_leads_to_the_page_that_pauses_and_that_back_to_the_list():
    schedule = a_schedule()
    operator = logged_in("view", "operate")
    assert 'href="/schedules/%pk/pause/"' in text_of(operator.get("/schedules/"))
    address = f"/schedules/{schedule.pk}/pause/"
    page = text_of(operator.get(address, headers={"Referer": "http://testserver/schedules/?on=on"}))
    assert '<input type="hidden" name="back" value="/schedules/?on=on">' in page
    response = operator.post(address, {"reason": "deploy", "back": "/schedules/?on=on"})
    assert (response.status_code, response["Location"]) == (303, f"/schedules/?on=on#schedule-{schedule.pk}")
    for foreign in ("http://evil.example/schedules/", "http://[::1", "javascript:alert(1)"):
        assert (
            'name="back"'
            not in text_of(operator.get(address, headers={"Referer": foreign}))
            .partition('class="dialog"')[2]
            .partition("</form>")[0]
        )
    assert "/pause/" not in text_of(logged_in("view").get("/schedules/"))
