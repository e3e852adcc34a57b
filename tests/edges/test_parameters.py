"""What a task takes, read from its function: odd and hostile functions cost nothing but the hint."""

from __future__ import annotations

import functools
import sys

import pytest
from celery import Celery

from schedulerui import dispatch
from schedulerui.parameters import misfit, parameters_of


class Loud:
    """A default and an annotation that must not be asked for its words."""

    def __repr__(self):
        raise AssertionError("somebody asked")


def plain(city, *, days: int = 3, password="hunter2", note="x" * 100):
    raise AssertionError("somebody called it")


def loud(x=Loud(), y: Loud = None):  # type: ignore[assignment] # noqa: B008 - as careless code has it
    raise AssertionError("somebody called it")


def huge(n=10**5000, *rest, **more):
    raise AssertionError("somebody called it")


def nothing():
    raise AssertionError("somebody called it")


def own(self, x):
    raise AssertionError("somebody called it")


def wide(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v):  # noqa: E741, PLR0917 - what the test is about
    raise AssertionError("somebody called it")


def many(**_more):
    raise AssertionError("somebody called it")


def lying():
    raise AssertionError("somebody called it")


def round_and_round():
    raise AssertionError("somebody called it")


lying.__signature__ = "no signature at all"  # type: ignore[attr-defined] # as above
round_and_round.__wrapped__ = round_and_round  # type: ignore[attr-defined] # what a careless decorator leaves


@functools.wraps(plain)
def wrapped(*args, **kwargs):
    raise AssertionError("somebody called it")


@pytest.fixture
def known(monkeypatch):
    """The function that registers another one as a task of the host's app."""
    app = Celery("host", broker="memory://", set_as_current=False)
    monkeypatch.setattr(dispatch, "app", lambda: app)

    def register(function, **options):
        app.task(name="t", shared=False, **options)(function)

    return register


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (plain, "(city, *, days: int = 3, password=…, note=…)"),
        (wrapped, "(city, *, days: int = 3, password=…, note=…)"),
        (loud, "(x=…, y: Loud = None)"),
        (huge, "(n=…, *rest, **more)"),
        (nothing, "()"),
        (many, "(**_more)"),
        (lying, None),
        (round_and_round, None),
    ],
)
def test_it_tells_names_and_plain_defaults_and_calls_nothing(known, function, told):
    known(function)
    assert parameters_of("t") == told


def test_a_bound_task_hides_itself(known):
    known(own, bind=True)
    assert parameters_of("t") == "(x)"


def test_a_retried_task_is_told_as_it_was_written(known):
    known(plain, autoretry_for=(ValueError,))
    assert parameters_of("t") == "(city, *, days: int = 3, password=…, note=…)"


def test_very_many_parameters_are_cut(known):
    known(wide)
    told = parameters_of("t") or ""
    assert told.endswith("t, …)")


@pytest.mark.parametrize(
    "name", ["", "os.system", "tests.edges.gone", "__class__", "celery.backend_cleanup\x00", "x" * 10_000]
)
def test_what_is_not_registered_is_not_imported(known, name):
    parameters_of("t")  # the first question of a process lets the app look for its tasks
    before = set(sys.modules)
    assert parameters_of(name) is None
    assert misfit(name, [1], {}) == ""
    assert set(sys.modules) == before


def test_without_an_app_nothing_is_known(monkeypatch):
    def none():
        raise dispatch.NoCeleryApp("none")

    monkeypatch.setattr(dispatch, "app", none)
    assert parameters_of("tests.add") is None


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ([], {}, "missing a required argument: 'city'"),
        (["Oslo", 1], {}, "too many positional arguments"),
        ([], {"city": "Oslo", "weeks": 1}, "got an unexpected keyword argument 'weeks'"),
        (["Oslo"], {"days": 1}, ""),
    ],
)
def test_it_says_why_values_do_not_fit(known, args, kwargs, reason):
    known(plain)
    assert misfit("t", args, kwargs) == reason
