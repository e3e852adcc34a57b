"""What the lists of runs and of changes can be narrowed to; a value that cannot be is said so, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.forms import BoundField
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui.facts import ACTIVE, RunState, Trigger
from schedulerui.models import Change, Run
from schedulerui.presenters import state_word, trigger_word
from schedulerui.presenters.changes import VERBS
from schedulerui.web.forms.fields import UtcTime

UNHAPPY = frozenset({RunState.FAILED, RunState.LOST, RunState.REJECTED, RunState.UNSENT, RunState.EXPIRED})
GROUPS = {"active": ACTIVE, "unhappy": UNHAPPY}
GROUP_WORDS = {
    "active": gettext_lazy("Active: on the way or running"),
    "unhappy": gettext_lazy("Went wrong: failed, lost, not sent …"),
}
TEXT = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
VIAS = [(via, via) for via in ("browser", "admin", "command", "code")]


class MomentFilter(django_filters.Filter):
    """A moment in UTC as ``datetime-local`` sends it."""

    field_class = UtcTime


def state_choices() -> list[tuple[str, Any]]:
    """Return groups first, then every single state by its word."""
    return [*GROUP_WORDS.items(), *((str(state), state_word(state)) for state in RunState)]


class ListFilter(django_filters.FilterSet):
    """A FilterSet that knows its removable pills and what it did not understand."""

    main: tuple[str, ...] = ("q", "state")
    ignored_keys = frozenset({"older", "newer", "since"})
    """Keys of the address that page and poll, and do not narrow."""

    @property
    def problems(self) -> list[str]:
        """Sentences about values that could not be used; empty when every part of the address was understood."""
        found = []
        for name, messages in self.form.errors.items():
            label = self.form.fields[name].label or name
            found.append(f"{label}: {' '.join(str(message) for message in messages)}")
        unknown = [key for key in self.data or () if key not in self.filters and key not in self.ignored_keys]
        return found + [_("There is no filter named “%(name)s”.") % {"name": key[:60]} for key in unknown]

    @property
    def main_fields(self) -> list[BoundField]:
        """The controls that are always in sight."""
        return [field for field in self.form.visible_fields() if field.name in self.main]

    @property
    def more_fields(self) -> list[BoundField]:
        """The controls that are folded away."""
        return [field for field in self.form.visible_fields() if field.name not in self.main]

    @property
    def is_more_open(self) -> bool:
        """Whether a folded control is set or wrong."""
        return any(field.data or field.errors for field in self.more_fields)

    @property
    def narrowed(self) -> QuerySet[Any]:
        """The rows that match, none at all while a part of the filter makes no sense."""
        rows: QuerySet[Any] = self.qs
        return rows.none() if self.problems else rows

    @property
    def active(self) -> list[tuple[str, str, str]]:
        """(label, value, address without it) of each filter that is set."""
        return [
            (str(field.label), self.value_words(name), "?" + self.query(without=[name]))
            for name, field in self.form.fields.items()
            if self.data and self.data.get(name, "").strip()
        ]

    def value_words(self, name: str) -> str:
        """Return what a filter is set to, choices by their words."""
        raw = str((self.data or {}).get(name, ""))
        choices = dict(getattr(self.form.fields[name], "choices", ()))
        return str(choices.get(raw, raw.replace("T", " ")))

    def query(self, *, without: Iterable[str] = ()) -> str:
        """Return the filter as a query string, cursors and empty values left out."""
        dropped = set(without) | self.ignored_keys
        kept = QueryDict(mutable=True)
        for key, value in (self.data or {}).items():
            if key not in dropped and str(value).strip():
                kept[key] = str(value)
        return kept.urlencode()


class RunFilter(ListFilter):
    """Runs by state, schedule, task, worker, trigger, due time, and words."""

    q = django_filters.CharFilter(label=gettext_lazy("Search"), method="search", max_length=200, widget=TEXT)
    state = django_filters.ChoiceFilter(
        label=gettext_lazy("State"),
        choices=state_choices,
        method="in_state",
        empty_label=gettext_lazy("Any state"),
    )
    trigger = django_filters.ChoiceFilter(
        label=gettext_lazy("Started by"),
        choices=lambda: [(name, trigger_word(name)) for name in map(str, Trigger)],
        empty_label=gettext_lazy("Anything"),
    )
    task = django_filters.CharFilter(label=gettext_lazy("Task"), max_length=200, widget=TEXT)
    worker = django_filters.CharFilter(label=gettext_lazy("Worker"), max_length=255, widget=TEXT)
    due_from = MomentFilter(label=gettext_lazy("Due from (UTC)"), field_name="due_at", lookup_expr="gte")
    due_to = MomentFilter(label=gettext_lazy("Due to (UTC)"), field_name="due_at", lookup_expr="lte")
    schedule = django_filters.NumberFilter(
        label=gettext_lazy("Schedule"),
        field_name="schedule_id",
        min_value=1,
        max_value=2**63 - 1,
        decimal_places=0,
        widget=forms.HiddenInput,
    )
    instance = django_filters.UUIDFilter(
        label=gettext_lazy("Worker instance"), field_name="worker_instance", widget=forms.HiddenInput
    )

    class Meta:
        model = Run
        fields: list[str] = []

    def in_state(self, queryset: QuerySet[Run], _name: str, value: str) -> QuerySet[Run]:
        states = GROUPS.get(value)
        return queryset.filter(state__in=[str(state) for state in states] if states else [value])

    def search(self, queryset: QuerySet[Run], _name: str, value: str) -> QuerySet[Run]:
        return queryset.filter(
            Q(schedule_name__icontains=value) | Q(task__icontains=value) | Q(task_id=value)
        )


class ChangeFilter(ListFilter):
    """Changes by schedule, person and verb."""

    main = ("q", "actor", "action", "via")

    q = django_filters.CharFilter(
        label=gettext_lazy("Schedule's name"),
        field_name="schedule_name",
        lookup_expr="icontains",
        max_length=190,
        widget=TEXT,
    )
    actor = django_filters.CharFilter(
        label=gettext_lazy("Who"), lookup_expr="icontains", max_length=150, widget=TEXT
    )
    action = django_filters.ChoiceFilter(
        label=gettext_lazy("What"), choices=VERBS, empty_label=gettext_lazy("Anything")
    )
    via = django_filters.ChoiceFilter(
        label=gettext_lazy("From where"), choices=VIAS, empty_label=gettext_lazy("Anywhere")
    )
    schedule = django_filters.NumberFilter(
        label=gettext_lazy("Schedule"),
        field_name="schedule_id",
        min_value=1,
        max_value=2**63 - 1,
        decimal_places=0,
        widget=forms.HiddenInput,
    )

    class Meta:
        model = Change
        fields: list[str] = []
