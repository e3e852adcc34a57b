from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from schedulerui.facts import RunState
from schedulerui.presenters.states import state_of
from tests.web.people import check_gate, check_methods, logged_in, text_of

pytestmark = pytest.mark.django_db
COMPONENTS = "/about/components/"


@pytest.fixture
def reader():
    return logged_in("view")


@pytest.mark.parametrize("url", ["/about/", COMPONENTS])
def test_it_asks_for_login_and_permission(url):
    check_gate(url, verb="view")
    check_methods(url, "POST", "PUT", "DELETE")


def test_it_shows_versions_and_the_keys(reader):
    text = text_of(reader.get("/about/"))
    for words in ("Django", "celery", "Zone data in use", "Go to the filter", "System checks"):
        assert words in text


def test_it_shows_what_the_system_checks_find(reader, settings):
    settings.SCHEDULERUI = {"CELERY_APP": "tests.nowhere:<b>app</b>"}
    text = text_of(reader.get("/about/"))
    assert re.search(r"<code>schedulerui\.[EW]\d{3}</code>", text)
    assert "<b>app" not in text


def test_the_components_show_every_state_and_no_real_row(reader):
    with CaptureQueriesContext(connection) as queries:
        text = text_of(reader.get(COMPONENTS))
    for state in RunState:
        assert state_of(state).word in text
    for part in ("tile__number", 'role="switch"', 'class="spark"', "data-filter", "pill", "menu__panel", "notice--error",
                 'class="empty"', "refused", "pager__pages", "<kbd>", 'class="block"', 'class="diff"', "field__error",
                 "error-summary", "run-line", "beat--ok", "beat--warn", "beat--fail", 'class="strip"', "preview__times", "data-copy",
                 "Started by", "the run before it had not ended", "61 2 * * *", 'aria-busy="true"', 'id="open-dialog"'):  # fmt: skip
        assert part in text, part
    of_frame = {query["sql"] for query in queries if "schedulerui_beat" in query["sql"]}
    of_rows = [query["sql"] for query in queries if re.search("schedulerui_(schedule|run)", query["sql"])]
    assert set(of_rows) <= of_frame
    assert text.count(' id="') == len(set(re.findall(r' id="([^"]+)"', text))), "an id stands twice"


def test_it_names_the_command_that_takes_over_from_django_celery_beat(reader):
    text = text_of(reader.get("/about/"))
    assert "This database has no tables of django-celery-beat" in text
    assert "python manage.py schedulerui import-django-celery-beat" in text
