"""`import-django-celery-beat`: what it says of each row, when it refuses, and what the About page knows of it."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui import clock
from schedulerui.models import Change, Schedule
from tests.celery_app import app
from tests.old_tables import old_tables
from tests.web.people import logged_in, text_of

pytestmark = pytest.mark.django_db
NIGHTLY = {"crontab": "30 3 * * *"}


@pytest.fixture(scope="module")
def tables(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), old_tables() as old:
        yield old


@pytest.fixture
def now():
    return clock.now()


@pytest.fixture
def several(tables, now):
    """One row for each thing that can become of it."""
    tables.add("nightly", **NIGHTLY, zone="Europe/Berlin")
    tables.add("stepped", crontab="*/70 * * * *")
    tables.add("broken", **NIGHTLY, args="oops")
    tables.add("celery.backend_cleanup", **NIGHTLY)
    tables.add("overdue", interval=(1, "hours"), last_run_at=now - timedelta(hours=3))


def say(*arguments):
    out = io.StringIO()
    call_command("schedulerui", "import-django-celery-beat", *arguments, stdout=out)
    return out.getvalue()


def test_it_says_what_became_of_each_row_and_how_many(several):
    lines = say().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["disabled", "broken:"],
        ["skipped", "celery.backend_cleanup:"],
        ["accepted", "nightly"],
        ["accepted", "overdue:"],
        ["changed", "stepped:"],
        ["5", "rows:"],
    ]
    assert lines[0].startswith("disabled  broken: The args cannot be read as JSON: Expecting value")
    assert lines[-1] == "5 rows: 2 accepted, 1 changed, 1 disabled, 1 skipped; written."
    assert Schedule.objects.filter(source="import").count() == 4
    assert set(Change.objects.values_list("via", flat=True)) == {"command"}
    assert (
        say().splitlines()[-1] == "5 rows: 0 accepted, 0 changed, 0 disabled, 5 skipped; nothing was written."
    )


def test_a_dry_run_shows_the_next_times_before_and_after_and_writes_nothing(several):
    text = say("--dry-run")
    nightly, overdue = text.partition("accepted  nightly")[2], text.partition("accepted  overdue")[2]
    assert re.match(
        r"\n          next: \S+ 03:30:00 CES?T, \S+ \S+ CES?T, \S+ \S+ CES?T \(before: the same\)\n", nightly
    )
    assert re.match(r".*\n          next: .*\n        before: at once, .*<- differs\n", overdue)
    assert text.endswith("; nothing was written.\n")
    assert not Schedule.objects.exists()


def test_it_refuses_while_the_old_beat_seems_to_run(tables, now):
    tables.add("tick", interval=(10, "seconds"), last_run_at=now - timedelta(seconds=5))
    with pytest.raises(CommandError, match="Stop it first"):
        say()
    assert not Schedule.objects.exists()
    assert "seems to run" in say("--dry-run")
    assert say("--since-quiet", "5").endswith("; written.\n")


def test_it_imports_while_the_old_beat_runs_when_told_to(tables, now):
    tables.add("tick", interval=(10, "seconds"), last_run_at=now)
    assert "1 row: 1 accepted" in say("--even-if-running")


def test_it_leaves_the_names_of_beat_schedule_to_beat(tables, monkeypatch):
    monkeypatch.setitem(app.conf.beat_schedule, "nightly", {"task": "tests.add", "schedule": 30})
    tables.add("nightly", **NIGHTLY)
    assert "skipped   nightly: It comes from beat_schedule in the code" in say()


def test_it_shows_no_letter_that_a_terminal_would_obey(tables):
    tables.add("red\x1b[31m", crontab="\x1b * * * *")
    assert "\x1b" not in say("--dry-run")


def test_it_needs_to_know_the_celery_app(tables, settings):
    settings.SCHEDULERUI = {}
    with pytest.raises(CommandError, match="CELERY_APP"):
        say()


def test_the_about_page_counts_what_is_there_and_what_was_imported(several):
    reader = logged_in("view")
    assert "This database has 4 schedules of django-celery-beat. 0 were imported." in text_of(
        reader.get("/about/")
    )
    say()
    with CaptureQueriesContext(connection) as queries:
        text = text_of(reader.get("/about/"))
    assert "4 schedules of django-celery-beat. 4 were imported." in text
    assert "schedulerui import-django-celery-beat --dry-run" in text
    asked = [query["sql"] for query in queries if "django_celery_beat" in query["sql"]]
    assert len(asked) == 1
