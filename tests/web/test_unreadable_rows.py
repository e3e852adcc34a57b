"""Rows whose columns Python cannot read: their page says so, the lists go on, and they can be deleted."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.core.management import call_command
from django.db import connection

from schedulerui.access import PERMISSIONS
from schedulerui.models import Change, Run, Schedule
from schedulerui.operations import schedules
from tests.web.people import ANA, NOON, a_schedule, logged_in, text_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite takes such rows, since 2026-11"),
]
DEEP = "[" * 100_000 + "]" * 100_000
DAMAGE = {
    "nested": {"args": DEEP},
    "no JSON": {"kwargs": "not json"},
    "no list": {"skips": "nonsense"},
    "no time": {"start_at": "1999-12-31 or so"},
    "no number": {"latitude": "north"},
    "no moment": {"anchor_at": "once upon a time"},
    "headers": {"headers": "[1, 2]"},
    "bytes": {"task": b"\xff\xfe"},
}


def damaged(columns):
    """A schedule of which beat has said that it cannot be read."""
    pk = a_schedule("Damaged").pk
    columns = {"error": "This row cannot be read", "next_run_at": None, "next_nominal_at": None, **columns}
    sets = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(f"UPDATE schedulerui_schedule SET {sets} WHERE id = %s", [*columns.values(), pk])
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
    return pk


@pytest.mark.parametrize("columns", DAMAGE.values(), ids=DAMAGE)
def test_its_page_and_the_lists_show_it_and_it_can_be_deleted(columns):
    person, pk = logged_in(*PERMISSIONS), damaged(columns)
    a_schedule("Sound")
    page = person.get(f"/schedules/{pk}/")
    assert page.status_code == 200
    assert "This row cannot be read" in text_of(page)
    own = (f"/schedules/{pk}/{page}" for page in ("delete/", "upcoming/", "code/"))
    for address in ("/", "/schedules/", f"/live/schedules/{pk}/", *own):
        assert person.get(address).status_code == 200, address
    assert "Sound" in text_of(person.get("/schedules/"))
    assert person.post(f"/schedules/{pk}/delete/").status_code == 303
    assert not Schedule.objects.filter(pk=pk).exists()
    assert Change.objects.get(action="delete").schedule_name == "Damaged"


def everything_but_what_was_given(_user, verb, obj):
    return not (verb == "view_values" and obj is not None)


@pytest.mark.parametrize("columns", DAMAGE.values(), ids=DAMAGE)
def test_the_audit_log_of_a_host_that_decides_itself_can_be_seen(columns, settings):
    person, pk = logged_in(*PERMISSIONS), damaged(columns)
    schedule = a_schedule("Sound", kwargs={"pin": "1234"})
    schedules.edit(schedule.pk, {"kwargs": {"pin": "5678"}}, version=1, actor=ANA, now=NOON)
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "ACCESS": f"{__name__}.everything_but_what_was_given"}
    for address in ("/audit/", "/audit/?as=csv"):
        answer = person.get(address)
        assert answer.status_code == 200, address
        assert "Damaged" in text_of(answer)
        assert "5678" not in text_of(answer)
    assert Change.objects.filter(schedule=pk).exists()


@pytest.mark.parametrize("columns", DAMAGE.values(), ids=DAMAGE)
def test_one_keeps_no_other_from_what_is_done_to_all_of_them(columns, capsys):
    chosen = [damaged(columns), a_schedule("Sound").pk]
    for form in ("csv", "json"):
        file = text_of(logged_in(*PERMISSIONS).post("/schedules/bulk/", {"action": form, "id": chosen}))
        assert "Damaged" in file
        assert "Sound" in file
    with suppress(SystemExit):  # some can be switched off all the same
        call_command("schedulerui", "bulk", "disable", "")
    assert not Schedule.objects.values_list("enabled", flat=True).get(name="Sound")
    assert "done for" in capsys.readouterr().out
    call_command("schedulerui", "bulk", "delete", "", "--yes")
    assert "done for 2 schedules" in capsys.readouterr().out
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("columns", DAMAGE.values(), ids=DAMAGE)
def test_runs_of_one_keep_no_others_from_what_is_done_to_all_of_them(columns):
    person, ids = logged_in(*PERMISSIONS), []
    for pk in (damaged(columns), a_schedule("Sound").pk):
        fields = {"task": "tests.add", "due_at": NOON, "created_at": NOON, "state": "waiting"}
        ids.append(Run.objects.create(key=f"m:{pk}", schedule_id=pk, **fields).pk)
    for form in ("csv", "json"):
        assert text_of(person.post("/runs/bulk/", {"action": form, "id": ids})).count("tests.add") == len(ids)
    person.post("/runs/bulk/", {"action": "cancel", "id": ids, "sure": "1"})
    assert Run.objects.get(pk=ids[1]).state == "cancelled"
