from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedulerui.presenters import remembered
from schedulerui.presenters.remembered import Look, Remembered

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Counted:
    """A dear answer: how often it was computed."""

    def __init__(self, name="dear", **options):
        self.n, self._kept = 0, Remembered(name, **options)

    def _compute(self):
        self.n += 1
        return self.n

    def at(self, seconds, *, look=None, scope="", stamp=None):
        look = look or Look(now=NOON + timedelta(seconds=seconds), scope=scope)
        return self._kept.get(self._compute, look, stamp=stamp)


def test_it_computes_once_a_minute():
    dear = Counted()
    assert [dear.at(seconds) for seconds in (0, 5, 59, 60, 65, 119, 120)] == [1, 1, 1, 2, 2, 2, 3]


def test_it_keeps_one_answer_for_each_scope():
    dear = Counted()
    assert [dear.at(0, scope=scope) for scope in ("", "7", "", "7")] == [1, 2, 1, 2]


@pytest.mark.parametrize(("is_cheap", "answers"), [(True, [1, 2, 2]), (False, [1, 1, 1])])
def test_a_change_computes_anew_only_what_is_cheap(is_cheap, answers):
    dear = Counted(is_cheap=lambda _value: is_cheap)
    assert [dear.at(0, stamp=stamp) for stamp in ("a", "b", "b")] == answers


def test_one_look_computes_at_most_one_answer_that_has_grown_old():
    one, other = Counted("one"), Counted("other")
    first = Look(now=NOON, scope="")
    assert (one.at(0, look=first), other.at(0, look=first)) == (1, 1), "what nobody knows yet is computed"
    second, third = (Look(now=NOON + timedelta(seconds=61 + n), scope="") for n in range(2))
    assert (one.at(0, look=second), other.at(0, look=second)) == (2, 1)
    assert (one.at(0, look=third), other.at(0, look=third)) == (2, 2)


def test_a_clock_that_was_set_back_computes_anew():
    dear = Counted()
    assert [dear.at(0), dear.at(-3600)] == [1, 2]


def test_an_answer_that_cannot_be_computed_anew_stays():
    kept: Remembered[int] = Remembered("fragile")
    assert kept.get(lambda: 1, Look(now=NOON, scope="")) == 1
    later = NOON + timedelta(minutes=2)
    with pytest.raises(ZeroDivisionError):
        kept.get(lambda: 1 // 0, Look(now=later, scope=""))
    assert kept.get(lambda: 2, Look(now=later, scope="")) == 1


def test_it_keeps_a_bounded_number_of_answers():
    dear = Counted()
    for number in range(remembered.MOST + 1):
        dear.at(0, scope=str(number))
    before = dear.n
    assert dear.at(0, scope=str(remembered.MOST)) == before
    assert dear.at(0, scope="0") == before + 1
