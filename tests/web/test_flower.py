"""The proxy to Flower against a small stand-in for Flower, in a thread on a free port of 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from schedulerui.web import flower_proxy
from tests.web.people import HOSTILE, a_run, a_schedule, a_worker

CREDENTIALS = "svc:a-random-pass"
SECRET = base64.b64encode(CREDENTIALS.encode()).decode()
SAME_ORIGIN = {"HTTP_SEC_FETCH_SITE": "same-origin"}
PAGE = {"HTTP_ACCEPT": "text/html,*/*;q=0.8"}


class FakeFlower(ThreadingHTTPServer):
    """Remembers what it was asked, and answers what the test wants."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.headers = {"Content-Type": "text/html; charset=UTF-8"}
        self.body = b"<h1>Workers</h1>"
        self.released = threading.Event()
        self.is_silent = False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/flower/"


class Handler(BaseHTTPRequestHandler):
    server: FakeFlower

    def answer(self):
        server = self.server
        length = int(self.headers.get("Content-Length") or 0)
        server.asked.append((self.command, self.path, dict(self.headers.items()), self.rfile.read(length)))
        if server.is_silent:
            server.released.wait(30)
            return
        self.send_response(server.status)
        for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(server.body)

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 - the names that the base class calls

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def upstream():
    server = FakeFlower()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=60)


@pytest.fixture
def configure(settings):
    def to(**options):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, **options}

    return to


@pytest.fixture
def mounted(upstream, configure, tmp_path):
    auth_file = tmp_path / "flower.auth"
    auth_file.write_text(f"{CREDENTIALS}\n")
    auth_file.chmod(0o600)
    configure(FLOWER_URL=upstream.url, FLOWER_AUTH_FILE=str(auth_file))
    return upstream


class Browser(Client):
    """Reads every answer to its end, as a browser does; `pieces` are the pieces in which it came."""

    def request(self, **request):
        response: Any = super().request(**request)
        response.pieces = list(response) if response.streaming else [response.content]
        response.close()
        return response


@pytest.fixture
def log_in(db):
    def as_one_who_may(*verbs):
        user = User.objects.create_user("-".join(verbs) or "stranger")
        user.user_permissions.set(Permission.objects.filter(codename__in=verbs))
        client = Browser(enforce_csrf_checks=True)
        client.force_login(user)
        return client

    return as_one_who_may


@pytest.fixture
def reader(log_in):
    return log_in("view_values", "view_schedule")


@pytest.fixture
def controller(log_in):
    return log_in("view_values", "control_workers")


def text_of(response):
    return b"".join(response.pieces).decode()


def test_it_shows_flowers_page_when_the_reader_may_see_values(mounted, reader):
    response = reader.get("/flower/?json=1&q=a%20b", **PAGE)

    assert response.status_code == 200
    assert text_of(response) == "<h1>Workers</h1>"
    method, path, headers, _ = mounted.asked[0]
    assert (method, path) == ("GET", "/flower/?json=1&q=a%20b")
    assert headers["Authorization"] == f"Basic {SECRET}"


def test_it_asks_for_the_login_when_nobody_is_logged_in(mounted, client, db):
    response = client.get("/flower/task/1?x=2")

    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/flower/task/1%3Fx%3D2"
    assert mounted.asked == []


@pytest.mark.parametrize("verbs", [(), ("view_schedule", "operate_schedule"), ("control_workers",)])
def test_it_refuses_when_the_person_may_not_see_values(mounted, log_in, verbs):
    assert log_in(*verbs).get("/flower/").status_code == 403
    assert mounted.asked == []


def test_it_forwards_a_post_when_it_comes_from_our_own_page(mounted, controller):
    response = controller.post(
        "/flower/api/worker/pool/grow/celery@a?n=1", b"n=2", content_type="text/plain", **SAME_ORIGIN
    )

    assert response.status_code == 200
    method, path, headers, body = mounted.asked[0]
    assert (method, path, body) == ("POST", "/flower/api/worker/pool/grow/celery@a?n=1", b"n=2")
    assert (headers["Host"], headers["Sec-Fetch-Site"]) == ("testserver", "same-origin")


def test_it_forwards_a_post_when_an_old_browser_names_our_origin(mounted, controller):
    assert controller.post("/flower/api/x", HTTP_ORIGIN="http://testserver").status_code == 200
    assert mounted.asked[0][2]["Origin"] == "http://testserver"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "http://[::1"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "http://testserver"},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://testserver.evil.example"},
    ],
)
def test_it_refuses_a_post_when_it_does_not_come_from_our_own_page(mounted, controller, headers):
    assert controller.post("/flower/api/worker/shutdown/celery@a", **headers).status_code == 403
    assert mounted.asked == []


def test_it_refuses_a_post_when_the_person_may_not_control_workers(mounted, reader):
    assert reader.post("/flower/api/worker/shutdown/celery@a", **SAME_ORIGIN).status_code == 403
    assert mounted.asked == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_answers_405_when_the_method_is_none_of_flowers(mounted, controller, method):
    assert controller.generic(method, "/flower/", **SAME_ORIGIN).status_code == 405
    assert mounted.asked == []


def test_it_keeps_our_cookies_and_credentials_from_flower(mounted, reader):
    reader.cookies["other"] = "secret"
    reader.get("/flower/", HTTP_AUTHORIZATION="Bearer ours", HTTP_REFERER="http://testserver/x")

    headers = mounted.asked[0][2]
    assert {"Cookie", "Referer"}.isdisjoint(headers)
    assert headers["Authorization"] == f"Basic {SECRET}"


def test_it_keeps_flowers_cookies_and_connection_headers_from_the_browser(mounted, reader):
    mounted.headers |= {
        "Set-Cookie": "_xsrf=1; Path=/",
        "WWW-Authenticate": "Basic",
        "Connection": "close, X-Private",
        "X-Private": SECRET,
        "Server": "TornadoServer",
        "Access-Control-Allow-Origin": "*",
        "Content-Security-Policy": "default-src *",
        "ETag": '"1"',
    }

    response = reader.get("/flower/")

    assert response["ETag"] == '"1"'
    assert not response.cookies
    for name in ("WWW-Authenticate", "Connection", "X-Private", "Server", "Access-Control-Allow-Origin"):
        assert not response.has_header(name)
    assert SECRET not in str(response.headers) + text_of(response)


def test_it_sends_its_own_strict_policy(mounted, reader):
    response = reader.get("/flower/")

    policy = dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert response["Cache-Control"] == "no-store"
    assert reader.get("/flower/static/js/flower.js")["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/flower/workers?a=1", "/flower/workers?a=1"),
        ("http://127.0.0.1:1/flower/login", "/flower/login"),
        ("https://evil.example/", "/flower/"),
        ("//evil.example/x", "/flower/"),
        ("/admin/", "/flower/"),
        ("/flower/../admin/", "/flower/"),
        ("/flower/%2e%2e/admin/", "/flower/"),
        ("relative", "/flower/"),
    ],
)
def test_it_keeps_redirects_below_our_mount(mounted, reader, location, shown):
    mounted.status, mounted.headers = 302, {"Location": location}

    response = reader.get("/flower/x")

    assert (response.status_code, response["Location"]) == (302, shown)


@pytest.mark.parametrize(
    "path",
    [
        "/flower/%2e%2e/admin/",
        "/flower/static/..%2f..%2fx",
        "/flower/./x",
        "/flower/a//b",
        "/flower/..%5cx",
        "/flower/a%0d%0aX: y",
        "/flower/%252e%252e/x",
        "/flower/a%00b",
        "/flower//evil.example",
    ],
)
def test_it_answers_404_when_the_path_is_not_plain(mounted, reader, path):
    assert reader.get(path).status_code == 404
    assert mounted.asked == []


def test_it_escapes_names_again_when_they_are_not_plain_text(mounted, reader):
    reader.get("/flower/worker/celery@h%C3%B6st%3Fx%23y%20z")

    assert mounted.asked[0][1] == "/flower/worker/celery@h%C3%B6st%3Fx%23y%20z"


def test_it_escapes_the_query_when_it_holds_what_would_end_the_line(mounted, reader):
    reader.get("/flower/tasks", QUERY_STRING="a=1 \r\nX-Evil: 1\xe9")

    _, path, headers, _ = mounted.asked[0]
    assert path == "/flower/tasks?a=1%20%0D%0AX-Evil:%201%E9"
    assert "X-Evil" not in headers


def test_it_hands_on_flowers_own_errors(mounted, reader):
    mounted.status, mounted.body = 404, b"Unknown task"

    response = reader.get("/flower/task/none")

    assert (response.status_code, text_of(response)) == (404, "Unknown task")


def none_of_them(_user, schedules):
    return schedules.none()


def test_it_is_closed_to_whom_a_schedule_is_hidden(mounted, reader, configure):
    configure(ACCESS_FILTER=f"{__name__}.none_of_them")
    assert reader.get("/flower/").status_code == 200
    a_schedule()
    response = reader.get("/flower/")
    assert response.status_code == 403
    assert "may know of some only" in text_of(response)
    assert len(mounted.asked) == 1


NAVIGATION = b'<nav><ul class="app-nav navbar-nav"><li>Workers</li></ul></nav>'


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", '<a class="nav-link" href="/">Back to Schedules</a>'),
        ("task/nobody-knows", '<a class="nav-link" href="/">Back to Schedules</a>'),
        ("task/known", ">This run in Schedules</a>"),
        ("worker/celery@one", ">This worker in Schedules</a>"),
        (f"worker/{HOSTILE[0]}", '<a class="nav-link" href="/">Back to Schedules</a>'),
    ],
)
def test_each_page_leads_back_to_what_tells_of_the_same_here(mounted, reader, path, words):
    a_run(a_schedule(), task_id="known")
    a_worker()
    mounted.body = b"x" * 5000 + NAVIGATION
    response = reader.get("/flower/" + quote(path))
    assert words in text_of(response)
    assert text_of(response).count("nav-item") == 1
    assert "Content-Length" not in response


def test_it_adds_nothing_to_what_is_no_page_or_has_no_list_of_pages(mounted, reader):
    mounted.body = b"<h1>Another Flower</h1>"
    assert text_of(reader.get("/flower/")) == "<h1>Another Flower</h1>"
    mounted.body = NAVIGATION
    mounted.status = 500
    assert text_of(reader.get("/flower/")) == NAVIGATION.decode()
    mounted.status, mounted.headers = 200, {"Content-Type": "application/json"}
    response = reader.get("/flower/api/tasks")
    assert (text_of(response), response["Content-Length"]) == (NAVIGATION.decode(), str(len(NAVIGATION)))


def test_it_answers_head_without_a_body(mounted, reader):
    response = reader.head("/flower/")

    assert (response.status_code, text_of(response)) == (200, "")
    assert mounted.asked[0][0] == "HEAD"


def test_it_streams_in_pieces_when_the_answer_is_large(mounted, reader):
    mounted.body = b"x" * 3_000_000

    pieces = reader.get("/flower/api/tasks").pieces

    assert sum(map(len, pieces)) == 3_000_000
    assert max(map(len, pieces)) <= flower_proxy.CHUNK


def test_it_breaks_off_when_flower_does(mounted, reader):
    mounted.headers |= {"Content-Length": "100000"}
    mounted.body = b"x" * 10

    # 200 is out already: an end in silence would look like a whole page.
    with pytest.raises((IncompleteRead, ConnectionError)):
        reader.get("/flower/")


def down(client, path="/flower/", **headers):
    response = client.get(path, **headers)
    assert response.status_code == 503
    return response


def test_it_shows_a_page_with_a_sentence_when_flower_is_down(mounted, reader, configure):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: the connection is refused
        port = taken.getsockname()[1]
        configure(FLOWER_URL=f"http://127.0.0.1:{port}/flower/")
        response = down(reader, **PAGE)

    assert response["Content-Type"].startswith("text/html")
    assert f"Flower does not answer at 127.0.0.1:{port}." in text_of(response)
    assert SECRET not in text_of(response)
    assert "a-random-pass" not in text_of(response)


def test_it_answers_plain_text_when_a_script_asks_and_flower_is_down(mounted, reader, configure):
    configure(FLOWER_URL="")
    script = down(reader, "/flower/?json=1", HTTP_X_REQUESTED_WITH="XMLHttpRequest", **PAGE)
    asset = down(reader, "/flower/static/js/x.js", HTTP_SEC_FETCH_DEST="script", **PAGE)

    for response in (script, asset):
        assert response["Content-Type"].startswith("text/plain")
        assert text_of(response).startswith("Flower is not set up here.")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/flower/", "127.0.0.1:5555", "http://", "http://127.0.0.1:x/flower/"]
)
def test_it_says_so_when_the_address_cannot_be_used(mounted, reader, configure, url):
    configure(FLOWER_URL=url)

    assert "The address of Flower cannot be used." in text_of(down(reader))


def test_it_says_so_when_the_password_file_is_gone(mounted, reader, configure, tmp_path):
    configure(FLOWER_AUTH_FILE=str(tmp_path / "gone"))

    assert "The file with Flower's password cannot be read." in text_of(down(reader))
    assert mounted.asked == []


def test_it_reads_the_password_anew_on_each_request(mounted, reader, tmp_path):
    (tmp_path / "flower.auth").write_text("svc:another")
    reader.get("/flower/")

    assert mounted.asked[0][2]["Authorization"] == "Basic " + base64.b64encode(b"svc:another").decode()


def test_it_says_so_when_flower_refuses_the_password(mounted, reader):
    mounted.status, mounted.headers = 401, {"WWW-Authenticate": "Basic"}

    response = down(reader)

    assert "Flower refused the password of this dashboard." in text_of(response)
    assert not response.has_header("WWW-Authenticate")


def test_it_says_so_when_flower_takes_the_connection_and_is_silent(mounted, reader, monkeypatch):
    monkeypatch.setattr(flower_proxy, "READ_TIMEOUT", 0.1)
    mounted.is_silent = True

    assert "takes the connection and does not answer" in text_of(down(reader))


def test_it_says_so_when_something_else_listens_there(mounted, reader, configure):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        configure(FLOWER_URL=f"http://127.0.0.1:{listener.getsockname()[1]}/flower/")

        def greet():
            with contextlib.closing(listener.accept()[0]) as connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert "broke off its answer" in text_of(down(reader))
        thread.join(timeout=60)


def test_it_says_so_when_flower_was_started_under_another_path(mounted, reader, configure):
    configure(FLOWER_URL=mounted.url.replace("/flower/", "/other/"))

    sentence = text_of(down(reader))
    assert "Flower makes its links below /other/, but is shown below /flower/." in sentence
    assert "--url_prefix=flower" in sentence
    assert mounted.asked == []
