"""Stored results are read as text: each backend, each hostile payload, and a store that is away; nothing is unpickled."""

from __future__ import annotations

import json
import os
import pickle
import socket
import sqlite3
import zlib

import pytest
from celery import Celery
from django.db import connection

from schedulerui import results
from schedulerui.models import Run
from schedulerui.results import NoResult, keeps_result, read
from tests import pace
from tests.waiting import eventually

ID = "11111111-2222-3333-4444-555555555555"


class Bomb:
    """Ends the process of whoever unpickles it."""

    def __reduce__(self):
        return os._exit, (66,)


@pytest.fixture
def make_app():
    made = []

    def make(backend, **conf):
        app = Celery("kept", broker="memory://", backend=backend, set_as_current=False)
        app.conf.update(**conf)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def files(make_app, tmp_path):
    """An app whose backend is a folder: the same code as for Redis, without a server."""
    return make_app(f"file://{tmp_path}")


def kept():
    return None


def keep(app, payload):
    app.backend.set(app.backend.get_key_for_task(ID), payload)


@pytest.mark.parametrize(
    "value", [3, "text", None, [1, {"a": "b"}], {"password": "x"}, "<script>", "\u202e", 1.5]
)
def test_it_reads_what_a_task_has_returned(files, value):
    files.backend.store_result(ID, value, "SUCCESS")
    stored = read(ID, celery_app=files)
    assert (stored.state, stored.value, stored.traceback) == ("SUCCESS", value, "")


def test_it_reads_what_a_task_has_raised_without_making_the_exception(files):
    files.backend.store_result(ID, ValueError("as asked", 7), "FAILURE", traceback="Traceback ...")
    stored = read(ID, celery_app=files)
    assert (stored.state, stored.value, stored.traceback) == (
        "FAILURE",
        "ValueError: as asked, 7",
        "Traceback ...",
    )


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (pickle.dumps({"status": "SUCCESS", "result": Bomb()}), "pickle"),
        (pickle.dumps(Bomb(), protocol=0), "no JSON"),
        (b"{broken", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[1, 2]", "something else"),
        (b'"' + b"x" * (1024 * 1024 + 1) + b'"', "larger than"),
        (results.COMPRESSED + results.GZIP + b"\x00" + zlib.compress(b"1" * 50_000_000), "larger than"),
        (results.COMPRESSED + results.GZIP + b"\x00no gzip", "damaged"),
        (results.COMPRESSED + b"application/x-zstd\x00...", "compressed"),
    ],
)
def test_it_refuses_what_is_no_plain_json_with_a_sentence(files, payload, words):
    keep(files, payload)
    with pytest.raises(NoResult, match=words):
        read(ID, celery_app=files)


def test_it_reads_what_celery_has_compressed(files):
    body = zlib.compress(json.dumps({"status": "SUCCESS", "result": [1]}).encode())
    keep(files, results.COMPRESSED + results.GZIP + b"\x00" + body)
    assert read(ID, celery_app=files).value == [1]


def test_it_refuses_a_backend_that_keeps_pickles(make_app, tmp_path):
    app = make_app(f"file://{tmp_path}", result_serializer="pickle", accept_content=["pickle"])
    app.backend.store_result(ID, 3, "SUCCESS")
    with pytest.raises(NoResult, match="never does"):
        read(ID, celery_app=app)


def test_it_says_when_there_is_nothing(files):
    with pytest.raises(NoResult, match="keeps nothing"):
        read(ID, celery_app=files)


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("rpc://", "only that process"),
        ("disabled://", "keeps no results"),
        ("nonsense://x", "cannot be used"),
        ("cache+memory://", "keeps nothing"),
    ],
)
def test_it_says_what_kinds_of_backends_cannot_tell(make_app, backend, words):
    with pytest.raises(NoResult, match=words):
        read(ID, celery_app=make_app(backend))


def test_it_ends_in_time_when_the_store_does_not_answer(make_app):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = pace.seconds()
        with pytest.raises(NoResult, match="does not answer"):
            read(ID, celery_app=app)
    assert pace.seconds() - began < results.DEADLINE + 1


def test_a_store_that_is_away_is_said_so(make_app):
    with pytest.raises(NoResult, match="does not answer"):
        read(ID, celery_app=make_app("redis://127.0.0.1:1/0"))


def test_reads_that_hang_do_not_pile_up(make_app, monkeypatch):
    monkeypatch.setattr(results, "DEADLINE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        said = []
        for _ in range(results.READERS_MAX + 1):
            with pytest.raises(NoResult) as refusal:
                read(ID, celery_app=app)
            said.append(str(refusal.value))
    assert "other requests wait" in said[-1]
    eventually(lambda: results._slots._value == results.READERS_MAX, within=60)


def test_it_reads_celerys_table_in_a_database(make_app, tmp_path):
    url = f"db+sqlite:///{tmp_path}/results.db"
    app = make_app(url, database_create_tables_at_setup=True)
    app.backend.store_result(ID, {"a": [1]}, "SUCCESS")
    assert read(ID, celery_app=app).value == {"a": [1]}
    with pytest.raises(NoResult, match="keeps nothing"):
        read("another", celery_app=app)
    with sqlite3.connect(tmp_path / "results.db") as database:
        database.execute("UPDATE celery_taskmeta SET result = ?", [pickle.dumps(Bomb())])
    database.close()
    with pytest.raises(NoResult, match="never does"):
        read(ID, celery_app=app)


@pytest.mark.django_db
def test_it_reads_the_table_of_django_celery_results(make_app):
    app = make_app("django-db")
    with pytest.raises(NoResult, match="cannot be used"):
        read(ID, celery_app=app)


@pytest.fixture
def table(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE django_celery_results_taskresult (task_id varchar(255), status varchar(50), result text,"
            " traceback text, content_type varchar(128), content_encoding varchar(64))"
        )
        yield lambda *row: cursor.execute(
            "INSERT INTO django_celery_results_taskresult VALUES (%s, %s, %s, %s, %s, %s)", row
        )
        cursor.execute("DROP TABLE django_celery_results_taskresult")


@pytest.mark.parametrize(
    ("content", "value", "words"),
    [
        ("application/json", "[1, 2]", ""),
        ("application/x-python-serialize", "gASVAA==", "never does"),
        ("application/x-yaml", "a: b", "Only JSON"),
    ],
)
def test_it_reads_only_json_from_the_table_of_django_celery_results(make_app, table, content, value, words):
    table(ID, "SUCCESS", value, None, content, "utf-8")
    app = make_app("django-db")
    if not words:
        assert read(ID, celery_app=app).value == [1, 2]
        with pytest.raises(NoResult, match="keeps nothing"):
            read("another", celery_app=app)
        return
    with pytest.raises(NoResult, match=words):
        read(ID, celery_app=app)


@pytest.mark.parametrize(
    ("backend", "of_app", "of_task", "of_run", "is_kept"),
    [
        ("redis://", False, None, None, True),
        ("redis://", True, None, None, False),
        ("redis://", True, False, None, True),
        ("redis://", False, True, None, False),
        ("redis://", False, True, False, True),
        ("redis://", False, None, True, False),
        (None, False, None, None, False),
        ("disabled", False, None, None, False),
    ],
)
def test_a_result_is_looked_for_where_the_task_keeps_one(make_app, backend, of_app, of_task, of_run, is_kept):
    app = make_app(backend, task_ignore_result=of_app)
    if of_task is not None:
        app.task(name="kept", ignore_result=of_task, shared=False)(kept)
    options = {} if of_run is None else {"ignore_result": of_run}
    assert keeps_result(Run(task="kept", task_id=ID, options=options), app) is is_kept
    assert not keeps_result(Run(task="kept", options=options), app)
