"""The catalogs of the languages that are shipped: complete, compiled, and with the places where words go in."""

from __future__ import annotations

import ast
import gettext
import string
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages import pofile

import schedulerui.recurrence
from schedulerui.recurrence import RuleError, describe, notices, parse_rule, uses_clock12
from tests.catalogues import COMPLETE
from tests.unit.recurrence.languages import LANGUAGES, LOCALE, TRANSLATED, language

ROOM = Path(schedulerui.recurrence.__file__).parent
N_MESSAGES = 90
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)
# The numbers that have a plural form of their own, which may say them in a word.
SAID_IN_A_WORD = {1, 2}


def texts(call):
    return tuple(
        node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def phrases_of_the_room():
    """Return all that is marked for translation: one text, or the pair of singular and plural."""
    found = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
                said = texts(node)
                if name in {"gettext", "_"} and said:
                    found.add(said[0])
                elif name == "ngettext" and said:
                    found.add(said)
    return found


def places(text):
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name)


def catalog(code):
    with (LOCALE / code / "LC_MESSAGES" / "django.po").open("rb") as file:
        return pofile.read_po(file)


def forms(catalog, phrase):
    """Return the translations of a phrase, each with the first numbers it is for."""
    plural = gettext.c2py(catalog.plural_expr)
    message = catalog[phrase if isinstance(phrase, str) else phrase[0]]
    if isinstance(phrase, str):
        return [(message.string, set())]
    return [
        (text, {n for n in range(1, 1000) if plural(n) == index}) for index, text in enumerate(message.string)
    ]


@pytest.mark.parametrize("code", TRANSLATED)
def test_each_phrase_of_a_rule_is_translated_and_where_there_are_no_pages_nothing_else(code):
    wanted, has = phrases_of_the_room(), catalog(code)
    assert len(wanted) > N_MESSAGES
    known = {message.id for message in has if message.id}
    assert wanted == known if code not in COMPLETE else wanted <= known
    assert all(text for phrase in wanted for text, _ in forms(has, phrase))
    assert not any(message.fuzzy for message in has if message.id)


@pytest.mark.parametrize("code", TRANSLATED)
def test_each_translation_has_the_places_of_its_phrase(code):
    has = catalog(code)
    for phrase in phrases_of_the_room():
        wanted = places(phrase if isinstance(phrase, str) else phrase[1])
        for text, numbers in forms(has, phrase):
            in_a_word = len(numbers) == 1 and numbers <= SAID_IN_A_WORD
            allowed = [wanted] + ([[place for place in wanted if place[0] != "n"]] if in_a_word else [])
            assert places(text) in allowed, (phrase, text)


@pytest.mark.parametrize("code", TRANSLATED)
def test_the_compiled_catalog_is_that_of_the_text(code):
    # After a change: python -m tests.catalogues
    compiled, has = language(code).translation, catalog(code)
    for phrase in phrases_of_the_room():
        if isinstance(phrase, str):
            assert compiled.gettext(phrase) == has[phrase].string
        else:
            for text, numbers in forms(has, phrase):
                assert {compiled.ngettext(*phrase, n) for n in numbers} <= {text}


def crontab(expression):
    return parse_rule({"kind": "crontab", "expression": expression, "tz": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("code", "expression", "words"),
    [
        ("de", "*/5 9-17 * * 1-5", "Alle 5 Minuten von 09:00 bis 17:55 jeweils Montag bis Freitag"),
        ("de", "0 9 13 * 5", "Um 09:00 an Tag 13 des Monats, nur wenn es ein Freitag ist"),
        ("de", "*/45 * * * *", "Bei den Minuten 0 und 45 in jeder Stunde"),
        ("de", "0 9 24 12 *", "Um 09:00 an Tag 24 im Dezember"),
        ("ar", "*/2 * * * *", "كل دقيقتين"),
        ("ar", "*/5 * * * *", "كل 5 دقائق"),
        ("ar", "*/15 * * * *", "كل 15 دقيقة"),
        ("ar", "30 14 * * fri", "عند 2:30 م أيام الجمعة"),
        ("en-us", "30 14 * * fri", "At 2:30 PM on Friday"),
        ("en", "30 0,12 * * *", "At 00:30 and 12:30 each day"),
        ("en-us", "30 0,12 * * *", "At 12:30 AM and 12:30 PM each day"),
        ("en-us", "5,9,11 9-17 * * *", "At minutes 5, 9 and 11 past the hours 9 AM to 5 PM each day"),
    ],
)
def test_rules_read_well_in_each_language(code, expression, words):
    spoken = language(code.partition("-")[0], clock12=uses_clock12(code))
    assert describe(crontab(expression), **spoken.options) == words


@pytest.mark.parametrize(
    ("code", "semantics", "words"),
    [
        ("de", "celery-and", "Um 09:00 an Tag 13 des Monats, nur wenn es ein Freitag ist"),
        ("de", "vixie-or", "Um 09:00 an Tag 13 des Monats oder am Freitag"),
        ("ar", "celery-and", "عند 09:00 في اليوم 13 من الشهر، فقط إذا كان يوم الجمعة"),
        ("ar", "vixie-or", "عند 09:00 في اليوم 13 من الشهر أو أيام الجمعة"),
    ],
)
def test_both_and_either_are_different_words_in_each_language(code, semantics, words):
    # The reader that proves the words true trusts the catalog for what "or" is: a person has read these.
    rule = parse_rule({"kind": "crontab", "expression": "0 9 13 * 5", "semantics": semantics})
    assert describe(rule, **language(code).options) == words


def test_notices_are_translated_too():
    german = [notice.text for notice in notices(crontab("30 2 * * *"), SUMMER, **language("de").options)]
    assert german == [
        "02:30 kommt am Sonntag, 25. Oktober 2026 zweimal vor: läuft nur beim ersten Mal",
        "02:30 gibt es am Sonntag, 28. März 2027 nicht: läuft um 03:00",
    ]


@pytest.mark.parametrize("spoken", LANGUAGES, ids=lambda spoken: f"{spoken.code}{spoken.clock12}")
def test_different_intervals_have_different_words(spoken):
    def words(every, period):
        fields = {"every": every, "period": period, "anchor": SUMMER}
        return describe(parse_rule({"kind": "interval", "fields": fields}), **spoken.options)

    periods = ("seconds", "minutes", "hours", "days", "weeks")
    assert len({words(every, period) for every in range(1, 130) for period in periods}) == 129 * len(periods)


@pytest.mark.parametrize(
    ("code", "is_so"),
    [
        ("en", False),
        ("en-us", True),
        ("en_US", True),
        ("en-gb", False),
        ("de", False),
        ("ar", True),
        (None, False),
    ],
)
def test_a_language_says_how_its_clocks_are_read(code, is_so):
    assert uses_clock12(code) is is_so


@pytest.mark.parametrize(
    ("spec", "german"),
    [
        ({"expression": "99 * * * *"}, "Minute 99: 0-59 verwenden"),
        ({"expression": "0 0 1,32 * *"}, "Tag des Monats 32 (Element 2 von 2): 1-31 verwenden"),
        ({"expression": "5/15 * * * *"}, "Minute 5/15: ein Schritt braucht einen Bereich, 5-59/15 schreiben"),
        ({"expression": "0 0 31 2 *"}, "einen Tag 31 gibt es im Februar nicht, es würde also nie laufen"),
        ({"expression": "0 0 31 2,4,6 *"}, "einen Tag 31 gibt es im Februar, April oder Juni nicht, "),
        ({"expression": "* * *"}, "3 von fünf Feldern gefunden: "),
        ({"tz": "Europe"}, "Zeitzone 'Europe': das ist eine Region, einen Ort darin nennen, etwa Europe/"),
        ({"kind": "interval", "fields": {"every": 0, "period": "days"}}, "every muss mindestens 1 sein"),
        ({"kind": "moon"}, "kind ist nicht bekannt: eines von crontab, "),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_in_a_language_and_kept_in_english(spec, german):
    with pytest.raises(RuleError) as refused:
        parse_rule({"kind": "crontab", "expression": "* * * * *", **spec})
    assert refused.value.said(language("de").translation.gettext).startswith(german)
    assert refused.value.said(str) == refused.value.message == str(refused.value)
