"""The page of a stored result: for those who may see values, as text, with a sentence when there is none."""

from __future__ import annotations

import pytest
from celery import Celery
from django.urls import reverse

from tests.celery_app import app
from tests.web.people import HOSTILE, a_run, a_schedule, check_gate, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
ID = "11111111-2222-3333-4444-555555555555"
LINK = "Open the stored result"


@pytest.fixture
def backend(tmp_path):
    """Give the tests' host a result backend in a folder."""
    before = app.conf.result_backend, app.conf.task_ignore_result
    app.conf.update(result_backend=f"file://{tmp_path}", task_ignore_result=False)
    writing = Celery("worker", backend=f"file://{tmp_path}", set_as_current=False)
    yield writing.backend
    writing.close()
    app.conf.update(result_backend=before[0], task_ignore_result=before[1])


@pytest.fixture
def insider():
    return logged_in("view", "view_values")


def result_of(run):
    return reverse("schedulerui:run-result", args=[run.uuid])


def page_of(client, run):
    return text_of(client.get(reverse("schedulerui:run", args=[run.uuid])))


def a_kept_run(**fields):
    return a_run(a_schedule(), **{"task": "shop.kept", "task_id": ID, **fields})


def test_it_asks_for_login_and_permission():
    address = result_of(a_kept_run())
    check_gate(address, verb="view_values")
    check_methods(address, "POST", "PUT", "DELETE")


def test_the_run_links_to_it_for_those_who_may_see_values(backend, insider):
    run = a_kept_run()
    assert LINK in page_of(insider, run)
    assert LINK not in page_of(logged_in("view"), run)
    assert LINK not in page_of(insider, a_run(None, state="started", task="shop.kept", task_id="t-2"))


def test_there_is_no_link_where_no_results_are_kept(insider):
    assert LINK not in page_of(insider, a_kept_run())


def test_it_shows_the_value_with_secrets_covered(backend, insider):
    backend.store_result(ID, {"store": 138, "api_token": "hunter2"}, "SUCCESS")
    page = text_of(insider.get(result_of(a_kept_run())))
    assert "138" in page
    assert "hunter2" not in page
    assert "SUCCESS" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_results_are_text(backend, insider, text):
    backend.store_result(ID, text, "FAILURE", traceback=text)
    response = insider.get(result_of(a_kept_run()))
    assert response.status_code == 200
    assert "<script>alert" not in text_of(response)
    assert "<img src=x" not in text_of(response)


def test_it_shows_64_kilobytes_of_it(backend, insider):
    backend.store_result(ID, "x" * 70_000, "SUCCESS")
    address = result_of(a_kept_run())
    page = text_of(insider.get(address))
    assert "4464 more characters are not shown" in page
    assert '<a href="?as=result" download>' in page
    file = insider.get(address, {"as": "result"})
    assert file.content == b"x" * 70_000
    assert file["Content-Disposition"].startswith("attachment;")
    assert file["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("asked", ["", "result", "traceback"])
def test_it_covers_secrets_in_a_stored_text_and_traceback(backend, insider, asked):
    backend.store_result(ID, "password=hunter2", "FAILURE", traceback="ValueError: token=hunter2")
    answer = insider.get(result_of(a_kept_run()), {"as": asked} if asked else {})
    assert answer.status_code == 200
    assert b"hunter2" not in answer.content


def test_a_file_of_what_is_not_kept_is_the_page(backend, insider):
    backend.store_result(ID, "fine", "SUCCESS")
    address = result_of(a_kept_run())
    for asked in ("traceback", "state", "../x"):
        assert "fine" in text_of(insider.get(address, {"as": asked}))


def test_it_says_why_there_is_nothing_to_show(backend, insider):
    assert "keeps nothing under this task id" in text_of(insider.get(result_of(a_kept_run())))


def test_a_run_without_a_task_has_no_result(insider):
    page = text_of(insider.get(result_of(a_run(None, state="skipped"))))
    assert "never had a task" in page


def test_what_the_task_logged_is_shown_to_those_who_may_see_values(insider):
    run = a_kept_run(log="12:00:00 INFO shop: <b>done</b>")
    assert "shop: &lt;b&gt;done&lt;/b&gt;" in page_of(insider, run)
    assert "shop:" not in page_of(logged_in("view"), run)
