"""Tables of old versions of django-celery-beat lack columns, and tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.moving import importing, rows
from schedulerui.moving.draft import Outcome, Surroundings
from schedulerui.testing import DULL_WEDNESDAY
from tests.old_tables import old_tables

pytestmark = pytest.mark.django_db
AROUND = Surroundings(now=DULL_WEDNESDAY, zone="Europe/Berlin")


@pytest.fixture(scope="module", params=["1.0", "1.5"])
def tables(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), old_tables(request.param) as old:
        yield old


def test_it_imports_what_an_old_version_has(tables):
    tables.add("tidy", interval=(1, "hours"), queue="low", kwargs='{"a": 1}')
    tables.add("close", crontab="0 18 * * *", zone="UTC")
    drafts = importing.plan(rows.read(), AROUND)
    importing.carry_out(drafts, actor=Actor(name="ana"), now=DULL_WEDNESDAY)
    assert {draft.outcome for draft in drafts} == {Outcome.ACCEPTED}
    close, tidy = Schedule.objects.order_by("name")
    assert (tidy.queue, tidy.kwargs, tidy.headers, tidy.priority, tidy.max_runs) == (
        "low",
        {"a": 1},
        {},
        None,
        None,
    )
    has_zones = "timezone" not in tables.absent
    assert close.tz == ("UTC" if has_zones else "Europe/Berlin")
    assert close.next_run_at == datetime(2026, 3, 4, 18 if has_zones else 17, tzinfo=UTC)
