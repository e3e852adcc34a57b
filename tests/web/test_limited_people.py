"""People who may know of some schedules only, at every place that shows, counts or changes several at once."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from schedulerui import clock
from schedulerui.models import (
    Alert,
    Beat,
    Change,
    Finding,
    Notification,
    Run,
    SavedView,
    Schedule,
    ScheduleState,
    Silence,
    Worker,
)
from tests.web.people import a_run, a_schedule, a_worker, logged_in, text_of

pytestmark = pytest.mark.django_db
HIDDEN = "Nobody may know of this"


def only_mine(user, schedules):
    return schedules.filter(owner="ana")


def all_of_them(user, schedules):
    return schedules


def not_b(user, verb, obj):
    return not (isinstance(obj, Schedule) and verb == "operate" and obj.name == "B")


@pytest.fixture
def host(settings):
    def decides(**options):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, **options}

    return decides


@pytest.fixture
def limited(host, monkeypatch):
    """One schedule that may be known and one that may not, each with a run an hour ago. It is noon, far from another day."""
    host(ACCESS_FILTER=f"{__name__}.only_mine")
    now = clock.now().replace(hour=12)
    monkeypatch.setattr(clock, "now", lambda: now)
    found = {}
    for name, owner, task in (("Shown", "ana", "tests.add"), (HIDDEN, "bob", "hidden.task")):
        schedule = a_schedule(
            name, owner=owner, task=task, queue=f"q-{owner}", tags=f" t-{owner} ", expression="* * * * *"
        )
        run = a_run(schedule, task=task, due_at=now - timedelta(hours=1))
        found[owner] = (schedule, run)
    return found


def staff(*codenames):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk(db):
    return staff("view_schedule", "view_change", "operate_schedule")


@pytest.mark.parametrize("page", ["schedule", "run", "change"])
def test_the_admin_lists_what_they_may_know_of(limited, clerk, page):
    listed = text_of(clerk.get(f"/admin/schedulerui/{page}/"))
    assert "Shown" in listed
    assert HIDDEN not in listed
    assert HIDDEN not in text_of(clerk.get(f"/admin/schedulerui/{page}/?q=nobody"))


def test_the_admin_has_no_page_of_what_they_may_not_know_of(limited, clerk):
    schedule, run = limited["bob"]
    change = Change.objects.get(schedule=schedule)
    for page, row in (("schedule", schedule), ("run", run), ("change", change)):
        for view in ("change", "history"):
            response = clerk.get(f"/admin/schedulerui/{page}/{row.pk}/{view}/", follow=True)
            assert HIDDEN not in text_of(response)


def act(client, action, *chosen):
    given = {"action": action, "_selected_action": [schedule.pk for schedule in chosen]}
    return client.post("/admin/schedulerui/schedule/", given, follow=True)


@pytest.mark.parametrize("action", ["disable", "run_now"])
def test_the_admins_actions_leave_what_they_may_not_know_of(limited, clerk, action):
    before = Run.objects.count()
    act(clerk, action, limited["bob"][0])
    assert Schedule.objects.filter(enabled=True).count() == 2
    assert Run.objects.count() == before


def test_the_admins_actions_ask_about_each_schedule(host, clerk):
    host(ACCESS=f"{__name__}.not_b")
    first, second = a_schedule("A"), a_schedule("B")
    page = text_of(act(clerk, "disable", first, second))
    assert "1 schedule was left as it is" in page
    assert list(Schedule.objects.filter(enabled=False).values_list("name", flat=True)) == ["A"]


@pytest.mark.parametrize("span", ["24h", "7d", "month"])
def test_the_timeline_counts_what_they_may_know_of(limited, span):
    client = logged_in("view")
    load = client.get("/timeline/", {"span": span}).context["load"]
    ran = sum(stretch.ran for stretch in load.stretches)
    planned = sum(stretch.planned for stretch in load.stretches)
    assert ran == 1
    assert load.n_rules == 1
    assert 0 < planned <= 31 * 24 * 60 + 1


def test_their_lanes_are_of_what_they_may_know_of(limited):
    lanes = logged_in("view").get("/timeline/").context["lanes"]
    assert [lane.name for lane in lanes] == ["Shown"]


def test_totals_over_all_schedules_are_not_for_them(limited):
    client = logged_in("view", "operate")
    assert client.get("/metrics").status_code == 403
    assert client.get("/health.json").status_code == 403


@pytest.mark.parametrize("form", ["csv", "json"])
def test_they_export_what_they_may_know_of(limited, form):
    ids = [schedule.pk for schedule, _run in limited.values()]
    body = text_of(logged_in("view").post("/schedules/bulk/", {"action": form, "id": ids}))
    rows = list(csv.DictReader(io.StringIO(body))) if form == "csv" else json.loads(body)
    assert [row["name"] for row in rows] == ["Shown"]


@pytest.mark.parametrize("query", ["", "q=nobody", "owner=bob", "queue=q-bob"])
def test_all_matching_are_those_they_may_know_of(limited, query):
    given = {"action": "disable", "all": "1", "query": query, "seen": 1 if not query else 0, "sure": "1"}
    logged_in("view", "operate").post("/schedules/bulk/", given)
    assert Schedule.objects.get(name=HIDDEN).enabled


@pytest.mark.parametrize(
    ("typed", "hidden"),
    [("task:", "hidden.task"), ("queue:", "q-bob"), ("tag:", "t-bob"), ("owner:", "bob")],
)
def test_completion_knows_the_values_of_what_they_may_know_of(limited, typed, hidden):
    page = text_of(logged_in("view").get("/complete/", {"q": typed, "of": "schedules"}))
    assert "role=" in page
    assert hidden not in page


def test_completion_of_runs_names_the_schedules_they_may_know_of(limited):
    page = text_of(logged_in("view").get("/complete/", {"q": "schedule:", "of": "runs"}))
    assert "Shown" in page
    assert HIDDEN not in page


def test_a_saved_view_shows_what_they_may_know_of_and_is_nobody_elses(limited):
    client = logged_in("view")
    client.post("/views/save/", {"page": "schedules", "name": "All", "query": "on=on"})
    view = SavedView.objects.get()
    page = text_of(client.get(f"/schedules/?{view.query}"))
    assert "Shown" in page
    assert HIDDEN not in page
    other = logged_in("view")
    assert "All</a>" not in text_of(other.get("/schedules/"))
    assert other.post(f"/views/{view.pk}/delete/").status_code == 404


def test_the_page_about_workers_names_the_missing_tasks_of_what_they_may_know_of(limited):
    now = clock.now()
    a_worker(tasks=["something.else"], seen_at=now, started_at=now)
    page = text_of(logged_in("view").get("/workers/"))
    assert "tests.add" in page
    assert "hidden.task" not in page


def test_lists_and_their_counts_leave_out_the_rest(limited):
    Alert.objects.create(
        key=f"schedule:{limited['bob'][0].pk}", kind="schedule", schedule=limited["bob"][0], state="failing",
        since=clock.now(), message=HIDDEN,
    )  # fmt: skip
    client = logged_in("view", "view_audit")
    assert client.get("/schedules/").context["count"] == 1
    assert client.get("/runs/").context["count"] == 1
    for address in ("/", "/runs/", "/alerts/", "/audit/", f"/runs/?schedule={limited['bob'][0].pk}"):
        assert HIDDEN not in text_of(client.get(address))


def a_finding(schedule, run):
    examples = [
        {"name": schedule.name, "detail": "due", "schedule": schedule.pk},
        {"name": run.schedule_name, "detail": "sent", "run": str(run.uuid)},
    ]
    return Finding.objects.create(kind="overdue", n=7, examples=examples, checked_at=clock.now())


@pytest.mark.parametrize("address", ["/", "/live/overview/"])
def test_dispatch_problems_of_all_schedules_are_not_told_to_them(limited, address):
    a_finding(*limited["bob"])
    page = text_of(logged_in("view").get(address, {"have": "findings:x,tiles:x", "since": "x"}))
    assert HIDDEN not in page
    assert "due for longer" not in page
    assert "Dispatch problems</span>" not in page


def test_who_may_know_of_all_sees_dispatch_problems(host):
    schedule = a_schedule("Shown")
    a_finding(schedule, a_run(schedule))
    page = text_of(logged_in("view").get("/"))
    assert "7 schedules are due for longer" in page
    assert "Dispatch problems</span>" in page


def sent_late(schedule, *, seconds):
    due_at = clock.now() - timedelta(minutes=1)
    a_run(schedule, due_at=due_at, sent_at=due_at + timedelta(seconds=seconds))


def test_the_dispatch_delay_is_that_of_runs_they_may_know_of(limited):
    Beat.objects.create(host="app-1", pid=1, started_at=clock.now(), seen_at=clock.now())
    sent_late(limited["bob"][0], seconds=90)
    client = logged_in("view")
    assert client.get("/").context["parts"]["tiles"].context["section"].delay.n == 0
    sent_late(limited["ana"][0], seconds=2)
    delay = client.get("/").context["parts"]["tiles"].context["section"].delay
    assert (delay.p99, delay.n) == (2, 1)


@pytest.fixture
def channels_told(host, limited):
    """A channel that took a message about the one schedule, and then none about the other."""
    host(ALERTS=[{"type": "webhook", "name": "chat", "url": "http://127.0.0.1:1/"}])
    now = clock.now()
    for n, (owner, state) in enumerate((("ana", "sent"), ("bob", "waiting"))):
        schedule = limited[owner][0]
        alert = Alert.objects.create(
            key=f"schedule:{schedule.pk}", kind="schedule", schedule=schedule, state="ok", since=now
        )
        at = now - timedelta(minutes=9 - n)
        Notification.objects.create(
            key=owner, channel="chat", event="failing", alert=alert, state=state, next_try_at=now, created_at=at,
            payload={"alerts": [{"subject": schedule.name}]}, sent_at=at if state == "sent" else None,
            error=f"no {HIDDEN}" if state == "waiting" else "",
        )  # fmt: skip


def test_a_channel_says_what_became_of_messages_they_may_know_of(channels_told):
    page = text_of(logged_in("view").get("/alerts/"))
    assert "Takes messages" in page
    assert "1 message waits" not in page
    assert HIDDEN not in page
    assert "that your account sees" in page


def test_who_may_know_of_all_sees_why_a_channel_took_a_message_about_another(channels_told, host):
    host(ACCESS_FILTER=f"{__name__}.all_of_them")
    page = text_of(logged_in("view").get("/alerts/"))
    assert f"no {HIDDEN}" in page
    assert "1 message waits" in page
    assert "that your account sees" not in page


def test_a_test_of_the_channels_tells_them_what_became_of_it(channels_told):
    client = logged_in("view", "operate")
    page = text_of(client.post("/alerts/try/", follow=True))
    assert "A message to try the channel" in page
    assert "1 message waits" in page


@pytest.mark.parametrize("address", ["/schedules/new/", "/schedules/{pk}/edit/"])
def test_the_form_offers_no_task_of_what_they_may_not_know_of(limited, address):
    page = text_of(logged_in("view", "add", "change").get(address.format(pk=limited["ana"][0].pk)))
    assert "tests.add" in page
    assert "hidden.task" not in page


def test_they_cannot_silence_what_they_may_not_know_of(limited):
    client = logged_in("view", "operate")
    given = {"span": "3600", "reason": "deploy"}
    response = client.post("/alerts/silence/", given)
    assert response.status_code == 422
    assert "choose one by" in text_of(response)
    assert not Silence.objects.exists()
    assert client.post("/alerts/silence/", given | {"schedule": limited["bob"][0].pk}).status_code == 404
    assert client.post("/alerts/silence/", given | {"schedule": limited["ana"][0].pk}).status_code == 303
    assert list(Silence.objects.values_list("schedule__name", flat=True)) == ["Shown"]


@pytest.fixture
def everywhere(limited):
    """The hidden schedule in every table that may name it, beside the one that may be known."""
    now, worker = clock.now(), a_worker(tasks=["tests.add"])
    Worker.objects.update(seen_at=now, started_at=now)
    for schedule, _run in limited.values():
        for n, state in enumerate(("failed", "started", "received", "sent", "pending", "lost")):
            a_run(
                schedule, state=state, due_at=now - timedelta(minutes=n), task=schedule.task, task_id=f"{schedule.pk}-{n}",
                worker="celery@one", worker_instance=worker.instance, reason=schedule.name,
            )  # fmt: skip
        alert = Alert.objects.create(
            key=f"schedule:{schedule.pk}", kind="schedule", schedule=schedule, state="failing", since=now, message=schedule.name
        )  # fmt: skip
        told = {"alerts": [{"subject": schedule.name, "message": schedule.name}]}
        common = {"channel": "x", "payload": told, "next_try_at": now, "created_at": now}
        Notification.objects.create(key=f"one {schedule.pk}", event="failing", alert=alert, **common)
        Notification.objects.create(key=f"of {schedule.pk}", event="several", **common)
        Silence.objects.create(
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            schedule=schedule,
            created_at=now,
            reason=schedule.name,
        )
    Alert.objects.create(key=f"queue:{HIDDEN}", kind="queue", state="down", since=now, message=HIDDEN)
    ScheduleState.objects.update(last_state="failed", failure_streak=3, last_run_at=now)
    a_finding(*limited["bob"])
    return limited["ana"], worker


OF_WHICH_ONE_ASKS = ("task:", "queue:", "tag:", "owner:", "schedule:", "of:", "by:", "actor:")


def places(schedule, run, worker):
    page = f"/schedules/{schedule.pk}/"
    yield from (
        "/",
        "/schedules/",
        "/runs/",
        "/workers/",
        "/audit/",
        "/audit/?as=csv",
        "/alerts/",
        "/about/",
        "/live/health/",
    )
    yield from (f"/timeline/?span={span}" for span in ("24h", "7d", "month"))
    yield from (
        page,
        f"{page}edit/",
        f"{page}changes/",
        f"{page}upcoming/",
        f"{page}code/",
        f"{page}run/",
        "/schedules/new/",
    )
    yield from (
        f"/runs/{run.uuid}/",
        f"/runs/{run.uuid}/again/",
        f"/workers/{worker.instance}/",
        f"/alerts/?schedule={schedule.pk}",
    )
    yield "/preview/hints/?kind=crontab&expression=*+*+*+*+*&tz=UTC&task=tests.add"
    yield from (
        f"/complete/?of={of}&q={asked}" for of in ("schedules", "runs") for asked in OF_WHICH_ONE_ASKS
    )
    yield from (f"/admin/schedulerui/{table}/" for table in ("schedule", "run", "change", "worker"))


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
def test_nothing_that_stands_anywhere_names_what_they_may_not_know_of(everywhere, headers):
    (schedule, run), worker = everywhere
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    n_shown = 0
    for place in places(schedule, run, worker):
        response = client.get(place, headers=headers)
        body = text_of(response)
        assert response.status_code == 200, place
        assert HIDDEN not in body, place
        assert "hidden.task" not in body, place
        assert not re.search(r"\bbob\b", body), place
        n_shown += "Shown" in body
    assert n_shown > 15, "the other one is nowhere, so nothing was tried"


@pytest.mark.parametrize(
    "place", ["/", "/schedules/", "/runs/", "/audit/", "/alerts/", "/timeline/", "/schedules/new/"]
)
def test_who_may_know_of_all_finds_it_there(everywhere, host, place):
    host(ACCESS_FILTER="")
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    body = text_of(client.get(place))
    assert HIDDEN in body or "hidden.task" in body
