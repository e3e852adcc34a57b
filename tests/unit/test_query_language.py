from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulerui.web.query_language import duration_of, parse, term_at, without, written


def told(text):
    return [("-" if term.is_negated else "") + f"{term.qualifier}|{term.value}" for term in parse(text)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("nightly report", ["|nightly", "|report"]),
        ("state:failed queue:mail", ["state:|failed", "queue:|mail"]),
        ('task:"a b" "two words"', ["task:|a b", "|two words"]),
        ("-state:failed -word", ["-state:|failed", "-|word"]),
        ("next<1h last>7d", ["next<|1h", "last>|7d"]),
        ("State:Failed", ["state:|Failed"]),
        ("state:", ["state:|"]),
        ("tests.add re-send - --x", ["|tests.add", "|re-send", "|-", "|--x"]),
        ('state:"unfinished', ["state:|unfinished"]),
        ("http://x", ["http:|//x"]),
        ('"state:failed"', ["|state:failed"]),
        ("state:failed,lost", ["state:|failed,lost"]),
    ],
)
def test_it_takes_a_filter_apart(text, terms):
    assert told(text) == terms


@given(st.text(max_size=80))
def test_anything_is_a_list_of_terms_that_stand_in_the_text(text):
    terms = parse(text)
    for term in terms:
        assert text[term.start : term.end]
        assert term.value in text
    assert parse(without(text, terms)) == [] or '"' in text


@given(
    st.text(alphabet=st.characters(exclude_characters='"', exclude_categories=["C"]), min_size=1, max_size=30)
)
def test_a_written_term_is_read_again(value):
    (term,) = parse(written("task:", value))
    assert (term.key, term.value) == ("task", value.strip())


def test_a_term_is_found_at_the_caret():
    text = "state:fa nightly"
    assert term_at(text, 8).value == "fa"
    assert term_at(text, 3).key == "state"
    assert term_at(text + "  ", 18).value == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1.5h", 5400),
        ("1H", 3600),
    ],
)
def test_it_reads_durations(text, seconds):
    assert duration_of(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "7", "d", "1y", "-1h", "1h!", "99999999w", "1h x", "٣h!"])
def test_it_refuses_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"duration|long"):
        duration_of(text)
