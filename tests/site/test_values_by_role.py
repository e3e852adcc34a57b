"""Arguments, results and tracebacks at every address: never for people without the right, and secrets covered for everybody."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from schedulerui.access import PERMISSIONS
from schedulerui.models import Attempt, Change, Part, Run, Schedule
from schedulerui.testing import recording
from tests.site.test_urls_by_role import EXPECTED, HTMX, ROUTES, address_of
from tests.web.people import a_run, a_schedule, a_worker, logged_in

pytestmark = pytest.mark.django_db
VALUE = "a-value-of-the-customer"
SECRET = "hunter2-and-no-other"
VALUES = {
    "args": [VALUE, {"deep": {"api_key": SECRET}}, f"redis://:{SECRET}@broker.test/0"],
    "kwargs": {"bank": VALUE, "password": SECRET, "body": json.dumps({"token": SECRET})},
    "headers": {"x-customer": VALUE, "authorization": SECRET, "X-Api-Key": SECRET},
}
TASK = {"type": "task", "task": "tests.add", "options": {}, "immutable": False, "args": VALUES["args"], "kwargs": VALUES["kwargs"]}  # fmt: skip
CANVAS = {"type": "chain", "steps": [TASK, TASK]}
TOLD = {"result": f'{{"bank": "{VALUE}", "password": "{SECRET}"}}', "exception": f"Refused: {VALUE} at https://shop:{SECRET}@shop.test", "traceback": f"Traceback\n  {VALUE}\n  Order(password=b'a {SECRET}')"}  # fmt: skip
ALL_BUT_VALUES = tuple(verb for verb in PERMISSIONS if verb != "view_values")
PAGES = sorted(route for route, line in EXPECTED.items() if not line.get.startswith("405"))


@pytest.fixture
def rows():
    schedule = a_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(**VALUES)
    part_of = a_schedule("In parts")
    Schedule.objects.filter(pk=part_of.pk).update(canvas=CANVAS)
    worker = a_worker()
    run = a_run(
        schedule,
        state="failed",
        **VALUES,
        **TOLD,
        log=f"took {VALUE}, access_key = {SECRET}",
        worker_instance=worker.instance,
    )
    Attempt.objects.create(run=run, attempt=1, delivery=1, state="failed", exception=TOLD["exception"])
    chain = a_run(part_of, state="failed", canvas=CANVAS, worker_instance=worker.instance)
    Part.objects.create(
        run=chain, position=0, path="0", task="tests.add", task_id="part-0", state="failed", **TOLD
    )
    Change.objects.filter(schedule=schedule).update(
        diff={field: [None, value] for field, value in VALUES.items()} | {"canvas": [{}, CANVAS]},
        snapshot=VALUES,
    )
    return {
        "pk": schedule.pk, "uuid": run.uuid, "instance": worker.instance, "path": "workers", "key": "kwargs",
        "change_id": Change.objects.get(schedule=schedule).pk,
    }  # fmt: skip


def questions(rows):
    """Every address with the rows that hold values, with those of what runs in parts, and with what else it answers to."""
    in_parts = rows | {
        "pk": Schedule.objects.get(name="In parts").pk, "uuid": Run.objects.get(schedule__name="In parts").uuid,
        "change_id": Change.objects.get(schedule__name="In parts").pk,
    }  # fmt: skip
    for route in PAGES:
        yield address_of(route, rows)
        if {"pk", "uuid"} & set(ROUTES[route].pattern.converters):
            yield address_of(route, in_parts)
    have = ",".join(
        [*(f"schedule-{pk}:x" for pk in Schedule.objects.values_list("pk", flat=True)),
         *(f"run-{pk}:x" for pk in Run.objects.values_list("pk", flat=True))]
    )  # fmt: skip
    yield from (f"/live/{what}/?have={have}&newest=0" for what in ("schedules", "runs"))
    yield from (f"/complete/?of={what}&q={word}" for what in ("schedules", "runs") for word in ("a-", "hun"))
    yield f"/schedules/new/?copy={rows['pk']}"
    yield "/audit/?as=csv"
    yield from (f"/{what}/?q={word}" for what in ("schedules", "runs") for word in (VALUE, SECRET))


TYPED = re.compile(r"/(edit|custom|again)/$|/new/\?copy=")
"""Forms in which somebody who may see and change values types them: a secret that was covered there would be saved covered."""


def answers(client, rows, **headers):
    for address in questions(rows):
        response = client.get(address, headers=headers)
        body = (response.getvalue() if response.streaming else response.content).decode()
        asked = address.partition("?")[2]
        yield address, body if VALUE not in asked and SECRET not in asked else ""


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_who_may_not_see_values_finds_them_at_no_address(rows, headers):
    """Somebody with every other right: there is no page that they cannot open."""
    for address, body in answers(logged_in(*ALL_BUT_VALUES), rows, **headers):
        assert VALUE not in body, address
        assert SECRET not in body, address


@pytest.mark.parametrize("verbs", [ALL_BUT_VALUES, tuple(PERMISSIONS)], ids=["all but values", "owner"])
@pytest.mark.parametrize("what", ["schedules", "runs"])
def test_no_bulk_action_and_no_file_tells_them(rows, verbs, what):
    client = logged_in(*verbs)
    model = Schedule if what == "schedules" else Run
    for action in ("csv", "json", "run", "again", "cancel", "queue", "delete"):
        for sure in ({}, {"sure": "1"}):
            given = {
                "action": action,
                "id": list(model.objects.values_list("pk", flat=True)),
                "queue": "q",
                "token": uuid.uuid4(),
                **sure,
            }
            with recording():
                body = client.post(f"/{what}/bulk/", given, follow=True).content.decode()
            assert SECRET not in body, (action, sure)
            assert "view_values" in verbs or VALUE not in body, (action, sure)


def test_secrets_are_covered_for_those_who_may_see_values_too(rows):
    n_seen = 0
    for address, body in answers(logged_in(*PERMISSIONS), rows):
        n_seen += VALUE in body
        assert TYPED.search(address) or SECRET not in body, address
    assert n_seen >= 8, "the values are nowhere, so nothing was tried"


def test_the_admin_tells_no_secret(rows):
    person = User.objects.create_superuser("ana")
    client = Client()
    client.force_login(person)
    for model in (Schedule, Run, Change):
        for pk in model.objects.values_list("pk", flat=True):
            for page in (f"{pk}/change/", f"{pk}/history/", ""):
                response = client.get(f"/admin/schedulerui/{model._meta.model_name}/{page}", follow=True)
                assert SECRET not in response.content.decode(), (model, page)
