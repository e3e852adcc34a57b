"""What the list of schedules can be narrowed to and sorted by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from schedulerui.facts import FAILING, RunState
from schedulerui.models import Schedule, ScheduleState
from schedulerui.models.choices import KINDS
from schedulerui.presenters import state_word
from schedulerui.web.forms.plain import PlainForm
from schedulerui.web.keyset import Order
from schedulerui.web.list_filter import DurationFilter, ListFilter, like, text_filter
from schedulerui.web.words import all_hold

LANGUAGE = {
    "type": "search",
    "role": "combobox",
    "aria-expanded": "false",
    "aria-autocomplete": "list",
    "aria-controls": "complete",
    "aria-describedby": "filter-problems",
}
"""Attributes of a text field that understands qualifiers."""

OF_STATE = "state__schedule_id"
ORDERS: dict[str, Order] = {
    "next": Order(column="next_run_at", kind=datetime, is_nullable=True),
    "name": Order(column="name", kind=str),
    "last": Order(
        column="state__last_run_at", kind=datetime, tie=OF_STATE, is_descending=True, is_nullable=True
    ),
    "rate": Order(column="state__failure_rate", kind=int, tie=OF_STATE, is_descending=True, is_nullable=True),
    "failing": Order(
        column="state__failure_streak", kind=int, tie=OF_STATE, is_descending=True, is_nullable=True, over=0
    ),
    "duration": Order(
        column="state__usual_runtime", kind=float, tie=OF_STATE, is_descending=True, is_nullable=True
    ),
}
"""Sort key in the address to the columns; the first is the default."""
ORDER_WORDS = {
    "next": _("By next run"),
    "name": _("By name"),
    "last": _("By last run"),
    "rate": _("By failure rate"),
    "failing": _("By failures in a row"),
    "duration": _("By duration"),
}


def state_choices() -> list[tuple[str, Any]]:
    """Return groups first, then the states by their words."""
    groups = [("failing", _("Failing")), ("error", _("Rule broken")), ("never", _("Never ran"))]
    return [*groups, *((str(state), state_word(state)) for state in RunState)]


def in_state(value: str, _now: datetime) -> Q:
    """Ask for a last run in that state or group."""
    groups = {
        "failing": Q(state__last_state__in=FAILING),
        "error": ~Q(error=""),
        "never": Q(state__last_state="") | Q(state=None),
    }
    return groups.get(value) or Q(state__last_state=value)


def among_states(value: str) -> Case:
    """Ask for the same of a state that many schedules have, but not most, as a database does not turn around.

    The keys of those are read first. Without this PostgreSQL walks through the schedules in their order, and asks for the state
    of each, which takes ten times as long as to look whether its key is one of those.
    """
    states = FAILING if value == "failing" else (value,)
    keys = ScheduleState.objects.filter(last_state__in=states).values("pk")
    return Case(
        When(pk__in=keys, then=Value(value=True)), default=Value(value=False), output_field=BooleanField()
    )


def switched(value: str, _now: datetime) -> Q:
    """Ask for on, off, or paused: off for a reason or until a moment.

    What is off has no next run: the index of next runs finds it, and no scan has to.
    """
    if value == "on":
        return Q(enabled=True)
    off = Q(enabled=False, next_run_at__isnull=True)
    return off & Q(paused_at__isnull=False) if value == "paused" else off


class ScheduleFilter(ListFilter):
    """Schedules by words, switch, state, kind, queue, task, zone, tag, owner, and how near their runs are."""

    main = ("q", "on", "state", "kind")
    qualifiers = {
        "state:": "state", "on:": "on", "task:": "task", "queue:": "queue", "zone:": "tz", "tag:": "tag", "kind:": "kind",
        "owner:": "owner", "next<": "next_within", "next>": "next_after", "last<": "last_within", "last>": "last_before",
    }  # fmt: skip
    conditions = {
        "state": in_state,
        "on": switched,
        "kind": lambda value, _now: Q(kind=value),
        "queue": like("queue"),
        "task": like("task"),
        "tz": like("tz"),
        "owner": like("owner"),
        "tag": lambda value, _now: Q(tags__contains=f" {value.strip()} "),
        "next_within": lambda value, now: Q(next_run_at__lte=now + value),
        "next_after": lambda value, now: Q(next_run_at__gt=now + value),
        "last_within": lambda value, now: Q(state__last_run_at__gte=now - value),
        "last_before": lambda value, now: Q(state__last_run_at__lt=now - value),
    }

    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        max_length=400,
        widget=forms.TextInput(
            attrs={**LANGUAGE, "placeholder": _("Name or task, state:failing, next<1h …")}
        ),
    )
    on = django_filters.ChoiceFilter(
        label=_("Switch"),
        method="narrow",
        choices=[("on", _("On")), ("off", _("Off")), ("paused", _("Paused"))],
        empty_label=_("On and off"),
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), method="narrow", choices=state_choices, empty_label=_("Any state")
    )
    kind = django_filters.ChoiceFilter(
        label=_("Kind"), method="narrow", choices=KINDS, empty_label=_("Any kind")
    )
    queue = text_filter(_("Queue"), 200)
    task = text_filter(_("Task"), 200)
    tz = text_filter(_("Time zone"), 63)
    tag = text_filter(_("Tag"), 50)
    owner = text_filter(_("Owner"), 150)
    next_within = DurationFilter(label=_("Next run within"), method="narrow")
    next_after = DurationFilter(label=_("Next run later than"), method="narrow")
    last_within = DurationFilter(label=_("Last run within"), method="narrow")
    last_before = DurationFilter(label=_("Last run longer ago than"), method="narrow")

    class Meta:
        model = Schedule
        fields: list[str] = []
        form = PlainForm

    is_by_key = False

    def take_states_by_key(self) -> None:
        """Ask for a state by the keys of the schedules that have it, now that these are known to be many, but not most."""
        if self.form.cleaned_data.get("state") not in {None, "", "never", "error"}:
            self.is_by_key = True
            self.__dict__.pop("_qs", None)  # where a FilterSet keeps its rows

    def narrow(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Keep the rows that fulfil the condition of a filter."""
        if name == "state" and self.is_by_key:
            return queryset.filter(among_states(value))
        return super().narrow(queryset, name, value)

    def search(self, queryset: QuerySet[Schedule], _name: str, _value: str) -> QuerySet[Schedule]:
        """Keep those that have every word in their name or task."""
        return queryset.filter(all_hold(("name", "task"), self.words, is_common=self.is_common))


def order_of(text: str) -> str:
    """Return the sort key of an address, the default for one that does not exist."""
    return text if text in ORDERS else next(iter(ORDERS))
