"""The system checks: each id, when it speaks and when it is silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery import Celery
from django.core import checks as django_checks
from django.test import override_settings

from schedulerui import checks, conf
from schedulerui.models import Schedule
from tests import celery_app
from tests.web.people import a_schedule

RABBIT = "amqp://guest@127.0.0.1//"
REDIS = "redis+socket:///tmp/broker.sock?virtual_host=0"
DOCUMENTED = Path(__file__).resolve().parents[2] / checks.PAGE


def a_bad_module(_name):
    raise KeyError("DATABASE")


@pytest.fixture
def configure(settings):
    def to(**options):
        settings.SCHEDULERUI = {**settings.SCHEDULERUI, **options}

    return to


@pytest.fixture
def celery_with(monkeypatch):
    """Let the host's Celery application be one with this configuration."""

    def make(**configuration):
        app = Celery("checked", set_as_current=False)
        app.conf.update(configuration)
        monkeypatch.setattr(celery_app, "app", app)
        return app

    return make


def found():
    return {message.id.removeprefix("schedulerui."): message for message in messages()}


def messages():
    return django_checks.run_checks(tags=["schedulerui"])


def test_it_finds_nothing_when_all_is_well():
    assert messages() == []


def test_it_names_the_nearest_key_when_a_key_is_unknown(settings):
    settings.SCHEDULERUI = {"CELERY_APPS": "tests.celery_app.app"}

    assert "Did you mean 'CELERY_APP'?" in found()["E001"].msg
    assert list(found()) == ["E001"]


@pytest.mark.parametrize("value", [None, [], "x"])
def test_it_says_so_when_the_setting_is_no_dictionary(settings, value):
    settings.SCHEDULERUI = value

    assert list(found()) == ["E001"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "Set SCHEDULERUI"),
        ("tests.nowhere.app", "cannot be imported"),
        ("tests.celery_app.none", "cannot be imported"),
        ("tests.celery_app.add", "no Celery application"),
    ],
)
def test_it_says_so_when_there_is_no_celery_application(configure, path, sentence):
    configure(CELERY_APP=path)

    assert sentence in found()["E002"].msg


def test_it_says_so_when_the_hosts_module_breaks_on_import(configure, monkeypatch):
    monkeypatch.setattr("importlib.import_module", a_bad_module)

    assert "KeyError: 'DATABASE'" in checks.check_celery(None)[0].msg


def test_it_says_so_when_moments_would_be_stored_in_local_time(settings):
    settings.USE_TZ = False

    assert list(found()) == ["E003"]


@pytest.mark.parametrize("app", ["django_htmx", "django_filters"])
def test_it_says_so_when_a_companion_is_not_installed(settings, app):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != app]

    assert app in found()["E004"].msg


def test_it_warns_when_the_middleware_of_htmx_is_missing(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "htmx" not in name]

    assert list(found()) == ["W004"]
    assert found()["W004"].level == django_checks.WARNING


def test_it_says_so_when_templates_do_not_get_the_request(settings):
    settings.TEMPLATES = [{"BACKEND": checks.DJANGO_TEMPLATES, "APP_DIRS": True, "OPTIONS": {}}]

    assert list(found()) == ["E005"]


def test_it_says_so_when_the_way_back_leads_nowhere(configure):
    configure(HOST_URL="wagtailadmin_home")

    assert "'wagtailadmin_home'" in found()["E009"].msg


@pytest.mark.parametrize(("version", "wrong"), [(2, []), (4, []), (3, ["E010"]), ("4", ["E010"])])
def test_it_says_so_when_the_pages_do_not_know_the_version_of_htmx(configure, version, wrong):
    configure(HTMX=version)

    assert list(found()) == wrong


@pytest.mark.parametrize("url", ["", "/elsewhere/", "schedulerui:runs"])
def test_it_is_silent_when_the_way_back_leads_somewhere(configure, url):
    configure(HOST_URL=url)

    assert found() == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:5555/", "http://127.0.0.1:5555/other/flower/"])
def test_it_says_so_when_flower_makes_its_links_elsewhere(configure, url):
    configure(FLOWER_URL=url)

    assert "is shown below /flower/." in found()["E006"].msg
    assert "--url_prefix=flower " in found()["E006"].hint


@pytest.mark.parametrize("url", ["http://127.0.0.1:5555/flower", "http://127.0.0.1:5555/flower/"])
def test_it_is_silent_when_flower_makes_its_links_where_it_is_shown(configure, url):
    configure(FLOWER_URL=url)

    assert messages() == []


def test_it_says_so_when_the_access_function_cannot_be_imported(configure):
    configure(ACCESS="tests.nowhere.may")

    assert "'tests.nowhere.may'" in found()["E007"].msg


@pytest.mark.parametrize(("is_eager", "warned"), [(True, ["W006"]), (False, [])])
def test_it_warns_when_beat_would_run_the_tasks_itself(celery_with, is_eager, warned):
    celery_with(task_always_eager=is_eager)

    assert list(found()) == warned


@pytest.mark.parametrize("options", [{}, {"confirm_publish": False}])
def test_it_warns_when_rabbitmq_does_not_confirm(celery_with, options):
    celery_with(broker_url=RABBIT, broker_transport_options=options)

    assert list(found()) == ["W001"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"broker_url": RABBIT, "broker_transport_options": {"confirm_publish": True}},
        {"broker_url": REDIS},
        {"broker_url": REDIS, "broker_write_url": None, "broker_transport_options": None},
    ],
)
def test_it_is_silent_when_the_broker_keeps_messages(celery_with, configuration):
    celery_with(**configuration)

    assert messages() == []


@pytest.mark.parametrize(
    ("configuration", "warned"),
    [
        ({"task_acks_late": True, "task_time_limit": 3599}, False),
        ({"task_acks_late": True, "task_time_limit": 3600}, True),
        ({"task_acks_late": False, "task_time_limit": 7200}, False),
        ({"task_acks_late": True}, False),
        (
            {
                "task_acks_late": True,
                "task_time_limit": 7200,
                "broker_transport_options": {"visibility_timeout": 9000},
            },
            False,
        ),
    ],
)
def test_it_warns_when_a_late_task_may_outlive_the_visibility_timeout(celery_with, configuration, warned):
    celery_with(broker_url=REDIS, **configuration)

    assert list(found()) == (["W002"] if warned else [])


def test_it_warns_when_one_task_of_its_own_outlives_the_visibility_timeout(celery_with):
    app = celery_with(broker_url=REDIS)
    # not shared: a shared task would join every later application of this process
    app.task(name="long", acks_late=True, time_limit=5000, shared=False)(celery_app.slow.run)

    assert "may run for 5000 s" in found()["W002"].msg


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_it_warns_when_others_may_read_flowers_password(configure, tmp_path, mode, warned):
    auth_file = tmp_path / "flower.auth"
    auth_file.write_text("svc:pw")
    auth_file.chmod(mode)
    configure(FLOWER_AUTH_FILE=str(auth_file))

    assert list(found()) == (["W003"] if warned else [])


def test_it_is_silent_when_flowers_password_is_not_written_yet(configure, tmp_path):
    configure(FLOWER_AUTH_FILE=str(tmp_path / "later"))

    assert messages() == []


CHORD = {"type": "chord", "header": [{"type": "task", "task": "a"}], "body": {"type": "task", "task": "b"}}
CHAIN = {"type": "chain", "steps": [CHORD["body"], CHORD["body"]]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("stored", "backend", "warned"),
    [
        (CHORD, None, True),
        (CHORD, "cache+memory://", False),
        (CHAIN, None, False),
        ({"type": "star"}, None, False),
    ],
)
def test_it_warns_of_a_stored_chord_where_no_result_backend_can_join(celery_with, stored, backend, warned):
    schedule = a_schedule("Close the day")
    Schedule.objects.filter(pk=schedule.pk).update(canvas=stored)
    celery_with(result_backend=backend)
    found = checks.check_canvases(None, databases=["default"])
    assert [message.id for message in found] == ["schedulerui.W005"] * warned
    assert all("'Close the day'" in message.msg for message in found)
    assert checks.check_canvases(None, databases=None) == []


def test_each_id_is_explained_where_its_hint_points():
    source = Path(checks.__file__).read_text()
    used = set(re.findall(r'"([EW]\d{3})"', source))
    text = DOCUMENTED.read_text()

    assert used == set(re.findall(r"^## schedulerui\.([EW]\d{3}):", text, flags=re.MULTILINE))
    assert {f"({number.lower()})=" for number in used} == set(
        re.findall(r"^\([ew]\d{3}\)=", text, flags=re.MULTILINE)
    )


def test_what_a_test_sets_ends_with_it():
    with override_settings(SCHEDULERUI={"RESULT_LIMIT": 10}):
        assert conf.settings().RESULT_LIMIT == 10
    assert conf.settings().RESULT_LIMIT == conf.Settings().RESULT_LIMIT
