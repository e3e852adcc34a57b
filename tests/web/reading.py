"""What a person reads in a page: the text of its pieces, and the words of states among it."""

from __future__ import annotations

import re
from html import unescape

from schedulerui.facts import RunState
from schedulerui.presenters.states import state_of

OF_RUNS = {str(state): state_of(state).word for state in RunState}
OF_SCHEDULES = {key: state_of(key).word for key in ("", "paused", "error", "unknown", "overslept", "late")}


def words_in(html):
    """The text of a piece of HTML, with the names that pictures and controls have for those who do not see them."""
    named = re.sub(r'<[^>]*aria-label="([^"]*)"[^>]*>', r" \1 ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", named)).split())


def cells(html):
    return [words_in(cell) for cell in re.findall(r"<t[dh]\b.*?</t[dh]>", html, re.DOTALL)]


def facts(html):
    return [words_in(value) for value in re.findall(r"<dd[^>]*>(.*?)</dd>", html, re.DOTALL)]


def fact(html, name):
    """The value beside a name in a list of facts."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.DOTALL)
    assert found, name
    return words_in(found[1])


def piece(text, start, end):
    assert start in text, start
    return text.partition(start)[2].partition(end)[0]


def element(text, tag, name):
    """The element with an id, whatever else its first tag holds; no other of its kind may stand in it."""
    found = re.search(rf'<{tag}\b[^>]*\bid="{re.escape(name)}"[^>]*>.*?</{tag}>', text, re.DOTALL)
    assert found, name
    return found[0]


def states_named(text):
    """The states whose words stand in the text as they are written in chips, with a capital letter; each once."""
    return {
        key
        for key, word in {**OF_RUNS, **OF_SCHEDULES}.items()
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    }
