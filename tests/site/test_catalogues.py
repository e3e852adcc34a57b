"""The catalogues of all pages: nothing without a translation, nothing left over, and each place and mark of a phrase kept."""

from __future__ import annotations

import gettext
import re

import pytest

from tests.catalogues import COMPLETE, LOCALE, catalogue, is_translated, key_of, marked, sources

ADVICE = "run python -m tests.catalogues, write what has no translation, and run it again"
PLACES = re.compile(r"%\((\w+)\)([-+ #0-9.]*[a-z])|%%([a-z0-9]?)|\{(\w*)[^}]*\}|(</?\w+[^>]*>)")


@pytest.fixture(scope="module", params=COMPLETE)
def code(request):
    return request.param


@pytest.fixture(scope="module")
def phrases(code):
    """All that is marked: by its key and context, singular and plural."""
    return {
        (key_of(phrase), context): phrase if isinstance(phrase, tuple) else (phrase,)
        for phrase, context in sorted(marked(sources(code)), key=lambda each: isinstance(each[0], tuple))
    }


def forms(message):
    return message.string if isinstance(message.string, tuple | list) else (message.string,)


def places(text):
    """What a phrase leaves room for: names with how they are written, literal per cents, tags."""
    return sorted(PLACES.findall(text))


def edges(text):
    """The white space before and after it."""
    bare = text.strip()
    return text[: text.index(bare)], text[len(text.rstrip()) :]


def test_each_phrase_is_translated(code, phrases):
    has = catalogue(code)
    missing = [
        key
        for key, context in phrases
        if (message := has.get(key, context)) is None or not is_translated(message)
    ]
    assert len(phrases) > 1_000
    assert missing == [], ADVICE


def test_nothing_is_left_over_and_nothing_is_a_guess(code, phrases):
    known = {(key_of(message.id), message.context) for message in catalogue(code) if message.id}
    assert known - set(phrases) == set(), ADVICE
    assert not [message.id for message in catalogue(code) if message.id and message.fuzzy]


def test_each_translation_has_the_places_and_the_edges_of_its_phrase(code, phrases):
    has = catalogue(code)
    for (key, context), said in phrases.items():
        message = has.get(key, context)
        allowed = [places(text) for text in said]
        for text in forms(message) if message else ():
            assert places(text) in allowed, (key, text)
            assert edges(text) == edges(key), (key, text)


def test_the_compiled_catalogue_is_that_of_the_text(code):
    compiled = gettext.translation("django", LOCALE, [code])
    for message in catalogue(code):
        if isinstance(message.id, str) and message.id:
            assert compiled.gettext(message.id) == message.string, ADVICE
        elif message.id:
            one, many = message.id
            assert (compiled.ngettext(one, many, 1), compiled.ngettext(one, many, 2)) == forms(message), (
                ADVICE
            )


def test_german_keeps_its_own_quotes():
    texts = [text for message in catalogue("de") if message.id for text in forms(message)]
    assert [text for text in texts if text.count("„") != text.count("“") or "”" in text] == []
