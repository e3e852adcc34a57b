"""Many rows in one statement, on every database that the suite runs on."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from schedulerui.facts import RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import bulk_sql

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=UTC)
N = 300


def a_run(number, **fields):
    values = {
        "key": f"t:{number}",
        "due_at": NOW,
        "created_at": NOW,
        "task": "tests.add",
        "task_id": f"id-{number}",
    }
    return Run(**{**values, "state": "sent", **fields})


def schedules(n):
    rows = [
        Schedule(name=f"s {number}", task="tests.add", kind="manual", created_at=NOW, updated_at=NOW)
        for number in range(n)
    ]
    bulk_sql.insert(rows, unique="name")
    return rows


def test_it_inserts_what_django_would_insert():
    fields = {
        "args": [1, {"z": "\u00fc % ' \""}],
        "headers": {"a": None},
        "nominal_at": NOW + timedelta(microseconds=1),
        "runtime": 0.25,
        "cancel_terminate": True,
        "reason": "",
    }
    ours, theirs = a_run(1, **fields), a_run(2, **fields)
    bulk_sql.insert([ours], unique="key")
    theirs.save(force_insert=True)
    kept = [dict(Run.objects.filter(pk=run.pk).values().get().items()) for run in (ours, theirs)]
    own = {"id": 0, "uuid": ours.uuid, "key": "", "task_id": ""}
    assert kept[0] | own == kept[1] | own
    assert kept[0]["uuid"] == ours.uuid


def test_it_gives_each_of_many_rows_its_own_key_in_at_most_two_statements():
    rows = [a_run(number, reason="odd" if number % 2 else "") for number in range(N)]
    with CaptureQueriesContext(connection) as queries:
        bulk_sql.insert(rows, unique="key")
    assert len(queries) <= 2
    assert {run.pk: run.key for run in rows} == dict(Run.objects.values_list("pk", "key"))
    assert Run.objects.filter(reason="odd").count() == N // 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"kwargs": {"x": 1}}, {"kwargs": {"x": True}}),
        ({"args": []}, {"args": [0]}),
        ({"kwargs": {"x": "%s"}}, {"kwargs": {"x": "%s"}}),
        ({"runtime": 1.0, "attempt": 1}, {"runtime": 1, "attempt": 1}),
        ({"reason": "'; --", "cancel_terminate": True}, {"reason": "'; --", "cancel_terminate": True}),
        ({"sent_at": NOW, "state": RunState.SENT}, {"sent_at": NOW, "state": RunState.SENT}),
        ({"sent_at": NOW}, {"sent_at": None}),
    ],
)
def test_what_rows_have_in_common_is_what_each_of_them_holds(first, second):
    rows = [a_run(1, **first), a_run(2, **second)]
    bulk_sql.insert(rows, unique="key")
    for row, fields in zip(rows, (first, second), strict=True):
        kept = Run.objects.get(pk=row.pk)
        values = {name: getattr(kept, name) for name in fields}
        assert json.dumps(values, default=str) == json.dumps(
            fields | {name: float(fields[name]) for name in fields.keys() & {"runtime"}}, default=str
        )
        assert (kept.key, kept.uuid, kept.count) == (row.key, row.uuid, 1)


def test_it_refuses_a_text_that_is_too_long_in_all_rows():
    keeps_any_length = connection.vendor == "sqlite"
    with nullcontext() if keeps_any_length else pytest.raises(DataError), transaction.atomic():
        bulk_sql.insert([a_run(number, state="longer than ten") for number in range(2)], unique="key")
    assert Run.objects.count() == (2 if keeps_any_length else 0)


def test_it_splits_rows_that_are_more_than_one_statement_takes(monkeypatch):
    monkeypatch.setattr(bulk_sql, "_max_parameters", lambda: 100)
    rows = schedules(50)
    changes = [("new", row.pk) for row in rows]
    assert bulk_sql.update(Schedule, changes, changes=("owner",), where=("id",)) == 50
    assert set(Schedule.objects.values_list("owner", flat=True)) == {"new"}


def test_it_refuses_a_key_that_exists():
    bulk_sql.insert([a_run(1)], unique="key")
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_sql.insert([a_run(2), a_run(1)], unique="key")
    assert Run.objects.count() == 1


@pytest.mark.parametrize("can", [True, False], ids=["in one statement", "row by row"])
def test_it_updates_only_rows_that_are_as_they_were_seen_and_counts_them(can, monkeypatch):
    if not can:
        monkeypatch.setattr(bulk_sql, "_can_update_from", lambda: False)
    rows = schedules(4)
    Schedule.objects.filter(pk=rows[0].pk).update(version=9)
    changes = [(NOW + timedelta(seconds=row.pk), None, row.pk, 1) for row in rows]
    done = bulk_sql.update(
        Schedule, changes, changes=("previous_nominal_at", "anchor_at"), where=("id", "version")
    )
    assert done == 3
    kept = dict(Schedule.objects.values_list("pk", "previous_nominal_at"))
    assert kept == {rows[0].pk: None} | {row.pk: NOW + timedelta(seconds=row.pk) for row in rows[1:]}


def test_it_does_nothing_with_no_rows():
    with CaptureQueriesContext(connection) as queries:
        bulk_sql.insert([], unique="key")
        assert bulk_sql.update(Schedule, [], changes=("owner",), where=("id",)) == 0
    assert not queries.captured_queries
