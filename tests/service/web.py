"""A real web process beside the workers and monitors of the recorder's tests, and a person who is logged in to it."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.processes import Process
from tests.servers.base import free_port
from tests.waiting import eventually


class Web:
    """One gunicorn with one process that answers pages of the tests' host."""

    def __init__(self, environment, *, log):
        self._address = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"]
        self.process = Process(
            [*command, "--bind", self._address, "--threads", "2", "--worker-class", "gthread"],
            log=log,
            env={**environment, "TEST_ROOT_URLCONF": "tests.urls"},
            name="web",
        )
        client = Client()
        client.force_login(User.objects.create_superuser("root"))
        self._cookie = f"sessionid={client.cookies['sessionid'].value}"

    def ready(self):
        eventually(lambda: self.page("/healthz"), within=120, ignoring=OSError, describe=self.process.tail)
        return self

    def page(self, path):
        """Return the status and the text of a page."""
        asked = urllib.request.Request(f"http://{self._address}{path}", headers={"Cookie": self._cookie})
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()


@pytest.fixture
def web(environment, tmp_path):
    started = Web(environment, log=tmp_path / "web.log")
    yield started.ready()
    started.process.kill9()
