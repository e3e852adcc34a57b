"""People with exactly the permissions a test names, rows to look at, and the questions that every page must answer alike."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from schedulerui.access import PERMISSIONS
from schedulerui.facts import Actor, RunState, progress
from schedulerui.models import Run, Schedule, Worker
from schedulerui.operations import schedules

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
OF_THE_PERSON = 4
"""Queries for session, user and permissions, which no budget counts."""
ANA = Actor(name="ana", via="browser")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ request }}{% load i18n %}",
    "\u202eevil\u202c",
    "a\u0301 \ufeff 𐍈 \ue000",
    "'; drop table schedulerui_run; --",
)


def logged_in(*verbs: str) -> Client:
    """Return the browser of a new person who may do these things."""
    user = User.objects.create_user(f"person-{uuid.uuid4().hex[:8]}")
    codenames = [PERMISSIONS[verb].partition(".")[2] for verb in verbs]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def a_schedule(name: str = "Nightly", **fields: object) -> Schedule:
    values = {"name": name, "task": "tests.add", "kind": "crontab", "expression": "30 2 * * *", **fields}
    actor = Actor(name="code") if fields.get("source") == "code" else ANA
    return schedules.create(values, actor=actor, now=NOON)


def a_run(schedule: Schedule | None = None, *, state: str = "succeeded", **fields: Any) -> Run:
    due_at = fields.pop("due_at", NOON)
    values: dict[str, object] = {
        "key": f"s:{uuid.uuid4()}",
        "schedule": schedule,
        "schedule_name": schedule.name if schedule else "Gone",
        "task": "tests.add",
        "state": state,
        "progress": progress(RunState(state)),
        "due_at": due_at,
        "nominal_at": due_at,
        "created_at": due_at,
        "lease_until": NOON if state == "pending" else None,
    }
    return Run.objects.create(**(values | fields))


def a_worker(hostname: str = "celery@one", **fields: object) -> Worker:
    values: dict[str, object] = {"instance": uuid.uuid4(), "pid": 7, "started_at": NOON, "seen_at": NOON}
    return Worker.objects.create(hostname=hostname, **(values | fields))


def many_runs(n_runs: int, schedule: Schedule) -> None:
    for number in range(n_runs):
        a_run(schedule, due_at=NOON - timedelta(minutes=number))


def check_gate(url: str, *, verb: str) -> None:
    """Nobody is sent to the login, htmx too; a stranger is refused; who may sees it."""
    anonymous = Client().get(url)
    assert anonymous.status_code == 302
    assert "login" in anonymous["Location"]
    fragment = Client().get(url, headers={"HX-Request": "true"})
    assert fragment.status_code == 401
    assert "login" in fragment["HX-Redirect"]
    assert logged_in().get(url).status_code == 403
    assert logged_in(*[other for other in PERMISSIONS if other != verb]).get(url).status_code == 403
    assert logged_in("view", verb).get(url).status_code == 200


def check_methods(url: str, *refused: str) -> None:
    client = logged_in(*PERMISSIONS)
    for method in refused:
        assert client.generic(method, url).status_code == 405, method


def text_of(response: Any) -> str:
    return str(response.content.decode())
