"""Controls that are drawn without templates are those that Django's templates draw."""

from __future__ import annotations

import re

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.http import QueryDict

from schedulerui import clock
from schedulerui.models import Change, Run, Schedule
from schedulerui.web.filters import ScheduleFilter
from schedulerui.web.forms.plain import PlainForm, PlainRenderer
from schedulerui.web.history_filters import ChangeFilter, RunFilter
from tests.web.people import HOSTILE


class Grouped(PlainForm):
    of = forms.ChoiceField(
        choices=[("", "Any"), ("Fruit <&>", [("a", "Apple"), ("b", 'Pear "x"')]), (0, "None")]
    )
    n = forms.IntegerField(min_value=1, max_value=9, disabled=True)
    text = forms.CharField(widget=forms.TextInput(attrs={"data-plain": True, "data-not": False}))
    more = forms.BooleanField()


def drawn(form, renderer):
    form.renderer = renderer
    return [re.sub(r">\s+<", "><", str(field)).strip() for field in form]


def check(form):
    assert drawn(form, PlainRenderer()) == drawn(form, DjangoTemplates())


@pytest.mark.parametrize("filter_class", [ScheduleFilter, RunFilter, ChangeFilter])
@pytest.mark.parametrize(
    "given", ["", "q=a+b&state=failed&on=off&next_within=1h&due_from=2026-03-04T05:06&schedule=7"]
)
def test_it_draws_the_controls_of_lists_as_django_does(filter_class, given):
    rows = {ScheduleFilter: Schedule.objects.none(), RunFilter: Run.objects.none()}
    found = filter_class(
        QueryDict(given), queryset=rows.get(filter_class, Change.objects.none()), now=clock.now()
    )
    check(found.controls)


def test_it_draws_groups_switches_and_what_is_wrong_as_django_does():
    check(Grouped({"of": "b", "n": "3", "text": "x", "more": "on"}))
    check(Grouped({"of": "0", "n": "many", "text": ""}))
    check(Grouped())


@pytest.mark.parametrize("text", HOSTILE)
def test_it_escapes_what_was_typed_as_django_does(text):
    check(Grouped({"of": text, "n": text, "text": text}))
