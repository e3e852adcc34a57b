"""What the lists of runs and of changes can be narrowed to; a value that cannot be is said so, never ignored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy

from schedulerui.facts import ACTIVE, FAILING, RunState, Trigger
from schedulerui.models import Change, Run
from schedulerui.presenters import state_word, trigger_word
from schedulerui.presenters.changes import VERBS, VIAS
from schedulerui.presenters.remembered import Look, Remembered
from schedulerui.web.filters import LANGUAGE
from schedulerui.web.forms.fields import UtcTime
from schedulerui.web.forms.plain import PlainForm
from schedulerui.web.lateness import sent_later, sent_within
from schedulerui.web.list_filter import DurationFilter, ListFilter, like, text_filter
from schedulerui.web.words import all_hold, schedules_with

GROUPS = {"active": ACTIVE, "unhappy": FAILING}
GROUP_WORDS = {
    "active": gettext_lazy("Active: on the way or running"),
    "unhappy": gettext_lazy("Went wrong: failed, lost, not sent …"),
}
SCANNED = 100_000
"""Newest runs that a filter without an index looks at."""
SINCE: Remembered[datetime | None] = Remembered("newest runs", is_cheap=lambda since: since is None)
"""Since when those were due; past many of them a walk takes longer than all the rest of a page."""
SCANNED_CHANGES = 20_000
"""The same of changes, which are wider."""
LONGEST = "longest"
"""The order of runs, the longest first, in an address."""
ORDER_WORDS = {"newest": gettext_lazy("Newest first"), LONGEST: gettext_lazy("Longest first")}
"""Orders of runs by their words; the first is the default."""
OF_RUN = ("schedule_name", "task")
"""What a run itself keeps of its schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The rows that match, since when those are that were looked at (None: all were), and the newest key of all.

    ``is_walk``: no index finds them. ``newest`` is None where it was not asked for.
    """

    rows: QuerySet[Any]
    since: datetime | None = None
    newest: int | None = None
    is_walk: bool = False


class MomentFilter(django_filters.Filter):
    """A moment in UTC as ``datetime-local`` sends it."""

    field_class = UtcTime


def state_choices() -> list[tuple[str, Any]]:
    """Return groups first, then every single state by its word."""
    return [*GROUP_WORDS.items(), *((str(state), state_word(state)) for state in RunState)]


def in_state(value: str, _now: datetime) -> Q:
    """Ask for a state, or for one of a group."""
    states = GROUPS.get(value)
    return Q(state__in=[str(state) for state in states]) if states else Q(state=value)


class RunFilter(ListFilter):
    """Runs by state, schedule, task, worker, queue, trigger, moments, run time, and words."""

    main = ("q", "state", "trigger")
    qualifiers = {
        "state:": "state", "schedule:": "of", "task:": "task", "worker:": "worker", "queue:": "queue", "trigger:": "trigger",
        "origin:": "trigger", "due<": "due_within", "due>": "due_before", "started<": "started_within",
        "duration>": "longer", "duration<": "shorter", "late>": "late_over", "late<": "late_within",
    }  # fmt: skip
    conditions = {
        "state": in_state,
        "of": like("schedule__name"),
        "task": like("task"),
        "worker": like("worker"),
        "queue": like("queue"),
        "trigger": lambda value, _now: Q(trigger=value),
        "due_within": lambda value, now: Q(due_at__gte=now - value),
        "due_before": lambda value, now: Q(due_at__lt=now - value),
        "started_within": lambda value, now: Q(started_at__gte=now - value),
        "longer": lambda value, _now: Q(runtime__gt=value.total_seconds()),
        "shorter": lambda value, _now: Q(runtime__lt=value.total_seconds()),
        "late_over": lambda value, _now: sent_later(value),
        "late_within": lambda value, _now: sent_within(value),
    }
    unindexed = (
        "q",
        "task",
        "worker",
        "queue",
        "trigger",
        "started_within",
        "longer",
        "shorter",
        "late_over",
        "late_within",
        "instance",
    )
    """Filters that no index answers: with one of them alone, only the newest runs are looked at."""
    bounding = ("schedule", "of", "due_from", "due_within")

    q = django_filters.CharFilter(
        label=gettext_lazy("Search"),
        method="search",
        max_length=400,
        widget=forms.TextInput(
            attrs={**LANGUAGE, "placeholder": gettext_lazy("Name, task or id, state:failed, duration>10s …")}
        ),
    )
    state = django_filters.ChoiceFilter(
        label=gettext_lazy("State"),
        choices=state_choices,
        method="narrow",
        empty_label=gettext_lazy("Any state"),
    )
    trigger = django_filters.ChoiceFilter(
        label=gettext_lazy("Started by"),
        choices=lambda: [(name, trigger_word(name)) for name in map(str, Trigger)],
        method="narrow",
        empty_label=gettext_lazy("Anything"),
    )
    of = text_filter(gettext_lazy("Schedule's name"), 190)
    task = text_filter(gettext_lazy("Task"), 200)
    worker = text_filter(gettext_lazy("Worker"), 255)
    queue = text_filter(gettext_lazy("Queue"), 200)
    due_from = MomentFilter(label=gettext_lazy("Due from (UTC)"), field_name="due_at", lookup_expr="gte")
    due_to = MomentFilter(label=gettext_lazy("Due to (UTC)"), field_name="due_at", lookup_expr="lte")
    due_within = DurationFilter(label=gettext_lazy("Due within the last"), method="narrow")
    due_before = DurationFilter(label=gettext_lazy("Due longer ago than"), method="narrow")
    started_within = DurationFilter(label=gettext_lazy("Started within the last"), method="narrow")
    longer = DurationFilter(label=gettext_lazy("Ran longer than"), method="narrow")
    shorter = DurationFilter(label=gettext_lazy("Ran shorter than"), method="narrow")
    late_over = DurationFilter(label=gettext_lazy("Sent late by more than"), method="narrow")
    late_within = DurationFilter(label=gettext_lazy("Sent late by at most"), method="narrow")
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
        form = PlainForm

    named: list[int] | None = None
    """The keys of the schedules that have the words, once they are known, unless they are many."""

    def search(self, queryset: QuerySet[Run], _name: str, _value: str) -> QuerySet[Run]:
        """Keep those that have every word in the schedule's name or the task, or as their task id.

        With ``named``, the name and the task are those that the schedule has now; runs of no schedule are asked themselves.
        """
        if not self.words:
            return queryset
        asked = all_hold(OF_RUN, self.words, is_common=self.is_common)
        if self.named is not None:
            asked = Q(schedule__in=self.named) | (Q(schedule=None) & asked)
        for word in self.words:
            if not word.is_negated:
                others = [each for each in self.words if each is not word]
                asked |= Q(task_id=word.value) & all_hold(OF_RUN, others)
        return queryset.filter(asked)

    @property
    def is_scan(self) -> bool:
        """Whether no index would find these rows, so that a bound has to."""
        if not self.form.is_valid():
            return False
        given = {name for name, value in self.form.cleaned_data.items() if value not in {None, ""}}
        if self.qualifiers and not self.words:
            given.discard("q")
        typed = {self.qualifiers[term.qualifier] for term in self.extra}
        return bool((given | typed) & set(self.unindexed) or self.is_sorted_by_time) and not given & set(
            self.bounding
        )

    @property
    def is_sorted_by_time(self) -> bool:
        """Whether the longest come first, for which there is no index either: every dispatch would have to keep it."""
        return self.given.get("sort") == LONGEST

    def looked_through(self, *, is_exact: bool = False) -> Looked:
        """Return the rows that match; where no index finds them, only among the newest; at most two queries.

        ``is_exact``: look at all of them, however long that takes.
        """
        if is_exact or not self.is_scan:
            return Looked(rows=self.narrowed)
        if self.words and not self.problems:
            self.named = schedules_with(self.words)
            if self.named is None:
                self.take_words_for_common()
        newest, since = _newest_and_bound(now=self.now)
        rows: QuerySet[Run] = self.narrowed
        rows = rows.filter(due_at__gte=since) if since else rows
        return Looked(rows=rows, since=since, newest=newest, is_walk=True)


def _newest_and_bound(*, now: datetime) -> tuple[int | None, datetime | None]:
    """Return the newest key, and since when the newest runs were due that a scan looks at: None when there are fewer.

    One query, an end and a walk of one index each; none and no key where the walk was made within the last minute.
    """
    told: list[int] = []

    def walk() -> datetime | None:
        bound = Run.objects.newest_first().values("due_at")[SCANNED : SCANNED + 1]
        found = Run.objects.order_by("-pk").annotate(since=Subquery(bound)).values_list("pk", "since").first()
        newest, since = found or (0, None)
        told.append(newest)
        return since

    since = SINCE.get(walk, Look(now=now, scope=""), stamp=object())
    return (told[0] if told else None), since


class ChangeFilter(ListFilter):
    """Changes by schedule, person, verb, way and time."""

    main = ("q", "actor", "action", "via")
    unindexed = ("q", "actor", "action", "via")
    """Filters that no index answers: without a schedule only the newest changes are looked at, of those until ``at_to``."""

    def looked_through(self, *, is_exact: bool = False) -> Looked:
        """Return the rows that match; where no index finds them, only among the newest; one query at most.

        ``is_exact``: look at all of them, however long that takes.
        """
        given = {name for name in self.filters if self.given.get(name, "").strip()}
        if is_exact or self.problems or "schedule" in given or not given & set(self.unindexed):
            return Looked(rows=self.narrowed)
        until = self.form.cleaned_data.get("at_to")
        changes = Change.objects.filter(at__lte=until) if until else Change.objects.all()
        newest = changes.order_by("-at", "-id").values_list("at", flat=True)
        since = newest[SCANNED_CHANGES : SCANNED_CHANGES + 1].first()
        return Looked(rows=self.narrowed.filter(at__gte=since) if since else self.narrowed, since=since)

    q = django_filters.CharFilter(
        label=gettext_lazy("Schedule's name"),
        field_name="schedule_name",
        lookup_expr="icontains",
        max_length=190,
    )
    actor = django_filters.CharFilter(label=gettext_lazy("Who"), lookup_expr="icontains", max_length=150)
    action = django_filters.ChoiceFilter(
        label=gettext_lazy("What"), choices=VERBS, empty_label=gettext_lazy("Anything")
    )
    at_from = MomentFilter(label=gettext_lazy("From (UTC)"), field_name="at", lookup_expr="gte")
    at_to = MomentFilter(label=gettext_lazy("Until (UTC)"), field_name="at", lookup_expr="lte")
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
        form = PlainForm
