"""Flower as it is, on a real broker with a real worker, seen through the dashboard's proxy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import urllib.error
import urllib.request

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.processes import Process
from tests.servers.base import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.django_db]

PASSWORD = "a-random-password"
CREDENTIALS = f"svc:{PASSWORD}"
SECRETS = (PASSWORD, base64.b64encode(CREDENTIALS.encode()).decode())
SAME_ORIGIN = {"HTTP_SEC_FETCH_SITE": "same-origin"}
WORKER = "one@flower-test"


def celery(*arguments, broker, log, **environment):
    return Process(
        [sys.executable, "-m", "celery", "-A", "tests.celery_app", *arguments],
        log=log,
        env={"TEST_BROKER_URL": broker, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
    )


def answers(url):
    """Whether Flower answers at all: its health page needs no password on loopback."""
    with urllib.request.urlopen(url, timeout=2) as response:
        return response.status == 200


@pytest.fixture(scope="module")
def flower_url(valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flower")
    port = free_port()
    url = f"http://127.0.0.1:{port}/flower/"
    flower = celery(
        "flower", "--address=127.0.0.1", f"--port={port}", "--url_prefix=flower",
        broker=valkey.url, log=folder / "flower.log", FLOWER_BASIC_AUTH=CREDENTIALS,
    )  # fmt: skip
    worker = celery(
        "worker", "--pool=prefork", "--concurrency=1", f"--hostname={WORKER}", "--task-events", "--loglevel=INFO",
        broker=valkey.url, log=folder / "worker.log",
    )  # fmt: skip
    with flower, worker:
        eventually(
            lambda: answers(f"{url}healthcheck"),
            within=90,
            ignoring=(OSError,),
            describe=flower.tail,
        )
        worker.wait_for("ready", within=90)
        yield url


@pytest.fixture
def proxied(flower_url, settings, tmp_path):
    auth_file = tmp_path / "flower.auth"
    auth_file.write_text(CREDENTIALS)
    auth_file.chmod(0o600)
    settings.SCHEDULERUI = {
        **settings.SCHEDULERUI,
        "FLOWER_URL": flower_url,
        "FLOWER_AUTH_FILE": str(auth_file),
    }


@pytest.fixture
def log_in(proxied, db):
    def as_one_who_may(*verbs):
        user = User.objects.create_user("-".join(verbs) or "stranger")
        user.user_permissions.set(Permission.objects.filter(codename__in=verbs))
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        return client

    return as_one_who_may


@pytest.fixture
def reader(log_in):
    return log_in("view_values")


@pytest.fixture
def controller(log_in):
    return log_in("view_values", "control_workers")


def body_of(response):
    return b"".join(response).decode(errors="replace")


def checked(client, path, *, status=200):
    """The body of an answer that gives nothing of ours or of Flower's away."""
    response = client.get(path)
    text = body_of(response)
    assert response.status_code == status, text[:500]
    for secret in SECRETS:
        assert secret not in text + str(response.headers)
    assert not response.cookies
    assert not response.has_header("WWW-Authenticate")
    return response, text


def known_worker(client):
    """Flower hears of a worker by its heartbeats; its page needs that worker's answers as well."""
    eventually(
        lambda: WORKER in body_of(client.get("/flower/?json=1")),
        within=90,
        describe="the worker in Flower's list",
    )
    eventually(lambda: has_page(client, WORKER), within=90, describe="the worker's page")


def has_page(client, worker):
    response = client.get(f"/flower/worker/{worker}")
    return bool(body_of(response)) and response.status_code == 200


def test_flower_itself_asks_for_the_password(flower_url):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(flower_url, timeout=5)

    assert refusal.value.code == 401
    refusal.value.close()


def test_pages_files_tables_and_api_answer(reader):
    known_worker(reader)
    for path in ("", "workers", f"worker/{WORKER}", "tasks", "broker", "metrics", "healthcheck"):
        checked(reader, f"/flower/{path}")
    for path in ("api/workers", "api/tasks?limit=5", "api/task/types", "api/queues/length"):
        _, text = checked(reader, f"/flower/{path}")
        json.loads(text)
    _, table = checked(
        reader,
        "/flower/tasks/datatable?draw=1&start=0&length=10&search%5Bvalue%5D=&order%5B0%5D%5Bcolumn%5D=0"
        "&order%5B0%5D%5Bdir%5D=asc&columns%5B0%5D%5Bdata%5D=name",
    )
    assert json.loads(table)["recordsTotal"] == 0
    assert "404" not in checked(reader, "/flower/task/none", status=404)[1][:3]


def test_every_file_of_a_page_is_below_our_mount_and_answers(reader):
    _, page = checked(reader, "/flower/")
    files = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|ico)[^"]*)"', page)

    assert len(files) >= 8
    for file in files:
        assert file.startswith("/flower/static/")
        response, _ = checked(reader, file)
        assert response["Cache-Control"].startswith("private")


def test_each_page_leads_back(reader):
    for path in ("", "tasks", "broker"):
        _, page = checked(reader, f"/flower/{path}")
        assert page.count('href="/">Back to Schedules</a>') == 1


def test_the_policy_allows_the_scripts_that_flower_has_and_no_other(reader):
    n_inline = 0
    for path in ("", "tasks", "broker"):
        response, page = checked(reader, f"/flower/{path}")
        for inline in re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, flags=re.DOTALL):
            n_inline += 1
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in response["Content-Security-Policy"], inline
        assert not re.findall(r"""\son\w+=["']""", page)
        assert (
            "unsafe" not in response["Content-Security-Policy"].partition("script-src")[2].partition(";")[0]
        )


def test_a_page_is_not_sent_anew_when_the_browser_has_it(reader):
    first, _ = checked(reader, "/flower/static/css/flower.css")

    second = reader.get("/flower/static/css/flower.css", HTTP_IF_NONE_MATCH=first["ETag"])

    assert (second.status_code, body_of(second)) == (304, "")


def test_a_worker_obeys_a_post_from_our_own_page(controller):
    known_worker(controller)

    response = controller.post(f"/flower/api/worker/pool/grow/{WORKER}?n=1", **SAME_ORIGIN)

    assert (response.status_code, "Growing" in body_of(response)) == (200, True)


def test_a_post_is_refused_when_it_comes_from_elsewhere_or_from_a_reader(controller, reader):
    address = f"/flower/api/worker/shutdown/{WORKER}"

    assert controller.post(address, HTTP_SEC_FETCH_SITE="cross-site").status_code == 403
    assert controller.post(address, HTTP_ORIGIN="https://evil.example").status_code == 403
    assert controller.post(address).status_code == 403
    assert reader.post(address, **SAME_ORIGIN).status_code == 403


def test_nobody_gets_in_without_login_and_permission(client, log_in):
    assert client.get("/flower/").status_code == 302
    assert log_in("view_schedule").get("/flower/api/workers").status_code == 403


def test_another_password_is_a_sentence(reader, tmp_path):
    (tmp_path / "flower.auth").write_text("svc:wrong")

    response = reader.get("/flower/")

    assert response.status_code == 503
    assert "Flower refused the password of this dashboard." in response.content.decode()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_flowers_pages_work_in_a_browser_under_our_policy(controller, live_server, page):
    known_worker(controller)
    session = controller.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    page.goto(f"{live_server.url}/flower/")
    page.get_by_role("link", name=WORKER).click()
    page.get_by_role("heading", name=WORKER).wait_for()
    for address in ("tasks", "broker"):
        page.goto(f"{live_server.url}/flower/{address}", wait_until="networkidle")
    # the page fixture fails the test at its end when the console or the policy complained
