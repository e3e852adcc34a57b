"""Each condition of a schedule in every place that shows one: what it is said to be, and nothing that says otherwise."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from schedulerui import clock
from schedulerui.facts import FAILING, Actor, RunState
from schedulerui.integrations.telling import badge_for, glance_for
from schedulerui.models import Alert, Beat, Schedule, ScheduleState
from schedulerui.operations import pauses, schedules
from schedulerui.presenters import remembered
from schedulerui.presenters.states import state_of
from tests.web.people import ANA, NOON, a_schedule, a_worker, logged_in, text_of
from tests.web.reading import element, fact, facts, piece, states_named, words_in

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
NO_NEXT = {"next_run_at": None, "next_nominal_at": None}
BROKEN = {"expression": "99 * * * *", "error": "minute 99: use 0-59", **NO_NEXT}
TIME = r"in \d+ (hours?|minutes?) .+"


def changed(now, *, enabled=True, last="", streak=0, **values):
    """A schedule whose row holds what no form lets in, switched at last."""
    schedule = a_schedule("The one")
    if not enabled:
        schedules.disable(schedule.pk, actor=ANA, now=now)
    Schedule.objects.filter(pk=schedule.pk).update(**values)
    if last:
        state = {"last_state": last, "failure_streak": streak, "last_run_at": now - timedelta(minutes=5)}
        ScheduleState.objects.filter(schedule=schedule).update(**state)
    return schedule


def paused(now, *, until=None, actor=ANA, **fields):
    schedule = changed(now, **fields)
    pauses.pause(schedule.pk, until=until, reason="maintenance", actor=actor, now=now)
    return schedule


def overslept(now):
    schedule = paused(now, until=now + timedelta(minutes=1))
    Schedule.objects.filter(pk=schedule.pk).update(resume_at=now - timedelta(hours=1))
    return schedule


def given_up(now):
    schedule = paused(now, actor=Actor.system(), last="failed", streak=3)
    message = "It has paused itself: 3 failures in a row. Somebody must resume it."
    told = {"key": f"schedule:{schedule.pk}", "kind": "schedule", "state": "failing", "message": message}
    Alert.objects.create(schedule=schedule, since=now - timedelta(hours=1), **told)
    return schedule


def late(now):
    schedule = changed(now, next_run_at=now - timedelta(hours=1))
    message = "Due and not sent."
    told = {"key": f"schedule:{schedule.pk}", "kind": "schedule", "state": "late", "message": message}
    Alert.objects.create(schedule=schedule, since=now - timedelta(hours=1), **told)
    return schedule


def skipped_next(now):
    schedule = changed(now)
    row = Schedule.objects.get(pk=schedule.pk)
    assert row.next_nominal_at is not None
    skip = {
        "nominal": row.next_nominal_at.isoformat(),
        "reason": "holiday",
        "actor": "ana",
        "at": now.isoformat(),
    }
    Schedule.objects.filter(pk=row.pk).update(skips=[skip])
    return schedule


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a schedule comes to be in it, and what is said of it; ``next`` is a pattern for what stands in place of its next run."""

    make: Callable[[datetime], Schedule]
    switch: str = "On"
    last: str = ""
    next: str = TIME
    attention: str = ""
    upcoming: str = "Next runs"
    in_row: frozenset[str] = frozenset()
    """What the list says of it by words of states beside its last run."""
    failing: str = "no"
    why_none: str = ""
    """What its lane says where it has no next run."""
    health: dict[str, int] = field(default_factory=dict)

    @property
    def has_next(self):
        return not self.why_none


PAUSED = "Paused by ana: maintenance"
IF_ON = "Next times, if it were on"
CONDITIONS = {
    "never ran": Condition(make=changed),
    "running": Condition(make=lambda now: changed(now, last="started"), last="started"),
    "retrying": Condition(make=lambda now: changed(now, last="retrying"), last="retrying"),
    "succeeding": Condition(make=lambda now: changed(now, last="succeeded"), last="succeeded"),
    "failing": Condition(
        make=lambda now: changed(now, last="failed", streak=2), last="failed", attention="failed",
        failing="failed 2 times in a row", health={"failing": 1},
    ),
    **{
        state: Condition(
            make=partial(changed, last=state), last=state, attention=state,
            failing="its last run went wrong", health={"failing": 1},
        )
        for state in ("lost", "rejected", "unsent", "expired")
    },
    "missed": Condition(make=lambda now: changed(now, last="missed"), last="missed", attention="missed"),
    "skipped": Condition(make=lambda now: changed(now, last="skipped"), last="skipped"),
    "revoked": Condition(make=lambda now: changed(now, last="revoked"), last="revoked"),
    "by hand": Condition(
        make=lambda now: a_schedule("The one", kind="manual", expression=""), next="By hand only", why_none="By hand only",
    ),
    "paused": Condition(
        make=paused, switch="Paused", next=PAUSED, upcoming=IF_ON, why_none="Paused", in_row=frozenset({"paused"}),
        health={"on": 0, "off": 1},
    ),
    "paused until": Condition(
        make=lambda now: paused(now, until=now + timedelta(days=30)), switch="Paused", upcoming=IF_ON, why_none="Paused",
        next=r"Paused until \d{4}-\d\d-\d\d \d\d:\d\d by ana: maintenance", in_row=frozenset({"paused"}),
        health={"on": 0, "off": 1},
    ),
    "overslept": Condition(
        make=overslept, switch="Paused", next="Paused until .+ by ana: maintenance", upcoming=IF_ON, why_none="Paused",
        attention="overslept", in_row=frozenset({"paused"}), health={"on": 0, "off": 1},
    ),
    "given up": Condition(
        make=given_up, switch="Paused", last="failed", next="Paused by schedulerui: maintenance", upcoming=IF_ON,
        why_none="Paused", attention="paused", in_row=frozenset({"paused"}), failing="failed 3 times in a row",
        health={"on": 0, "off": 1},
    ),
    "off": Condition(
        make=lambda now: changed(now, enabled=False), switch="Off", next="Off", upcoming=IF_ON, why_none="Off",
        health={"on": 0, "off": 1},
    ),
    "off and failed": Condition(
        make=lambda now: changed(now, enabled=False, last="failed", streak=1), switch="Off", next="Off", upcoming=IF_ON,
        why_none="Off", last="failed", failing="failed once", health={"on": 0, "off": 1},
    ),
    "broken rule": Condition(
        make=lambda now: changed(now, **BROKEN), next="Cannot run", why_none="Cannot run", attention="error",
        in_row=frozenset({"error"}), health={"in_error": 1},
    ),
    "broken and off": Condition(
        make=lambda now: changed(now, enabled=False, **BROKEN), switch="Off", next="Off", why_none="Off",
        in_row=frozenset({"error"}), health={"on": 0, "off": 1, "in_error": 1},
    ),
    "late": Condition(make=late, next="1 hour ago .+ not sent yet", attention="late", health={"overdue": 1}),
    "next one skipped": Condition(make=skipped_next, next=f"{TIME} will be skipped"),
    "no further run": Condition(
        make=lambda now: changed(now, **NO_NEXT), next="No further run", why_none="No further run"
    ),
    "unknown task": Condition(
        make=lambda now: a_schedule("The one", task="tests.nobody_knows"), attention="unknown"
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def owner():
    return logged_in(
        "view", "operate", "change", "add", "delete", "view_values", "view_audit", "view_metrics"
    )


@pytest.fixture
def now():
    moment = clock.now()
    Beat.objects.create(host="app-1", pid=1, started_at=moment, seen_at=moment)
    a_worker(seen_at=moment, tasks=["tests.add"], queues=["celery"])
    return moment


@pytest.fixture(params=list(CONDITIONS))
def case(request, now):
    """A condition and the key of the only schedule, which is in it."""
    condition = CONDITIONS[request.param]
    return condition, condition.make(now).pk


def row_of(text, pk):
    row = element(text, "tr", f"schedule-{pk}")
    return {name: words_in(piece(row, f'<td class="cell-{name}">', "</td>")) for name in ("switch", "when", "spark", "last", "next")}  # fmt: skip


def test_the_line_of_the_list_and_its_poll(owner, case):
    condition, pk = case
    said = row_of(text_of(owner.get("/schedules/")), pk)
    assert said == row_of(text_of(owner.get(f"/live/schedules/?have=schedule-{pk}:0")), pk)
    assert said["switch"] == condition.switch
    assert re.fullmatch(condition.next, said["next"]), said["next"]
    assert states_named(said["last"]) == {condition.last}
    assert ("5 minutes ago" in said["last"]) == bool(condition.last)
    others = " ".join(said[name] for name in ("switch", "when", "next"))
    assert states_named(others) == condition.in_row
    assert ("minute 99: use 0-59" in said["when"]) == ("error" in condition.in_row)
    assert all(said.values()), said


def test_its_page_and_the_poll_of_it(owner, case):
    condition, pk = case
    whole = text_of(owner.get(f"/schedules/{pk}/"))
    for text in (whole, text_of(owner.get(f"/live/schedules/{pk}/", headers=HTMX))):
        told = element(text, "section", "schedule-facts")
        assert all(facts(told)), facts(told)
        assert re.fullmatch(condition.next, fact(told, "Next run")), fact(told, "Next run")
        assert states_named(fact(told, "Last run")) == {condition.last}
        assert fact(told, "Failing") == condition.failing
        assert states_named(fact(told, "When")) == condition.in_row & {"error"}
        head = text[text.index('id="schedule-actions"') :]
        switch = element(head, "button", f"switch-{pk}")
        assert f'aria-checked="{str(condition.switch == "On").lower()}"' in switch
        assert switch.endswith(f">{condition.switch}</button>")
        coming = words_in(element(text, "section", "schedule-coming"))
        if "error" not in condition.in_row:
            assert coming.startswith(condition.upcoming), coming
        assert ("None: it runs only when" in coming) == (condition.next == "By hand only"), coming


def test_the_page_of_its_next_times(owner, case):
    condition, pk = case
    text = words_in(piece(text_of(owner.get(f"/schedules/{pk}/upcoming/")), "<main", "</main>"))
    if "error" in condition.in_row:
        assert "minute" in text
        assert "from now" not in text.lower()
    else:
        assert ("if it were on" in text) == (condition.switch != "On")


def test_the_overview_and_what_hosts_are_told(owner, case, now):
    condition, _pk = case
    for address, headers in (("/", {}), ("/live/overview/", HTMX)):
        text = text_of(owner.get(address, headers=headers))
        lines = re.findall(
            r'<li class="line">.*?</li>', element(text, "section", "overview-attention"), re.DOTALL
        )
        named = [states_named(words_in(piece(line, 'class="line__chip">', "</span>"))) for line in lines]
        assert named == ([{condition.attention}] if condition.attention else []), address
        for line in lines:
            assert "The one" in line
            assert "<time" in piece(line, 'class="line__end">', "</li>"), "since when"
            assert words_in(piece(line, 'class="sub">', "</span>")), "why"
        upcoming = element(text, "section", "overview-upcoming")
        assert ("The one" in upcoming) == condition.has_next
        assert ("not sent yet" in upcoming) == ("not sent yet" in condition.next)
        assert ("will be skipped" in upcoming) == ("will be skipped" in condition.next)
    glance = glance_for(User.objects.create_user("host")).glance
    assert glance is not None
    assert [row.chip.key for row in glance.rows] == ([condition.attention] if condition.attention else [])
    assert all(row.at is not None and row.at <= now for row in glance.rows)


def test_the_timeline(owner, case, now):
    condition, pk = case
    lane = words_in(piece(text_of(owner.get("/timeline/?q=The+one")), f' href="/schedules/{pk}/', "</li>"))
    assert lane.endswith(condition.why_none)
    for other in {"Paused", "Off", "Cannot run", "By hand only", "No further run"} - {condition.why_none}:
        assert other not in lane
    text = text_of(owner.get("/timeline/?span=month"))
    planned = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) planned", text))
    assert condition.has_next or not planned


def test_the_dialogs(owner, case):
    condition, pk = case
    dialog = owner.get(f"/schedules/{pk}/run/", headers=HTMX)
    if dialog.status_code == 200:
        said = words_in(text_of(dialog))
        assert ("The schedule is off: it runs this once anyway." in said) == (condition.switch != "On")
        assert ("No worker that is online knows this task." in said) == (condition.attention == "unknown")
    asked = text_of(owner.post("/schedules/bulk/", {"action": "delete", "id": [pk]}))
    assert "The one" in asked


def test_files_the_admin_and_samples(owner, case):
    condition, pk = case
    file = text_of(owner.post("/schedules/bulk/", {"action": "csv", "id": [pk]}))
    (line,) = csv.DictReader(io.StringIO(file))
    assert line["enabled"] == condition.switch.lower()
    assert line["last_state"] == (condition.last or "never")
    assert bool(line["last_run_at"]) == bool(condition.last)
    assert bool(line["next_run_at"]) == condition.has_next
    assert bool(line["error"]) == ("error" in condition.in_row)
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    admin = text_of(staff.get("/admin/schedulerui/schedule/"))
    last = re.search(r'<td class="field-last">([^<]*)</td>', admin)
    assert last is not None
    assert last[1] == state_of(condition.last).word
    shown = re.search(r'<td class="field-next[^"]*">(.*?)</td>', admin)
    assert shown is not None
    assert condition.has_next or re.fullmatch(condition.next, words_in(shown[1])), shown[1]
    answer = owner.get("/health.json").json()["schedules"]
    expected = {"total": 1, "on": 1, "off": 0, "in_error": 0, "failing": 0, "overdue": 0}
    assert answer == {**expected, **condition.health}
    assert f"schedulerui_schedules_planned {float(condition.has_next)}" in text_of(owner.get("/metrics"))


def test_the_list_in_a_terminal(case):
    condition, _pk = case
    shown, told = io.StringIO(), io.StringIO()
    call_command("schedulerui", "list", stdout=shown)
    call_command("schedulerui", "list", "--json", stdout=told)
    _head, line = shown.getvalue().splitlines()
    assert line.endswith(f"  {condition.last or 'never'}")
    assert ("ERROR minute 99" in line) == ("error" in condition.in_row)
    (row,) = json.loads(told.getvalue())
    assert bool(row["next_run_at"]) == condition.has_next
    assert condition.has_next or re.search(condition.next, line)
    assert bool(row["why_no_next"]) != condition.has_next


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_everybody_counts_the_same_schedules_as_failing(owner, now, enabled):
    for state in RunState:
        schedule = a_schedule(f"Last {state}")
        if not enabled:
            schedules.disable(schedule.pk, actor=ANA, now=now)
        row = {"last_state": str(state), "failure_streak": int(state in FAILING), "last_run_at": now}
        ScheduleState.objects.filter(schedule=schedule).update(**row)
    n = len(FAILING) if enabled else 0
    text = text_of(owner.get("/"))
    assert f"Failing now {n} " in words_in(element(text, "section", "overview-tiles"))
    assert ("failing" in piece(text, 'class="rail__wide"', "</nav>")) == bool(n)
    assert f"{n} failing" in text or not n
    found = text_of(owner.get("/schedules/?state=failing&on=on"))
    assert len(re.findall(r'<tr id="schedule-', found)) == n
    chips = element(text, "section", "overview-attention")
    shown = [key for key in FAILING if f">{state_of(key).word}</span>" in re.sub(r"<svg.*?</svg>", "", chips)]
    assert shown == (list(FAILING) if enabled else [])
    host = User.objects.create_user("host")
    assert badge_for(host) == (str(n) if n else "")
    glance = glance_for(host).glance
    assert glance is not None
    assert any(f"{n} schedules fail" == count.words for count in glance.counts) == bool(n)
    assert owner.get("/health.json").json()["schedules"]["failing"] == n


def test_ages_of_what_needs_attention_are_those_of_the_rows(now, case):
    glance = glance_for(User.objects.create_user("host")).glance
    assert glance is not None
    since = {
        "error": Schedule.objects.get().updated_at, "overslept": now - timedelta(hours=1), "late": now - timedelta(hours=1),
        "paused": now - timedelta(hours=1),
    }  # fmt: skip
    for row in glance.rows:
        assert row.at == since.get(row.chip.key, row.at)


def test_a_task_is_unknown_since_a_worker_that_knew_it_was_last_heard_of(now):
    schedule = a_schedule("The one", task="tests.gone")
    Schedule.objects.filter(pk=schedule.pk).update(updated_at=now - timedelta(days=90))

    def since():
        glance = glance_for(User.objects.create_user(f"host-{User.objects.count()}")).glance
        assert glance is not None
        return next(row.at for row in glance.rows if row.chip.key == "unknown")

    a_worker("celery@two", seen_at=now, started_at=now - timedelta(days=2), tasks=["tests.add"])
    began = since()
    assert began <= now - timedelta(days=2), "the oldest worker that is online does not know it"
    a_worker("celery@old", seen_at=now - timedelta(hours=3), died_at=now, tasks=["tests.gone"])
    a_worker("celery@older", seen_at=now - timedelta(hours=9), died_at=now, tasks=["tests.gone"])
    remembered.forget()
    assert since() == now - timedelta(hours=3)
    Schedule.objects.filter(pk=schedule.pk).update(updated_at=now - timedelta(minutes=1))
    remembered.forget()
    assert since() == now - timedelta(minutes=1), "it was told to send this task only then"
