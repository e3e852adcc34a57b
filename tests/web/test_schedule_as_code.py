from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest

from schedulerui.beat.entries import fields_of
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.operations.audit import snapshot
from tests.celery_app import app
from tests.hostile import storable
from tests.web.people import (
    ANA,
    NOON,
    OF_THE_PERSON,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db
RULES = [
    {"kind": "crontab", "expression": "*/5 2 1,15 * mon-fri", "tz": "Europe/Berlin"},
    {"kind": "crontab", "expression": "0 9 13 * fri", "semantics": "vixie-or"},
    {"kind": "interval", "expression": "", "every": 90, "period": "minutes"},
    {"kind": "clocked", "expression": "", "clocked_at_local": "2026-12-31T23:30:00", "tz": "Asia/Tokyo"},
    {"kind": "solar", "expression": "", "solar_event": "sunset", "latitude": Decimal("38.7"), "longitude": Decimal("-9.1")},
    {"kind": "manual", "expression": ""},
]  # fmt: skip
MORE = {
    "args": [1, "two"], "kwargs": {"bank": "north"}, "queue": "mail", "priority": 3, "expires_after": 60, "description": "long " * 60,
    "tags": "billing mail", "start_at": datetime(2026, 5, 1, tzinfo=UTC), "jitter": 60, "overlap": "skip", "retry_max": 2,
}  # fmt: skip


@pytest.fixture
def insider():
    return logged_in("view", "view_values")


def code_in(response):
    """The pieces of code on the page by their ids."""
    found = re.findall(r'<code id="block-(\w+)">(.*?)</code>', text_of(response), re.DOTALL)
    return {key: unescape(text) for key, text in found}


def page_of(client, schedule):
    return client.get(f"/schedules/{schedule.pk}/code/")


def run(code, **names):
    exec(compile(code, "<shown>", "exec"), names)
    return names


def test_it_asks_for_login_and_permission():
    check_gate(f"/schedules/{a_schedule().pk}/code/", verb="view")


def test_it_refuses_other_methods():
    check_methods(f"/schedules/{a_schedule().pk}/code/", "POST", "PUT", "DELETE")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['kind']} {rule.get('semantics', '')}")
@pytest.mark.parametrize("more", [{}, MORE], ids=["plain", "with all"])
def test_the_call_makes_a_schedule_with_the_same_values(insider, rule, more):
    schedule = a_schedule(**rule, **more)
    before = snapshot(Schedule.objects.get(pk=schedule.pk))
    code = code_in(page_of(insider, schedule))["call"]
    schedules.delete(schedule.pk, actor=ANA, now=NOON)
    run(code)
    assert snapshot(Schedule.objects.get(name="Nightly")) == before


@pytest.mark.parametrize("text", storable()[::25])
def test_the_call_keeps_hostile_text(insider, text):
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(description=text, kwargs={"k": text})
    shown = page_of(insider, schedule)
    given = {}
    code = code_in(shown)["call"].partition("schedules.create")[2]
    run(f"keep{code}", keep=lambda values, **_: given.update(values), Actor=dict, clock=NowAt())
    assert (given["description"], given["kwargs"]) == (text, {"k": text})


class NowAt:
    def now(self):
        return NOON


@pytest.mark.parametrize("rule", [RULES[0], RULES[2], RULES[4]], ids=lambda rule: rule["kind"])
def test_the_entry_is_read_back_by_beat_as_the_same_times(insider, rule):
    schedule = a_schedule(**rule, args=[1], kwargs={"bank": "north"}, queue="mail", expires_after=60)
    code = code_in(page_of(insider, schedule))["entry"]
    conf = type("Conf", (), {})()
    run(code, app=type("App", (), {"conf": conf})())
    fields = fields_of("Nightly", conf.beat_schedule["Nightly"], app=app)
    for name in ("kind", "every", "period", "solar_event", "args", "kwargs", "queue", "expires_after"):
        assert fields.get(name, None if name == "every" else "") == getattr(schedule, name), name
    if rule["kind"] == "crontab":
        assert fields["expression"] == schedule.expression


@pytest.mark.parametrize("rule", [RULES[1], RULES[3], RULES[5]], ids=lambda rule: rule["kind"])
def test_it_says_so_where_celery_has_no_word_for_the_times(insider, rule):
    response = page_of(insider, a_schedule(**rule))
    assert code_in(response)["entry" if "entry" in code_in(response) else "call"].startswith(
        "from schedulerui"
    )
    assert "has no word for times like these" in text_of(response)


def test_values_are_left_out_for_those_who_may_not_see_them_and_secrets_for_everybody(insider):
    schedule = a_schedule(kwargs={"bank": "north", "password": "hunter2"}, args=["visible"])
    seen, hidden = text_of(page_of(insider, schedule)), text_of(page_of(logged_in("view"), schedule))
    assert "north" in seen
    assert "hunter2" not in seen + hidden
    assert "north" not in hidden
    assert "visible" not in hidden
    assert "left out" in hidden


def test_a_broken_rule_has_a_call_and_no_entry(insider):
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(expression="99 * * * *")
    assert list(code_in(page_of(insider, schedule))) == ["call"]


def test_it_asks_for_the_schedule_and_for_nothing_else(django_assert_num_queries, insider):
    schedule = a_schedule()
    with django_assert_num_queries(2 + OF_THE_PERSON):
        page_of(insider, schedule)
