"""Pages say rules in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation

from schedulerui.models import Schedule
from schedulerui.presenters.rules import words_of


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "At 14:30 on Friday"),
        ("en-us", "At 2:30 PM on Friday"),
        ("de", "Um 14:30 jeweils Freitag"),
        ("de-at", "Um 14:30 jeweils Freitag"),
        ("ar", "عند 2:30 م أيام الجمعة"),
    ],
)
def test_a_rule_is_said_in_the_language_of_the_page(language, words):
    schedule = Schedule(kind="crontab", expression="30 14 * * fri", tz="UTC", semantics="celery-and")
    with translation.override(language):
        assert words_of(schedule) == (words, "")


@pytest.mark.parametrize(("language", "words"), [("de", "Alle 3 Minuten"), ("ar", "كل 3 دقائق")])
def test_plurals_are_those_of_the_language(language, words):
    schedule = Schedule(kind="crontab", expression="*/3 * * * *", tz="UTC", semantics="celery-and")
    with translation.override(language):
        assert words_of(schedule) == (words, "")
