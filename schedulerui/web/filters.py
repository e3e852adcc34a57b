"""What the list of schedules can be narrowed to and sorted by."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from schedulerui.facts import RunState
from schedulerui.models import Schedule
from schedulerui.models.choices import KINDS
from schedulerui.presenters import state_word
from schedulerui.presenters.overview import FAILING
from schedulerui.web.history_filters import ListFilter

TEXT = {"autocomplete": "off", "spellcheck": "false"}
SHOWN_STATES = (
    RunState.SUCCEEDED, RunState.FAILED, RunState.LOST, RunState.MISSED, RunState.SKIPPED, RunState.STARTED,
    RunState.RETRYING, RunState.UNSENT,
)  # fmt: skip

ORDERS: dict[str, tuple[Any, ...]] = {
    "next": (F("next_run_at").asc(nulls_last=True), "id"),
    "name": ("name",),
    "last": (F("state__last_run_at").desc(nulls_last=True), "id"),
    "failing": ("-state__failure_streak", "name"),
}
"""Sort key in the address to the columns; the first is the default."""


def state_choices() -> list[tuple[str, Any]]:
    """Return groups first, then the states by their words."""
    groups = [("failing", _("Failing")), ("error", _("Rule broken")), ("never", _("Never ran"))]
    return [*groups, *((str(state), state_word(state)) for state in SHOWN_STATES)]


class ScheduleFilter(ListFilter):
    """Schedules by words, switch, state, kind, queue, task and zone."""

    ignored_keys = frozenset({"page", "have", "sort"})

    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        max_length=200,
        widget=forms.TextInput(attrs={**TEXT, "type": "search", "placeholder": _("Name or task")}),
    )
    on = django_filters.ChoiceFilter(
        label=_("Switch"),
        method="is_on",
        choices=[("on", _("On")), ("paused", _("Paused"))],
        empty_label=_("On and paused"),
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), method="in_state", choices=state_choices, empty_label=_("Any state")
    )
    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=KINDS, empty_label=_("Any kind"))
    queue = django_filters.CharFilter(label=_("Queue"), max_length=200, widget=forms.TextInput(attrs=TEXT))
    task = django_filters.CharFilter(label=_("Task"), max_length=200, widget=forms.TextInput(attrs=TEXT))
    tz = django_filters.CharFilter(label=_("Time zone"), max_length=63, widget=forms.TextInput(attrs=TEXT))

    class Meta:
        model = Schedule
        fields: list[str] = []

    def search(self, queryset: QuerySet[Schedule], _name: str, value: str) -> QuerySet[Schedule]:
        """Keep those that have every word in their name or task."""
        for word in value.split()[:8]:
            queryset = queryset.filter(Q(name__icontains=word) | Q(task__icontains=word))
        return queryset

    def is_on(self, queryset: QuerySet[Schedule], _name: str, value: str) -> QuerySet[Schedule]:
        """Keep those that are switched on, or those that are not."""
        return queryset.filter(enabled=value == "on")

    def in_state(self, queryset: QuerySet[Schedule], _name: str, value: str) -> QuerySet[Schedule]:
        """Keep those whose last run is in that state or group."""
        if value == "failing":
            return queryset.filter(state__last_state__in=FAILING)
        if value == "error":
            return queryset.exclude(error="")
        if value == "never":
            return queryset.filter(Q(state__last_state="") | Q(state=None))
        return queryset.filter(state__last_state=value)


def order_of(text: str) -> str:
    """Return the sort key of an address, the default for one that does not exist."""
    return text if text in ORDERS else next(iter(ORDERS))
