"""Django's admin over our rows: all pages show, none changes a row but through an operation."""

from __future__ import annotations

import uuid

import pytest
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import path, resolve

from schedulerui import clock, dispatch
from schedulerui.facts import Actor
from schedulerui.models import Beat, Change, Run, Schedule, Worker
from schedulerui.operations import admin_history, runs, schedules
from schedulerui.testing import recording

pytestmark = pytest.mark.django_db

SECRET = "only-for-those-who-may-see-values"
PAGES = ("schedule", "run", "change", "worker", "beat")
urlpatterns = [path("admin/", admin.site.urls)]
"""The addresses of a host that has the admin and none of the dashboard's pages."""


@pytest.fixture
def now():
    return clock.now()


@pytest.fixture
def nightly(now):
    fields = {
        "name": "Nightly", "task": "tests.add", "kind": "interval", "every": 5, "period": "minutes",
        "kwargs": {"note": SECRET},
        "canvas": {"type": "chain", "steps": [{"type": "task", "task": "tests.add", "args": [SECRET]}]},
    }  # fmt: skip
    return schedules.create(fields, actor=Actor(name="ana"), now=now)


@pytest.fixture
def rows(nightly, now):
    """One row of each kind, by the name of its page."""
    run = Run.objects.create(
        key="m:1", task="tests.add", schedule=nightly, schedule_name="Nightly", due_at=now, created_at=now,
        state="failed", kwargs={"note": SECRET}, result=SECRET, exception=SECRET, traceback=SECRET,
        canvas=nightly.canvas, log=SECRET,
    )  # fmt: skip
    worker = Worker.objects.create(
        instance=uuid.uuid4(), hostname="celery@h", pid=1, started_at=now, seen_at=now
    )
    beat = Beat.objects.create(host="h", pid=2, started_at=now, seen_at=now)
    return {
        "schedule": nightly, "run": run, "change": Change.objects.get(), "worker": worker, "beat": beat,
    }  # fmt: skip


@pytest.fixture
def log_in(db):
    def staff_who_may(*verbs):
        user = User.objects.create_user("-".join(verbs) or "nobody", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=verbs))
        client = Client()
        client.force_login(user)
        return client

    return staff_who_may


@pytest.fixture
def operator(log_in):
    return log_in("view_schedule", "view_change", "operate_schedule")


def act(client, action, *chosen, **extra):
    data = {"action": action, "_selected_action": [schedule.pk for schedule in chosen]}
    return client.post("/admin/schedulerui/schedule/", data, follow=True, **extra)


def text_of_messages(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("page", PAGES)
def test_it_shows_list_and_row_without_values(operator, rows, page):
    listed = operator.get(f"/admin/schedulerui/{page}/")
    shown = operator.get(f"/admin/schedulerui/{page}/{rows[page].pk}/change/")

    for response in (listed, shown):
        assert response.status_code == 200
        assert SECRET not in response.content.decode()
    assert "Save" not in shown.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_it_finds_filters_and_searches_on_each_list(operator, rows, page):
    assert operator.get(f"/admin/schedulerui/{page}/?q=nightly").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_it_refuses_to_change_or_delete_a_row_even_to_a_superuser(admin_client, rows, page):
    address = f"/admin/schedulerui/{page}/{rows[page].pk}"

    assert admin_client.post(f"{address}/change/", {"name": "x"}).status_code == 403
    assert admin_client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert type(rows[page]).objects.filter(pk=rows[page].pk).exists()


@pytest.mark.parametrize("page", PAGES)
def test_it_offers_no_mass_deletion(admin_client, rows, page):
    response = admin_client.get(f"/admin/schedulerui/{page}/")

    assert "delete_selected" not in response.content.decode()


@pytest.mark.parametrize("page", ["run", "change", "worker", "beat"])
def test_it_refuses_to_add_what_only_processes_write(admin_client, page):
    assert admin_client.get(f"/admin/schedulerui/{page}/add/").status_code == 403


def test_it_leads_to_the_dashboards_forms_for_adding_and_editing(admin_client, nightly):
    added = admin_client.get("/admin/schedulerui/schedule/add/")
    shown = admin_client.get(f"/admin/schedulerui/schedule/{nightly.pk}/change/")

    assert (added.status_code, added["Location"]) == (302, "/schedules/new/")
    assert f'href="/schedules/{nightly.pk}/edit/"' in shown.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_it_refuses_staff_without_our_permission(log_in, rows, page):
    stranger = log_in()

    assert stranger.get(f"/admin/schedulerui/{page}/").status_code == 403
    assert "schedulerui" not in stranger.get("/admin/").content.decode()


def test_it_refuses_the_audit_log_to_readers_of_schedules(log_in, rows):
    reader = log_in("view_schedule")

    assert reader.get("/admin/schedulerui/change/").status_code == 403
    assert reader.get("/admin/schedulerui/run/").status_code == 200


def test_it_offers_no_action_to_those_who_may_only_look(log_in, nightly):
    reader = log_in("view_schedule")

    response = act(reader, "disable", nightly)

    assert "Switch off the selected schedules" not in response.content.decode()
    assert Schedule.objects.get().enabled


def test_it_disables_and_enables_through_operations(operator, nightly, now):
    fields = {"name": "Off", "task": "t", "kind": "manual", "enabled": False}
    off = schedules.create(fields, actor=Actor(name="ana"), now=now)

    first = act(operator, "disable", nightly, off, REMOTE_ADDR="192.0.2.7")
    second = act(operator, "enable", nightly, off)

    assert text_of_messages(first) == ["1 schedule was switched off."]
    assert text_of_messages(second) == ["2 schedules were switched on."]
    change = Change.objects.get(action="disable")
    assert (change.via, change.actor, change.address) == (
        "admin", "view_schedule-view_change-operate_schedule", "192.0.2.7",
    )  # fmt: skip
    assert change.user is not None
    assert Change.objects.filter(action="enable", via="admin").count() == 2


@pytest.mark.django_db(transaction=True)
def test_it_runs_now_through_the_operation(operator, nightly):
    with recording() as outbox:
        response = act(operator, "run_now", nightly)

    run = Run.objects.get()
    assert outbox.task_ids == [run.task_id]
    assert (run.trigger, run.state) == ("manual", "sent")
    assert text_of_messages(response) == ["Nightly was sent."]
    assert Change.objects.filter(action="run_now", via="admin").count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_says_so_when_the_broker_is_down(operator, nightly):
    with recording() as outbox:
        outbox.broken = dispatch.BrokerUnavailable("refused")
        response = act(operator, "run_now", nightly)

    assert text_of_messages(response) == ["Nightly was not sent at once: refused"]
    assert Run.objects.get().state == "pending"


def test_it_commits_a_run_before_it_is_published_in_hosts_with_atomic_requests():
    view = resolve("/admin/schedulerui/schedule/").func

    assert "default" in vars(view)["_non_atomic_requests"]


def test_it_asks_as_many_queries_for_many_schedules_as_for_one(
    operator, nightly, now, django_assert_max_num_queries
):
    for n in range(20):
        fields = {"name": f"s{n}", "task": "t", "kind": "interval", "every": n + 1, "period": "hours"}
        schedules.create(fields, actor=Actor(name="ana"), now=now)

    # session, user, permissions of user and of groups, count of the page, rows, choices of one filter; for the line about how the
    # schedules stand three in a savepoint, since this test is a transaction
    with django_assert_max_num_queries(7 + 3 + 2):
        operator.get("/admin/schedulerui/schedule/")


def test_it_shows_a_schedule_whose_rule_is_broken(operator, nightly):
    Schedule.objects.update(kind="crontab", expression="61 * * * *")

    assert operator.get("/admin/schedulerui/schedule/").status_code == 200


def test_the_admin_s_history_tells_what_people_did_in_the_dashboard_and_no_value(log_in, nightly, now):
    user = User.objects.create_user("olga")
    olga = Actor(name="olga", user_id=user.pk, via="browser")
    schedules.edit(nightly.pk, {"queue": SECRET, "every": 7}, version=1, actor=olga, now=now)
    schedules.disable(nightly.pk, actor=olga, now=now)
    with recording():
        runs.run_now(nightly.pk, token="t", actor=olga, now=now)
    new = schedules.create({"name": "New", "task": "t", "kind": "manual"}, actor=olga, now=now)
    schedules.delete(new.pk, actor=olga, now=now)
    told = LogEntry.objects.order_by("pk")
    assert [entry.action_flag for entry in told] == [CHANGE, CHANGE, CHANGE, ADDITION, DELETION]
    assert [entry.get_change_message() for entry in told[:2]] == [
        "Changed every and queue.",
        "Changed enabled.",
    ]
    assert "run_now: run " in told[2].get_change_message()
    assert {entry.user_id for entry in told} == {user.pk}
    page = log_in("view_schedule").get(f"/admin/schedulerui/schedule/{nightly.pk}/history/").content.decode()
    assert "Changed every and queue." in page
    assert SECRET not in page


def test_what_beat_or_code_does_leaves_no_line_in_the_admin(nightly, now):
    schedules.disable(nightly.pk, actor=Actor(name="beat", via="code"), now=now)
    assert not LogEntry.objects.exists()


def test_a_host_without_the_admin_has_its_audit_log_alone(nightly, now, settings, monkeypatch):
    user = User.objects.create_user("olga")
    monkeypatch.setattr(admin_history, "ADMIN", "no.admin.here")
    schedules.disable(nightly.pk, actor=Actor(name="olga", user_id=user.pk), now=now)
    assert not LogEntry.objects.exists()
    assert Change.objects.filter(action="disable").exists()


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("schedule", "/schedules/"),
        ("run", "/runs/"),
        ("change", "/audit/"),
        ("worker", "/workers/"),
        ("beat", "/workers/"),
    ],
)
def test_each_list_says_how_the_schedules_stand_and_leads_to_the_dashboards(operator, rows, page, address):
    said = operator.get(f"/admin/schedulerui/{page}/").content.decode()
    assert f'<a href="{address}">Open this list in the dashboard</a>' in said
    assert 'class="schedulerui-status schedulerui-status--ok"' in said
    assert "1 beat ticking" in said


@pytest.mark.parametrize("page", PAGES)
def test_each_list_can_be_seen_in_a_host_without_the_dashboards_pages(operator, rows, page, settings):
    settings.ROOT_URLCONF = __name__
    answer = operator.get(f"/admin/schedulerui/{page}/")
    assert answer.status_code == 200
    assert "Open this list in the dashboard" not in answer.content.decode()


def no_nightly(_user, verb, obj):
    return not (verb == "view" and getattr(obj, "name", "") == "Nightly")


@pytest.mark.parametrize("page", ["schedule", "run"])
def test_the_host_is_asked_about_the_schedule_of_a_row(operator, rows, page, settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.no_nightly"}
    assert operator.get(f"/admin/schedulerui/{page}/").status_code == 200
    assert operator.get(f"/admin/schedulerui/{page}/{rows[page].pk}/change/").status_code == 403
    Schedule.objects.update(name="Weekly")
    assert operator.get(f"/admin/schedulerui/{page}/{rows[page].pk}/change/").status_code == 200


@pytest.mark.parametrize(
    "question",
    [
        "schedule/?kwargs__password__startswith=hun", "schedule/?kwargs__contains=hun", "schedule/?args__0=x", "schedule/?headers__isnull=1",
        "run/?result__startswith=hun", "run/?traceback__contains=hun", "run/?kwargs__password=hunter2", "run/?log__regex=.", "run/?start_token=x",
        "run/?exception__gt=a", "change/?snapshot__kwargs__password=hunter2", "change/?diff__has_key=kwargs", "run/?schedule__kwargs__password=x",
        "change/?schedule__kwargs__password=x",
    ],
)  # fmt: skip
def test_no_filter_of_a_list_asks_about_values(question, db):
    """A list that is empty for one guess and not for another would tell a value letter by letter."""
    person = User.objects.create_superuser("guesser")
    client = Client()
    client.force_login(person)
    assert client.get(f"/admin/schedulerui/{question}").status_code == 400


@pytest.mark.parametrize(
    "question",
    [
        "schedule/?enabled__exact=1",
        "schedule/?state__last_state=failed",
        "run/?state=failed",
        "change/?via=browser",
        "schedule/?q=%00",
    ],
)
def test_the_filters_of_lists_work_all_the_same(question, db):
    client = Client()
    client.force_login(User.objects.create_superuser("guesser"))
    assert client.get(f"/admin/schedulerui/{question}").status_code == 200
