"""The languages of the bundled site: each person gets that of the browser, and what is kept of an answer is kept apart."""

from __future__ import annotations

import re

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from tests.site.test_site_settings import run, settings_of
from tests.web.people import a_run, a_schedule, a_worker

pytestmark = pytest.mark.django_db
LOCALE = "django.middleware.locale.LocaleMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
CODES = "from django.conf import settings; print(*dict(settings.LANGUAGES))"
PAGES = ("/", "/schedules/", "/runs/", "/timeline/", "/workers/", "/alerts/", "/audit/", "/about/")


@pytest.fixture(autouse=True)
def site_languages(settings):
    """The tests' host, with what the bundled site adds to have languages."""
    middleware = list(configured.MIDDLEWARE)
    middleware.insert(middleware.index(SESSION) + 1, LOCALE)
    settings.MIDDLEWARE = middleware
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    yield
    translation.activate(configured.LANGUAGE_CODE)


@pytest.fixture
def browser():
    user = User.objects.create_superuser("ana")

    def speaking(language):
        client = Client(headers={"Accept-Language": language})
        client.force_login(user)
        return client

    return speaking


def test_the_site_has_both_languages_and_asks_the_browser(tmp_path):
    found = settings_of("MIDDLEWARE", "LANGUAGE_CODE", home=tmp_path)
    places = [found["MIDDLEWARE"].index(name) for name in (SESSION, LOCALE)]
    assert places[1] == places[0] + 1
    assert found["LANGUAGE_CODE"] == "en"
    done = run("-c", CODES, home=tmp_path)
    assert done.stdout.split() == ["en", "de"], done.stderr


@pytest.mark.parametrize(
    ("wanted", "language", "heading"),
    [
        ("de", "de", "Zeitpläne"),
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Zeitpläne"),
        ("en-GB,en;q=0.9", "en", "Schedules"),
        ("fr,pl;q=0.8", "en", "Schedules"),
    ],
)
def test_each_browser_gets_its_language_or_english(browser, wanted, language, heading):
    answer = browser(wanted).get("/schedules/")
    page = answer.content.decode()
    assert f'<html lang="{language}"' in page
    assert re.search(rf"<h1[^>]*>\s*{heading}\s*</h1>", page)
    assert answer["Content-Language"] == language
    assert "Accept-Language" in answer["Vary"]


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_there_in_german(browser, address):
    a_worker()
    a_run(a_schedule("Nightly"), state="failed")
    answer = browser("de").get(address)
    assert answer.status_code == 200
    assert 'lang="de"' in answer.content.decode()


def test_a_poll_answers_in_the_language_of_its_page_and_says_nothing_when_nothing_is_new(browser):
    a_schedule("Nightly")
    for language, words in (("de", "Kein Beat läuft"), ("en", "No beat is running")):
        client = browser(language)
        page = client.get("/schedules/").content.decode()
        assert words in page
        polls = re.findall(r'hx-get="(/live/[^"]+since=[^"]+)"', page)
        assert polls
        for address in polls:
            assert (
                client.get(address.replace("&amp;", "&"), headers={"HX-Request": "true"}).status_code == 204
            )


def test_what_this_process_remembers_for_one_person_is_not_told_to_another_in_a_foreign_language(browser):
    schedule = a_schedule("Nightly")
    a_run(schedule, state="failed")
    german, english = browser("de"), browser("en")
    for _again in range(2):
        assert "Braucht Aufmerksamkeit" in german.get("/").content.decode()
        page = english.get("/").content.decode()
        assert "Needs attention" in page
        assert "Zeitplan" not in page
