from __future__ import annotations

import pytest

from tests.waiting import eventually


def test_it_returns_the_answer_when_the_condition_comes_true():
    answers = iter([0, None, "", "here"])
    assert eventually(lambda: next(answers), within=5, every=0.001) == "here"


def test_it_says_what_was_awaited_when_the_deadline_passes():
    with pytest.raises(
        AssertionError, match=r"not within 0.01 s \(asked \d+ times\): three runs; the last answer was 0"
    ):
        eventually(lambda: 0, within=0.01, every=0.001, describe="three runs")


def test_it_asks_for_the_description_only_at_the_end():
    asked: list[str] = []

    def describe():
        asked.append("once")
        return f"described {len(asked)}"

    with pytest.raises(AssertionError, match="described 1"):
        eventually(lambda: False, within=0.01, every=0.001, describe=describe)


def test_it_shows_the_exception_when_that_was_the_last_answer():
    def refuse():
        raise ConnectionError("refused")

    with pytest.raises(AssertionError, match="refused"):
        eventually(refuse, within=0, ignoring=OSError)


def test_it_lets_an_exception_through_when_it_is_not_ignored():
    def break_down():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        eventually(break_down, within=5, ignoring=OSError)
