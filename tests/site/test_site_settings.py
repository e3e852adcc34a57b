"""The bundled site's settings, each time read by a process of its own from another environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from tests.processes import REPOSITORY

OURS = (
    "SCHEDULERUI_",
    "DATABASE_URL",
    "CELERY_",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "PORT",
    "DJANGO_",
    "FLOWER_",
)
PRODUCTION = {
    "SCHEDULERUI_SECRET_KEY": "k9-Zq3.Wn7_Lt5xVb2Mf8Hc4Rj6Ds1Gp0Yu-Ea9Io3Qw7Xz5Tk2Nv8",
    "SCHEDULERUI_HTTPS": "1",
    "ALLOWED_HOSTS": "schedules.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://schedules.example.org",
}
SHOW = """
import json
from django.conf import settings
names = %r
print(json.dumps({name: getattr(settings, name) for name in names}, default=str))
"""


def run(*arguments: str, home, env=None):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={
            **clean,
            "SCHEDULERUI_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "schedulerui.site.settings",
            **(env or {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def settings_of(*names: str, home, env=None):
    done = run("-c", SHOW % (names,), home=home, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_check_deploy_has_nothing_to_say_in_production(tmp_path):
    done = run("manage.py", "check", "--deploy", "--fail-level", "DEBUG", home=tmp_path, env=PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout
    assert done.stderr == ""


def test_it_can_be_read_without_a_home_and_writes_nothing(tmp_path):
    read = settings_of("SECRET_KEY", "DEBUG", home=tmp_path / "absent")
    assert len(read["SECRET_KEY"]) >= 50
    assert read["DEBUG"] is False
    assert not (tmp_path / "absent").exists()


def test_the_database_is_sqlite_in_the_home_by_default(tmp_path):
    database = settings_of("DATABASES", home=tmp_path)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "db.sqlite3")
    assert database["OPTIONS"]["timeout"] == 20
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


def test_one_variable_moves_it_to_postgresql(tmp_path):
    env = {"DATABASE_URL": "postgres://su:pw@db.example.org:5433/su"}
    database = settings_of("DATABASES", home=tmp_path, env=env)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.org", 5433, "su")
    assert "transaction_mode" not in database.get("OPTIONS", {})


def test_a_given_sqlite_url_gets_the_same_options(tmp_path):
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite3"}
    database = settings_of("DATABASES", home=tmp_path, env=env)["DATABASES"]["default"]
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_celery_gets_what_keeps_messages(tmp_path):
    names = (
        "CELERY_BROKER_URL",
        "CELERY_WORKER_PREFETCH_MULTIPLIER",
        "CELERY_RESULT_BACKEND",
        "CELERY_TASK_IGNORE_RESULT",
    )
    read = settings_of(*names, home=tmp_path)
    assert read == {
        "CELERY_BROKER_URL": f"redis+socket://{tmp_path}/broker.sock?virtual_host=0",
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
        "CELERY_RESULT_BACKEND": None,
        "CELERY_TASK_IGNORE_RESULT": True,
    }


def test_the_celery_application_is_found_with_its_demo_tasks(tmp_path):
    code = (
        "from celery.bin.celery import find_app; app = find_app('schedulerui.site'); app.loader.import_default_modules();"
        "print(app.main, *sorted(name for name in app.tasks if 'demo' in name))"
    )
    done = run("-c", code, home=tmp_path)
    assert done.returncode == 0, done.stderr
    name, *tasks = done.stdout.split()
    assert name == "schedulerui"
    assert "schedulerui.site.demo_tasks.heartbeat" in tasks
    assert run("-c", code, home=tmp_path, env={"SCHEDULERUI_DEMO": "0"}).stdout.split() == ["schedulerui"]


@pytest.mark.parametrize("given", [None, "default-src 'self'"])
def test_a_policy_that_a_view_has_set_is_left_alone(given, tmp_path):
    from csp.middleware import CSPMiddleware

    def view(_request):
        return HttpResponse("", headers={"Content-Security-Policy": given} if given else {})

    policy = settings_of("CONTENT_SECURITY_POLICY", home=tmp_path)["CONTENT_SECURITY_POLICY"]
    with override_settings(CONTENT_SECURITY_POLICY=policy):
        request = RequestFactory().get("/")
        header = CSPMiddleware(view).process_response(request, view(request))["Content-Security-Policy"]
    if given:
        assert header == given
    else:
        assert set(header.split("; ")) == {
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        }
